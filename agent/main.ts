/** cali-agent: the process on every node. */

import { flushCompileCache } from 'node:module'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { Scope } from '@network/base/run/scope.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { Command, Option } from 'commander'
import { composeAgent, type Surroundings } from './compose.ts'
import { type Config, type Flags, loadConfig } from './config.ts'
import { openLog } from './log.ts'
import { uninstallHere } from './uninstall/command.ts'
import { VERSION } from './version.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2
const DEFAULT_LEVEL = 'info'

type Given = Flags & { readonly logLevel: string }

const program = settingsOf(new Command('cali-agent'), DEFAULT_LEVEL)
  .description('Routes pods on this node: wires them, keeps the kernel as it should be, speaks BGP with the other nodes.')
  .version(VERSION)
  .enablePositionalOptions()
  .addHelpText('after', '\nExample:\n  cali-agent --node-ip 172.16.20.11 --datastore sqlite:/var/lib/cali/cali.db')
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .action(running)
program.addCommand(
  settingsOf(new Command('run'), DEFAULT_LEVEL)
    .description('the same as without a command')
    .addHelpText('after', '\nExample:\n  cali-agent run --node-ip 172.16.20.11')
    .copyInheritedSettings(program)
    .action(running),
)
program.addCommand(
  settingsOf(new Command('uninstall'), 'warn')
    .summary('takes this node out of the cluster and everything of Cali off this machine')
    .description(
      "Takes this node out of the cluster and everything of Cali off this machine: routes, interfaces of pods, the tunnel device's address, the firewall, this node's documents in the datastore. Settings of the kernel that the agent changed get their former values back, unless somebody changed them since. Stop the agent first. Can be run again.",
    )
    .addHelpText('after', '\nExample:\n  cali-agent uninstall --datastore sqlite:/var/lib/cali/cali.db')
    .copyInheritedSettings(program)
    .action(async ({ logLevel, ...flags }: Given) => {
      process.exitCode = await uninstallHere(flags, logLevel)
    }),
)
await program.parseAsync()

/** The settings that all commands share. */
function settingsOf(command: Command, logLevel: string): Command {
  return command
    .option('--node-name <name>', 'name of this node (default: the hostname)')
    .option('--node-id <id>', 'tells this machine from another of the same name (default: /etc/machine-id)')
    .option(
      '--node-ip <address>',
      'address that other nodes reach this one by, or how to choose it: default-route, first-found, can-reach=ADDRESS, interface=REGEX, skip-interface=REGEX, cidr=CIDR, kubernetes-internal-ip; also CALI_NODE_IP (default: default-route)',
    )
    .option('--metrics-port <port>', 'offers metrics for Prometheus there, such as 9091 (default: on the socket alone)')
    .option('--datastore <url>', 'datastore, also CALI_DATASTORE (default: sqlite:/var/lib/cali/cali.db)')
    .option('--run-dir <dir>', "directory of the agent's socket (default: /run/cali)")
    .option('--config <file>', 'configuration file (default: /etc/cali/cali.yaml, where it exists)')
    .addOption(
      new Option('--log-level <level>', 'how much to tell').choices(['debug', 'info', 'warn', 'error']).default(logLevel),
    )
}

async function running({ logLevel, ...flags }: Given): Promise<void> {
  process.exitCode = await run(flags, logLevel)
}

async function run(given: Flags, level: string): Promise<number> {
  let log = openLog(level, {})
  const stopping = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort(name))
  try {
    const config = await loadConfig(given, process.env)
    log = openLog(level, { node: config.nodeName })
    // Who says on the command line how much to tell means it.
    const logAt = level === DEFAULT_LEVEL ? log.at : undefined
    while ((await live(config, { log, logAt }, stopping.signal)) === 'moved');
    return 0
  } catch (reason) {
    log.error('agent cannot run', { why: reasonOf(reason), code: reason instanceof Fault ? reason.code : undefined })
    return reason instanceof Fault && reason.code === 'config.refused' ? EXIT_USAGE : EXIT_FAILED
  }
}

/** One life of the agent, until a signal or until the node has another address. */
interface Telling {
  readonly log: Log
  /** Undefined: the command line has said how much to tell. */
  readonly logAt: Surroundings['logAt'] | undefined
}

async function live(config: Config, { log, logAt }: Telling, stopping: AbortSignal): Promise<'stopped' | 'moved'> {
  await using scope = new Scope(
    'agent',
    (task, reason) => {
      // A task that dies is a bug or a broken kernel interface: the supervisor starts us afresh, and the kernel carries traffic meanwhile.
      log.error('task died', { task, why: reasonOf(reason), stack: reason instanceof Error ? reason.stack : undefined })
      process.exit(EXIT_FAILED)
    },
    { clock: systemClock },
  )
  const moving = new AbortController()
  const moved = () => moving.abort('moved')
  const around = { clock: systemClock, random: systemRandom, log, moved }
  await composeAgent(config, scope, logAt === undefined ? around : { ...around, logAt })
  // Else it is written at a regular end, which an agent may never see.
  flushCompileCache()
  const over = AbortSignal.any([stopping, moving.signal])
  if (!over.aborted) await new Promise(resolve => over.addEventListener('abort', resolve, { once: true }))
  if (!stopping.aborted) return 'moved'
  log.info('stopping; routes and pods stay as they are', { signal: stopping.reason })
  return 'stopped'
}
