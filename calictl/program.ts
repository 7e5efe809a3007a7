/** The command line as a whole: global options, the nouns, and how a run ends. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { CONFIG_FILE, DEFAULT_DATASTORE } from '@network/datastore/where.ts'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { pathOf } from './completion/sources.ts'
import type { Act } from './context.ts'
import { EXIT, type ExitCode, exitOf } from './exit.ts'
import { examples } from './help.ts'
import { FORMATS, type Output, parseFormat, TABLE } from './render/format.ts'
import { VERSION } from './version.ts'
import { DEFAULT_RUN_DIR, type GlobalOptions, openContext, type World } from './world.ts'

/** Runs one command line, without the program's name; failures are printed, bugs are thrown. */
export async function run(argv: readonly string[], surroundings: World): Promise<ExitCode> {
  const world = await withColours(surroundings)
  let exit: ExitCode = EXIT.ok
  const ended = (code: ExitCode) => {
    exit = code
  }
  const program = await buildProgram(world, ended, commandIn(argv))
  if (argv[0] === '__complete') {
    await (await import('./completion/asked.ts')).answerShell(program, world, argv.slice(1))
    return EXIT.ok
  }
  try {
    await program.parseAsync(argv.flatMap(dryRun), { from: 'user' })
    return exit
  } catch (reason) {
    if (reason instanceof CommanderError) return reason.exitCode === 0 ? EXIT.ok : EXIT.usage
    const code = reason instanceof Fault ? exitOf(reason) : undefined
    if (code === undefined) throw reason
    world.err(`error: ${reasonOf(reason)}`)
    if (storeIsAway(reason, code)) world.err('note: calictl node status and calictl route get ADDRESS ask the agents alone')
    return code
  }
}

async function withColours(world: World): Promise<World> {
  if (world.colours?.err !== true) return world
  const painter = new (await import('./render/colour.ts')).Painter()
  return { ...world, err: text => world.err(painter.paint(text)) }
}

/** kubectl's users say where a dry run is to run; here there is one place. */
function dryRun(word: string): readonly string[] {
  if (word === '--dry-run=none') return []
  return /^--dry-run=(?:client|server)$/.test(word) ? ['--dry-run'] : [word]
}

/** Whoever may not use the store may not ask agents either. */
function storeIsAway(reason: unknown, code: ExitCode): boolean {
  return code === EXIT.unreachable && reason instanceof Fault && /^datastore\.(?!forbidden)/.test(reason.code)
}

type Add = (program: Command, act: Act, world: World) => unknown

/** What adds the commands of each name, loaded when it is needed: a command starts fast that does not wait for all others. */
const COMMANDS: ReadonlyMap<string, () => Promise<Add>> = new Map([
  ...(['get', 'apply', 'create', 'replace', 'patch', 'label', 'delete'] as const).map(
    verb => [verb, async (): Promise<Add> => (await import('./commands/verbs.ts')).VERBS[verb]] as const,
  ),
  ['explain', async () => (await import('./commands/explain.ts')).addExplain],
  ['ippool', async () => (await import('./commands/ippool.ts')).addIppool],
  ['node', async () => (await import('./commands/node.ts')).addNode],
  ['bgp', async () => (await import('./commands/bgp.ts')).addBgp],
  ['config', async () => (await import('./commands/config.ts')).addConfig],
  ['ipam', async () => (await import('./commands/ipam.ts')).addIpam],
  ['workload', async () => (await import('./commands/workload.ts')).addWorkload],
  ['route', async () => (await import('./commands/route.ts')).addRoute],
  ['events', async () => (await import('./commands/events.ts')).addEvents],
  ['datastore', async () => (await import('./commands/datastore.ts')).addDatastore],
  ['version', async () => (await import('./commands/version.ts')).addVersion],
  ['completion', async () => (await import('./commands/completion.ts')).addCompletion],
])

const WITH_VALUE = new Set(['--datastore', '--run-dir', '-o', '--output'])

/** The command that a line begins with, options left out; undefined where there is none of that name, and for whoever wants to know all. */
function commandIn(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((word, index) => !word.startsWith('-') && !WITH_VALUE.has(argv[index - 1] ?? ''))
  const word = argv[at]
  return word !== undefined && COMMANDS.has(word) ? word : undefined
}

/** All commands, or those of one name; `ended` hears the exit code of the one that runs. */
export async function buildProgram(world: World, ended: (code: ExitCode) => void, only?: string): Promise<Command> {
  const program = new Command('calictl')
    .description('Look at a Cali cluster and change it.')
    .version(VERSION, '--version', 'print the version of calictl')
    .helpOption('-h, --help', 'show help')
    .option('--datastore <url>', `where the cluster is stored (default: CALI_DATASTORE, ${CONFIG_FILE}, ${DEFAULT_DATASTORE})`)
    .option('--run-dir <directory>', `where the agents' sockets lie (default: ${CONFIG_FILE}, ${DEFAULT_RUN_DIR})`)
    .addOption(
      new Option('-o, --output <format>', `how to print: ${FORMATS.join(', ')}`).argParser(outputFrom).default(TABLE, 'table'),
    )
    .configureHelp({ showGlobalOptions: true, helpWidth: 110 })
    .exitOverride()
    .addHelpText(
      'after',
      examples('calictl node status', 'calictl ippool set default --ipip CrossSubnet', 'calictl route get 10.244.7.5'),
    )
    .addHelpText('after', EXIT_CODES)
  const act: Act = async work => {
    await using opened = await openContext(world, program.opts<GlobalOptions>())
    ended(await work(opened.context))
  }
  for (const [name, load] of COMMANDS) if (only === undefined || only === name) (await load())(program, act, world)
  for (const command of everyCommand(program)) pointToHelp(command, world)
  return program
}

function outputFrom(text: string): Output {
  const output = parseFormat(text)
  if (output === undefined) throw new InvalidArgumentError(`Allowed choices are ${FORMATS.join(', ')}.`)
  return output
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)]
}

/** Wrong usage is told with the place of what is right. */
function pointToHelp(command: Command, { out, err }: World): void {
  const path = `calictl ${pathOf(command)}`.trim()
  command.configureOutput({
    writeOut: text => out(text.trimEnd()),
    writeErr: text => err(text.trimEnd()),
    outputError: text =>
      err(text.includes('Did you mean') ? text.trimEnd() : `${text.trimEnd().replace(/\.$/, '')}; see ${path} --help`),
  })
}

const EXIT_CODES = `
Exit codes:
  0 done   1 --check found something wrong   2 usage   3 not found   4 refused   5 unreachable
  6 timed out waiting   7 partial: some agents did not answer`
