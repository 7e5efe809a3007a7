/** The command `npm run lab`. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import { Command, InvalidArgumentError, Option } from 'commander'
import { unknownPlace } from './command.ts'
import { enter, exitOf, type Holder, mustFindHolder, placesIn, seenFromOutside, startHolder, stopHolder } from './holder.ts'
import type { LabOptions } from './lab.ts'
import { NETNS_DIR, PROJECT, program as programOf } from './paths.ts'
import { buildLasting, isInside, type LabRecord, printFrames, RECORD_FILE, runOnce, table } from './play.ts'
import { ROUTER, type Topology, topology } from './topology.ts'

interface Named {
  readonly name: string
}

interface Shape {
  readonly racks: number
  readonly nodes: number
  readonly pods: number
  readonly rpFilter: '0' | '1' | '2'
  readonly agents: boolean
}

const cli = new Command('lab')
  .description('A cluster of network namespaces on this machine: racks of nodes behind a router that knows nothing of pods.')
  .usage('COMMAND (after "npm run lab --")')
  .enablePositionalOptions()
  .showHelpAfterError()

shaped(cli.command('up'))
  .description('build a lab that stays until "down"')
  .addOption(nameOption())
  .addHelpText('after', example('npm run lab -- up --racks 3 --pods 1'))
  .action(async (options: Shape & Named) => {
    const planned = planOf(options)
    if (isInside()) return buildLasting(planned, labOptions(options))
    const holder = await startHolder(options.name)
    const status = await again(holder)
    if (status !== 0) await stopHolder(holder)
    process.exitCode = status
  })

shaped(cli.command('run'))
  .description('build a lab, run one command in it, take it down; in a virtual machine where this kernel has no ipip')
  .argument('<command...>', '"on PLACE CMD" runs in a node or pod; $A1 and $A1_P1 are addresses of a1 and a1-p1')
  .passThroughOptions()
  .addHelpText('after', example(`npm run lab -- run -- sh -c 'on a1-p1 ping -c 3 $B1_P1; calictl node status'`))
  .action(async (command: string[], options: Shape) => {
    if (isInside()) process.exitCode = await runOnce(planOf(options), labOptions(options), bare(command))
    else
      process.exitCode = await exitOf(spawn('sh', [join(PROJECT, 'test/lab/fresh.sh'), ...thisCommand()], { stdio: 'inherit' }))
  })

cli
  .command('exec')
  .description('run a command in a node, a pod or the router')
  .addOption(nameOption())
  .argument('<place>', 'a1, a1-p1, router, …')
  .argument('<command...>')
  .passThroughOptions()
  .addHelpText('after', example('npm run lab -- exec a1 -- ip route'))
  .action(async (place: string, command: string[], { name }: Named) => {
    process.exitCode = await enterPlace(mustFindHolder(name), place, bare(command))
  })

cli
  .command('calictl')
  .description('run calictl against the lab')
  .addOption(nameOption())
  .argument('[arguments...]')
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (args: string[], { name }: Named) => {
    process.exitCode = await enterPlace(mustFindHolder(name), ROUTER, [...programOf('calictl'), ...bare(args)])
  })

cli
  .command('capture')
  .description('print the frames that pass a link, decoded, until ^C')
  .addOption(nameOption())
  .option('--count <frames>', 'end after so many', wholeNumber, Number.POSITIVE_INFINITY)
  .argument('<link>', 'a1:eth0, router:rack-a (all frames of the rack), …')
  .addHelpText('after', example('npm run lab -- capture router:rack-a'))
  .action(async (link: string, { name, count }: Named & { readonly count: number }) => {
    if (isInside()) return printFrames(link, count)
    process.exitCode = await again(mustFindHolder(name))
  })

cli
  .command('status')
  .description('show nodes and pods with their addresses')
  .addOption(nameOption())
  .option('--json', 'as data')
  .addHelpText('after', example('npm run lab status'))
  .action(({ name, json }: Named & { readonly json?: true }) => {
    const text = readFileSync(seenFromOutside(mustFindHolder(name), RECORD_FILE), 'utf8')
    const record: LabRecord = JSON.parse(text)
    process.stdout.write(json ? text : table(record))
  })

cli
  .command('down')
  .description('end the lab and all that runs in it')
  .addOption(nameOption())
  .addHelpText('after', example('npm run lab down'))
  .action(async ({ name }: Named) => stopHolder(mustFindHolder(name)))

try {
  await cli.parseAsync()
} catch (reason) {
  process.stderr.write(`lab: ${reasonOf(reason)}\n`)
  process.exitCode = 1
}
// Agents of a lab that stays are children still: nobody waits for them.
process.exit()

function shaped(command: Command): Command {
  return command
    .option('--racks <number>', 'subnets', wholeNumber, 2)
    .option('--nodes <number>', 'nodes a rack', wholeNumber, 2)
    .option('--pods <number>', 'pods a node', wholeNumber, 2)
    .option('--no-agents', 'bare nodes: no agents, pods without network')
    .addOption(
      new Option('--rp-filter <value>', "the nodes' reverse path filter")
        .choices(['0', '1', '2'])
        .default('2', '2, as Ubuntu has it'),
    )
}

function nameOption(): Option {
  return new Option('--name <lab>', 'for more than one lab at a time').default('cali')
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It takes a whole number.')
  return Number(text)
}

function example(line: string): string {
  return `\nExample:\n  ${line}`
}

function planOf({ racks, nodes, pods }: Shape): Topology {
  return topology(racks, nodes, pods)
}

function labOptions({ agents, rpFilter }: Shape): LabOptions {
  const values = { '0': 0, '1': 1, '2': 2 } as const
  return { agents, rpFilter: values[rpFilter] }
}

/** Behind an argument, commander leaves the dashes that part a command from our own options. */
function bare(command: readonly string[]): readonly string[] {
  return command[0] === '--' ? command.slice(1) : command
}

/** This very command, inside. */
function again(holder: Holder): Promise<number> {
  return enter(holder, thisCommand())
}

function thisCommand(): string[] {
  return [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
}

function enterPlace(holder: Holder, place: string, argv: readonly string[]): Promise<number> {
  const inside = seenFromOutside(holder, join(NETNS_DIR, place))
  if (place.includes('/') || !existsSync(inside)) throw unknownPlace(place, placesIn(holder))
  return enter(holder, ['nsenter', `--net=${NETNS_DIR}/${place}`, '--', ...argv])
}
