/** What the tests of the firewall share: counters in the kernel, forged packets counted where they arrive. */
import assert from 'node:assert/strict'
import { millis } from '@network/base/time/units.ts'
import { capture } from '../lab/capture.ts'
import { forge } from '../lab/forge.ts'
import type { Frame } from '../lab/frame.ts'
import type { Lab } from '../lab/lab.ts'
import { tracePath } from '../lab/path.ts'
import { ping } from '../lab/ping.ts'
import { until } from '../lab/until.ts'
import { must, whileFrozen } from './frozen.ts'

export const COUNT = 3
export type Counter = 'forged-ipip' | 'forged-vxlan' | 'spoofed-source'

/** P7 for nftables. */
export const REPAIRED = { every: millis(50) }

/** Packets that the node's tables have dropped, as the kernel counts them. */
export async function dropped(lab: Lab, node: string, counter: Counter): Promise<number> {
  const text = await must(lab, node, 'sh', '-c', `for each in inet netdev; do nft list counters table $each cali; done`)
  const counts = [...text.matchAll(/counter (\S+) \{\s+packets (\d+)/g)].filter(([, name]) => name === counter)
  assert.ok(counts.length > 0, `${node} counts no ${counter}`)
  return counts.reduce((sum, [, , packets]) => sum + Number(packets), 0)
}

export interface Forgery {
  /** Where it is sent from, and the hardware address that it is sent to. */
  readonly from: string
  readonly to: string
  readonly packet: Uint8Array
  /** Where it would arrive, and what it looks like there. */
  readonly arrivesAt: string
  readonly isIt: (frame: Frame) => boolean
}

/** Sends the packet three times where the node's table drops it: counted there, and none of them arrives. */
export async function assertDropped(
  lab: Lab,
  { from, to, packet, arrivesAt, isIt }: Forgery,
  { node, counter }: { readonly node: string; readonly counter: Counter },
): Promise<void> {
  await using there = await capture(lab, arrivesAt, { filter: isIt })
  let before = 0
  const counted = async () => (await dropped(lab, node, counter)) === before + COUNT
  const told = async () => `before ${before}, now ${await dropped(lab, node, counter)}; ${await must(lab, node, ...LIST_TABLES)}`
  const wait = { clock: lab.clock, what: `${COUNT} packets to be counted by ${counter} of ${node}`, instead: told }
  // Where the agent writes its table anew at this very moment, which it does when others' tables change, the counts of that moment are lost.
  for (let tries = 5; ; tries--) {
    before = await dropped(lab, node, counter)
    await forge(from, to, { packet, count: COUNT })
    const isCounted = await until(counted, { ...wait, within: millis(5000) }).catch((reason: unknown) => reason)
    if (isCounted === true) break
    if (tries === 1) throw isCounted
  }
  assert.equal((await there.stop()).length, 0)
}

/** Sends the packet three times where nothing holds it back: all of them arrive. The control of the above. */
export async function assertArrives(lab: Lab, { from, to, packet, arrivesAt, isIt }: Forgery): Promise<void> {
  await using there = await capture(lab, arrivesAt, { filter: isIt })
  await forge(from, to, { packet, count: COUNT })
  await until(() => there.frames.length === COUNT, {
    clock: lab.clock,
    what: `${COUNT} packets to arrive at ${arrivesAt}`,
    instead: () => `${there.frames.length} came`,
  })
}

/** Resolves when the node's tables stand again with all their chains; it throws past five seconds. */
export async function tableIsBack(lab: Lab, node: string): Promise<void> {
  const back = async () => /chain input .*chain known .*chain cali/s.test((await lab.exec(node, LIST_TABLES)).stdout)
  await until(back, {
    clock: lab.clock,
    what: `the table of ${node} to be back`,
    ...REPAIRED,
  })
}

export const LIST_TABLES = ['sh', '-c', 'nft list table inet cali && nft list table netdev cali']
export const DELETE_TABLES = ['sh', '-c', 'nft delete table inet cali && nft delete table netdev cali']

/** The tables without what changes by itself, packets and bytes counted, and their parts in an order that does not tell which came first. */
export async function tableOf(lab: Lab, node: string): Promise<string> {
  const text = (await must(lab, node, ...LIST_TABLES)).replaceAll(/packets \d+ bytes \d+/g, '')
  const parts = text.split(/^(?=\t\w|}|table)/m).map(part => part.trim())
  return parts.sort().join('\n')
}

/** A firewall that was there before us, in the words that make it: nothing comes in or passes but what it knows. */
export const HOST_FIREWALL = `nft -f - <<'END'
table inet host {
  chain arriving { type filter hook input priority 0; policy accept; meta l4proto { tcp, icmp } ct state established,related accept; iifname lo accept; reject with icmpx admin-prohibited; }
  chain passing { type filter hook forward priority 0; policy drop; }
}
END`

/** Across racks in this form past `HOST_FIREWALL`; and nothing comes without our rule in it, until it is back. */
export async function assertPastHostFirewall(lab: Lab, form: 'ipip' | 'vxlan'): Promise<void> {
  const [here, far] = [lab.pod('a1-p1'), lab.pod('b1-p1')]
  const path = await tracePath(lab, here, far, 'router:rack-a')
  assert.deepEqual([path.ping.received, path.ping.ttls, path.forms], [3, [62], [form]])
  const rule = `$(nft -a list chain inet host arriving | sed -n 's/.*"cali" # handle //p')`
  const lost = await whileFrozen(lab, 'b1', async () => {
    await must(lab, 'b1', 'sh', '-c', `nft delete rule inet host arriving handle ${rule}`)
    return ping(lab, here.name, far.address, 1)
  })
  assert.equal(lost.received, 0, 'P0')
  await until(async () => (await ping(lab, here.name, far.address, 1)).received === 1, {
    clock: lab.clock,
    what: 'our rule to be back',
    ...REPAIRED,
  })
}
