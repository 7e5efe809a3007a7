/** cali-bgpd: a BGP speaker of its own, by a configuration file; `show` asks a running one. It never writes to the kernel. */
import { createWriteStream, readFileSync } from 'node:fs'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { Scope } from '@network/base/run/scope.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { Argument, Command, Option } from 'commander'
import { replay } from '../record/replay.ts'
import { QUESTIONS } from './answers.ts'
import { ask, fetchTable, openControl, order, orderDrain } from './control.ts'
import { Daemon } from './daemon.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { LEVELS, type Level, openLog } from './log.ts'
import { isAnswer, print } from './print.ts'
import { sayProblems } from './read-config.ts'
import { configSchema, SCHEMA_TITLE } from './schema.ts'
import { DEFAULT_CONTROL, readSettings } from './settings.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

const program = new Command('cali-bgpd')
  .description('A BGP speaker and route reflector. It learns, chooses and tells routes; the kernel it leaves alone.')
  .option('--config <file>', 'YAML or JSON; bgp/daemon/config.schema.json says what may stand in it')
  .addOption(new Option('--log-level <level>', 'how much to tell').choices(LEVELS).default('info'))
  .option('--check', 'only say whether the configuration is right')
  .option('--record <file>', 'write down all that reaches the speaker, for "cali-bgpd replay"; passwords are left out')
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .action(async ({ config, logLevel, check: isCheck, record }: RunOptions, command: Command) => {
    if (config === undefined) command.error('error: --config <file> is needed', { exitCode: EXIT_USAGE })
    else process.exitCode = isCheck === true ? check(config) : await run(config, logLevel, record)
  })
  .addHelpText(
    'after',
    '\nExamples:\n  cali-bgpd --config bgpd.yaml\n  cali-bgpd show peers\n  cali-bgpd show why 10.1.0.0/16 -o json\n  cali-bgpd clear 192.0.2.2 --in\n  cali-bgpd drain --delay 120',
  )

program
  .command('schema')
  .description('Prints the JSON schema of the configuration.')
  .action(() => {
    process.stdout.write(`${JSON.stringify(jsonSchemaOf(configSchema, SCHEMA_TITLE), null, 2)}\n`)
  })

program
  .command('show')
  .description('Asks a running cali-bgpd.')
  .addArgument(
    new Argument('<what>', 'peers, peer <peer>, routes, path <prefix>, adj-in <peer>, adj-out <peer> or why <prefix>').choices(
      QUESTIONS,
    ),
  )
  .argument('[about]', 'a prefix, or a peer: its address, or the interface at whose other end it is')
  .option('--socket <path>', 'where the daemon listens', DEFAULT_CONTROL)
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
  .action(async (what: string, about: string | undefined, options: { readonly socket: string; readonly output: string }) => {
    process.exitCode = await told(options.output, () => ask(options.socket, what, about))
  })

program
  .command('clear')
  .description(
    'Has a running cali-bgpd hear or tell everything again, or begin sessions anew; without an option it hears and tells.',
  )
  .argument('<peer>', 'the address of a peer, the interface at whose other end it is, or all')
  .option('--in', 'hear everything again: route refresh, or the policies alone where the peer cannot be asked')
  .option('--out', 'tell everything again')
  .addOption(
    new Option('--hard', 'end the session with an administrative reset (6/4), and begin it anew').conflicts(['in', 'out']),
  )
  .addOption(new Option('--message <words>', 'what the other operator reads of a hard reset').default('').implies({ hard: true }))
  .option('--socket <path>', 'where the daemon listens', DEFAULT_CONTROL)
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
  .action(async (peer: string, options: ClearOptions) => {
    process.exitCode = await told(options.output, () => order(options.socket, peer, wayOf(options), options.message))
  })

program
  .command('dump')
  .description('Writes everything that a running cali-bgpd knows into a file, as MRT (RFC 6396), which bgpdump reads.')
  .argument('<file>', 'the file to write')
  .option('--socket <path>', 'where the daemon listens', DEFAULT_CONTROL)
  .action(async (file: string, { socket }: { readonly socket: string }) => {
    process.exitCode = await tried(async () => {
      process.stderr.write(`${await fetchTable(socket, file)} octets written to ${file}\n`)
      return 0
    })
  })
  .addHelpText('after', '\nExample:\n  cali-bgpd dump table.mrt && bgpdump -m table.mrt')

program
  .command('replay')
  .description('Has all of a recording happen again to a new speaker without a network, and says whether it did the same.')
  .argument('<file>', 'what --record wrote')
  .action(async (file: string) => {
    process.exitCode = await tried(() => replayed(file))
  })
  .addHelpText('after', '\nExample:\n  cali-bgpd --config bgpd.yaml --record night.jsonl\n  cali-bgpd replay night.jsonl')

