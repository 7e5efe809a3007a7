/** cali-agent: the process on every node. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { Scope } from '@network/base/run/scope.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { Command, Option } from 'commander'
import { composeAgent } from './compose.ts'
import { type Flags, loadConfig } from './config.ts'
import { openLog } from './log.ts'
import { VERSION } from './version.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

const command = new Command('cali-agent')
  .description('Routes pods on this node: wires them, keeps the kernel as it should be, speaks BGP with the other nodes.')
  .option('--node-name <name>', 'name of this node (default: the hostname)')
  .option('--node-id <id>', 'tells this machine from another of the same name (default: /etc/machine-id)')
  .option('--node-ip <address>', 'address that other nodes reach this one by (default: source address of the default route)')
  .option('--datastore <url>', 'datastore, also CALI_DATASTORE (default: sqlite:/var/lib/cali/cali.db)')
  .option('--run-dir <dir>', "directory of the agent's socket (default: /run/cali)")
  .option('--config <file>', 'configuration file (default: /etc/cali/cali.yaml, where it exists)')
  .addOption(new Option('--log-level <level>', 'how much to tell').choices(['debug', 'info', 'warn', 'error']).default('info'))
  .version(VERSION)
  .addHelpText('after', '\nExample:\n  cali-agent --node-ip 172.16.20.11 --datastore sqlite:/var/lib/cali/cali.db')
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .parse()

const { logLevel, ...flags } = command.opts<Flags & { readonly logLevel: string }>()
process.exitCode = await run(flags, logLevel)

async function run(given: Flags, level: string): Promise<number> {
  let log = openLog(level, {})
  const stopping = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort(name))
  try {
    const config = await loadConfig(given, process.env)
    log = openLog(level, { node: config.nodeName })
    await using scope = new Scope(
      'agent',
      (task, reason) => {
        // A task that dies is a bug or a broken kernel interface: the supervisor starts us afresh, and the kernel carries traffic meanwhile.
        log.error('task died', { task, why: reasonOf(reason), stack: reason instanceof Error ? reason.stack : undefined })
        process.exit(EXIT_FAILED)
      },
      { clock: systemClock },
    )
    await composeAgent(config, scope, { clock: systemClock, random: systemRandom, log })
    const why = await new Promise(resolve => {
      if (stopping.signal.aborted) resolve(stopping.signal.reason)
      stopping.signal.addEventListener('abort', () => resolve(stopping.signal.reason), { once: true })
    })
    log.info('stopping; routes and pods stay as they are', { signal: why })
    return 0
  } catch (reason) {
    log.error('agent cannot run', { why: reasonOf(reason), code: reason instanceof Fault ? reason.code : undefined })
    return reason instanceof Fault && reason.code === 'config.refused' ? EXIT_USAGE : EXIT_FAILED
  }
}
