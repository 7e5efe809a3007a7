/** Wakes the firewall when anybody changes nftables. */

import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { RulesetMonitor } from '@network/netlink/ruleset-monitor.ts'
import type { ElementWriter } from './elements.ts'
import type { Firewall } from './firewall.ts'

export interface Hearing {
  readonly firewall: Firewall
  /** What it changes by itself is no news. */
  readonly elements: ElementWriter
  readonly log: Log
}

/** Listens until the signal aborts. Where the kernel does not tell, the firewall looks more often instead. */
export async function hearRuleset({ firewall, elements, log }: Hearing, signal: AbortSignal): Promise<void> {
  using monitor = open(log)
  if (monitor === undefined) return
  firewall.hears(true)
  for await (const _ of monitor.changes(signal, () => elements.port)) firewall.heard()
}

function open(log: Log): RulesetMonitor | undefined {
  try {
    return RulesetMonitor.open()
  } catch (reason) {
    log.warn('changes of nftables are not heard; looked for every few seconds instead', { why: reasonOf(reason) })
    return undefined
  }
}