program
  .command('drain')
  .description(
    'Has a running cali-bgpd leave: peers are told that its routes are the last resort (RFC 8326), and after the delay the sessions and the daemon end.',
  )
  .option('--delay <seconds>', 'how long others have to find another way', '60')
  .option('--message <words>', 'what the other operators read', '')
  .option('--socket <path>', 'where the daemon listens', DEFAULT_CONTROL)
  .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
  .action(async (options: DrainOptions) => {
    process.exitCode = await told(options.output, () => orderDrain(options.socket, options.delay, options.message))
  })

await program.parseAsync()

interface DrainOptions {
  readonly delay: string
  readonly message: string
  readonly socket: string
  readonly output: string
}

interface RunOptions {
  readonly config?: string
  readonly logLevel: Level
  readonly check?: true
  readonly record?: string
}

interface ClearOptions {
  readonly in?: true
  readonly out?: true
  readonly hard?: true
  readonly message: string
  readonly socket: string
  readonly output: string
}

function wayOf({ in: hears, out: tells, hard }: ClearOptions): string {
  if (hard) return 'hard'
  const ways = [...(hears ? ['in'] : []), ...(tells ? ['out'] : [])]
  return ways.length === 0 ? 'in,out' : ways.join()
}

async function run(file: string, level: Level, recording: string | undefined): Promise<number> {
  const log = openLog(level, systemClock, line => process.stderr.write(line))
  const stopping = Promise.withResolvers<string>()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.resolve(name))
  return await tried(async () => {
    const record = recording === undefined ? undefined : openRecording(recording, log)
    const around = { clock: systemClock, random: systemRandom, log }
    const daemon = new Daemon(file, record === undefined ? around : { ...around, record: record.write })
    const died = (task: string, reason: unknown) => log.error('task died', { task, why: reasonOf(reason) })
    await using scope = new Scope('bgpd', died, { clock: systemClock })
    if (record !== undefined) scope.defer('recording', record.close)
    scope.defer('speaker', () => daemon.speaker.stop({ graceful: false }))
    await daemon.watchers.start(daemon.speaker, scope)
    scope.own(await openControl(daemon.control, daemon.speaker))
    await daemon.speaker.start()
    const unwatch = daemon.watch(() => daemon.reload())
    scope.defer('watching the file', async () => unwatch())
    process.on('SIGHUP', () => daemon.reload())
    log.info('running', { config: file, control: daemon.control })
    void daemon.speaker.drained.then(() => stopping.resolve('drained'))
    log.info('stopping', { signal: await stopping.promise })
    return 0
  })
}

/** Prints a Fault, and gives the exit code that goes with it. */
async function tried(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (reason) {
    if (!(reason instanceof Fault)) throw reason
    process.stderr.write(`error: ${reason.message}\n`)
    return reason.code === 'bgpd.config' ? EXIT_USAGE : EXIT_FAILED
  }
}

interface Recording {
  readonly write: (line: string) => void
  readonly close: () => Promise<void>
}

/** A recording with holes would replay to something else: where a line cannot be written, it ends. */
function openRecording(path: string, log: Log): Recording {
  const file = createWriteStream(path)
  let isOver = false
  file.on('error', cause => {
    isOver = true
    log.error('recording ends', { file: path, why: cause.message })
  })
  return {
    write: line => {
      if (!isOver) file.write(`${line}\n`)
    },
    close: () =>
      new Promise(resolve => {
        if (isOver) resolve()
        else file.end(() => resolve())
      }),
  }
}

async function replayed(file: string): Promise<number> {
  const { events, outputs, difference } = await replay(file, linesOf(file))
  if (difference === undefined) {
    process.stdout.write(`${events} events, ${outputs} things done: the same again\n`)
    return 0
  }
  process.stdout.write(`${file}:${difference.line}: ${difference.says}\n`)
  return EXIT_FAILED
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line !== '')
  } catch (cause) {
    throw new Fault('bgpd.recording', { doing: 'read', on: file, says: reasonOf(cause) }, { cause })
  }
}

function check(file: string): number {
  try {
    const read = readSettings(readFileSync(file, 'utf8'))
    const problems = read.ok ? read.warnings : read.problems
    if (problems.length > 0) process.stderr.write(`${sayProblems(file, problems)}\n`)
    return read.ok ? 0 : EXIT_USAGE
  } catch (reason) {
    process.stderr.write(`error: cannot read ${file}: ${reasonOf(reason)}\n`)
    return EXIT_USAGE
  }
}

/** Prints what the daemon says. */
async function told(output: string, call: () => Promise<unknown>): Promise<number> {
  try {
    const said = await call()
    if (!isAnswer(said))
      throw new Fault('bgpd.answer', { doing: 'read', on: 'the socket', says: 'that is no answer of cali-bgpd' })
    if (said.is === 'unknown') {
      process.stderr.write(`error: ${said.says}\n`)
      return EXIT_USAGE
    }
    process.stdout.write(`${output === 'json' ? JSON.stringify(said, null, 2) : print(said)}\n`)
    return 0
  } catch (reason) {
    if (!(reason instanceof Fault)) throw reason
    process.stderr.write(`error: ${reason.message}\n`)
    return EXIT_FAILED
  }
}
