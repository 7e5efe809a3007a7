/** cali-bgpd: a BGP speaker of its own, by a configuration file; `show` asks a running one. It never writes to the kernel. */
import { readFileSync } from 'node:fs'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { Scope } from '@network/base/run/scope.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { Argument, Command, Option } from 'commander'
import { QUESTIONS } from './answers.ts'
import { ask, openControl, order } from './control.ts'
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
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .action(async (options: { readonly config?: string; readonly logLevel: Level; readonly check?: true }, command: Command) => {
    if (options.config === undefined) command.error('error: --config <file> is needed', { exitCode: EXIT_USAGE })
    else process.exitCode = options.check === true ? check(options.config) : await run(options.config, options.logLevel)
  })
  .addHelpText(
    'after',
    '\nExamples:\n  cali-bgpd --config bgpd.yaml\n  cali-bgpd show peers\n  cali-bgpd show why 10.1.0.0/16 -o json\n  cali-bgpd clear 192.0.2.2 --in',
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
  .argument('[about]', 'a prefix, or the address of a peer')
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
  .argument('<peer>', 'the address of a peer, or all')
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

await program.parseAsync()

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

async function run(file: string, level: Level): Promise<number> {
  const log = openLog(level, systemClock, line => process.stderr.write(line))
  const stopping = Promise.withResolvers<string>()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.resolve(name))
  try {
    const daemon = new Daemon(file, { clock: systemClock, random: systemRandom, log })
    const died = (task: string, reason: unknown) => log.error('task died', { task, why: reasonOf(reason) })
    await using scope = new Scope('bgpd', died, { clock: systemClock })
    scope.defer('speaker', () => daemon.speaker.stop({ graceful: false }))
    scope.own(await openControl(daemon.control, daemon.speaker))
    await daemon.speaker.start()
    const unwatch = daemon.watch(() => daemon.reload())
    scope.defer('watching the file', async () => unwatch())
    process.on('SIGHUP', () => daemon.reload())
    log.info('running', { config: file, control: daemon.control })
    log.info('stopping', { signal: await stopping.promise })
    return 0
  } catch (reason) {
    if (!(reason instanceof Fault)) throw reason
    process.stderr.write(`error: ${reason.message}\n`)
    return reason.code === 'bgpd.config' ? EXIT_USAGE : EXIT_FAILED
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
