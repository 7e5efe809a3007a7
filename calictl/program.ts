/** The command line as a whole: global options, the nouns, and how a run ends. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { CONFIG_FILE, DEFAULT_DATASTORE } from '@network/datastore/where.ts'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addBgp } from './commands/bgp.ts'
import { addCompletion } from './commands/completion.ts'
import { addConfig } from './commands/config.ts'
import { addDatastore } from './commands/datastore.ts'
import { addEvents } from './commands/events.ts'
import { addExplain } from './commands/explain.ts'
import { addIpam } from './commands/ipam.ts'
import { addIppool } from './commands/ippool.ts'
import { addNode } from './commands/node.ts'
import { addRoute } from './commands/route.ts'
import { addVerbs } from './commands/verbs.ts'
import { addVersion, VERSION } from './commands/version.ts'
import { addWorkload } from './commands/workload.ts'
import { answerShell } from './completion/asked.ts'
import { pathOf } from './completion/complete.ts'
import type { Act } from './context.ts'
import { EXIT, type ExitCode, exitOf } from './exit.ts'
import { examples } from './help.ts'
import { FORMATS, type Output, parseFormat, TABLE } from './render/format.ts'
import { DEFAULT_RUN_DIR, type GlobalOptions, openContext, type World } from './world.ts'

/** Runs one command line, without the program's name; failures are printed, bugs are thrown. */
export async function run(argv: readonly string[], world: World): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok
  const program = buildProgram(world, code => {
    exit = code
  })
  if (argv[0] === '__complete') {
    await answerShell(program, world, argv.slice(1))
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

/** kubectl's users say where a dry run is to run; here there is one place. */
function dryRun(word: string): readonly string[] {
  if (word === '--dry-run=none') return []
  return /^--dry-run=(?:client|server)$/.test(word) ? ['--dry-run'] : [word]
}

/** Whoever may not use the store may not ask agents either. */
function storeIsAway(reason: unknown, code: ExitCode): boolean {
  return code === EXIT.unreachable && reason instanceof Fault && /^datastore\.(?!forbidden)/.test(reason.code)
}

const COMMANDS: readonly ((program: Command, act: Act, world: World) => void)[] = [
  addVerbs,
  addExplain,
  addIppool,
  addNode,
  addBgp,
  addConfig,
  addIpam,
  addWorkload,
  addRoute,
  addEvents,
  addDatastore,
  addVersion,
  addCompletion,
]

/** All commands; `ended` hears the exit code of the one that runs. */
export function buildProgram(world: World, ended: (code: ExitCode) => void): Command {
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
  for (const add of COMMANDS) add(program, act, world)
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
