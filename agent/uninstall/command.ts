/** `cali-agent uninstall` as a command: opens what it needs, tells people what was done. */

import { rmSync } from 'node:fs'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { Scope } from '@network/base/run/scope.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { type Flags, filesOf, loadConfig } from '../config.ts'
import { removeFirewall } from '../kernel/firewall/remove.ts'
import { FormerState } from '../kernel/former.ts'
import { kernelSettings } from '../kernel/tables/sysctls.ts'
import { openLog } from '../log.ts'
import { type Uninstalled, uninstall } from './uninstall.ts'

const EXIT = { ok: 0, failed: 1, usage: 2 }

/** Returns the exit status: 1 when something of ours is left. */
export async function uninstallHere(flags: Flags, logLevel: string): Promise<number> {
  try {
    const config = await loadConfig(flags, process.env)
    const log = openLog(logLevel, { node: config.nodeName })
    await using scope = new Scope('uninstall', (task, reason) => log.error('task died', { task, why: reasonOf(reason) }), {
      clock: systemClock,
    })
    const store = scope.own(await openDatastore(config.datastore, { clock: systemClock, random: systemRandom, log }), 'datastore')
    const netlink = scope.own(NetlinkClient.open(), 'netlink')
    const settings = kernelSettings
    const former = FormerState.open({ path: filesOf(config).former, settings, log })
    const done = await uninstall({
      config,
      store,
      netlink,
      settings,
      former,
      removeFirewall,
      signal: scope.signal,
    })
    rmSync(filesOf(config).copy, { force: true })
    tell(config.nodeName, done)
    return done.problems.length === 0 ? EXIT.ok : EXIT.failed
  } catch (reason) {
    console.error(`cali-agent uninstall: ${reasonOf(reason)}`)
    return reason instanceof Fault && reason.code === 'config.refused' ? EXIT.usage : EXIT.failed
  }
}

/** What is gone to standard output, what stays and why to standard error. */
function tell(node: string, { removed, problems, left }: Uninstalled): void {
  for (const line of removed) console.log(`removed: ${line}`)
  for (const line of left) console.error(`left: ${line}`)
  for (const line of problems) console.error(`not done: ${line}`)
  if (problems.length > 0) console.error(`node ${node} is not wholly uninstalled; run it again once that is mended`)
  else if (removed.length === 0) console.log(`nothing of node ${node} is here`)
  else console.log(`node ${node} is uninstalled`)
}
