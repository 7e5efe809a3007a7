/** Changes of a pool's mode under traffic, one node later than the others: which pings were lost. */
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { setPool } from '@network/datastore/pools.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { everyAgent } from '../lab/agent-status.ts'
import type { Lab } from '../lab/lab.ts'
import { flood } from '../lab/ping.ts'
import { must, whileFrozen } from './frozen.ts'

/** The five legal modes, as the options of `calictl ippool set`. */
export const MODES = {
  Never: { ipip: 'Never', vxlan: 'Never' },
  'IPIP Always': { ipip: 'Always', vxlan: 'Never' },
  'IPIP CrossSubnet': { ipip: 'CrossSubnet', vxlan: 'Never' },
  'VXLAN Always': { ipip: 'Never', vxlan: 'Always' },
  'VXLAN CrossSubnet': { ipip: 'Never', vxlan: 'CrossSubnet' },
} as const satisfies Readonly<Record<string, { readonly ipip: IpipMode; readonly vxlan: IpipMode }>>
export type ModeName = keyof typeof MODES

/** Every ordered change among `modes` once, each beginning where the one before ended; the first begins at the first mode. */
export function allChanges(modes: readonly ModeName[]): [from: ModeName, to: ModeName][] {
  const left = new Map(modes.map(from => [from, modes.filter(to => to !== from)]))
  const round: ModeName[] = []
  const walk = (at: ModeName) => {
    for (let next = left.get(at)?.shift(); next !== undefined; next = left.get(at)?.shift()) walk(next)
    round.push(at)
  }
  walk(modes[0] ?? 'Never')
  const order = round.reverse()
  return order.slice(1).map((to, at) => [order[at] ?? to, to])
}

/** Tells the fabric of the pods, as routers that speak BGP would know: without it plain packets do not cross. */
export async function teachRouter(lab: Lab): Promise<void> {
  const statuses = await everyAgent(lab, 'blocks to be known', ({ bgp }) => bgp.originated.length > 0)
  for (const { node, bgp } of statuses)
    for (const block of bgp.originated) await must(lab, 'router', 'ip', 'route', 'replace', block, 'via', lab.node(node).address)
}

export interface Loss {
  readonly pair: string
  readonly sent: number
  readonly lost: readonly number[]
}

/** Changes the mode while every pair of nodes pings; `late` hears of it only when the others have acted. */
export async function changeUnderTraffic(
  lab: Lab,
  to: ModeName,
  { late, intervalMs, replies }: { readonly late: string; readonly intervalMs: number; readonly replies: number },
): Promise<Loss[]> {
  const interval = millis(intervalMs)
  const pairs = lab.nodes.flatMap(({ name }, at) => lab.nodes.slice(at + 1).map(other => [`${name}-p1`, `${other.name}-p1`]))
  const streams = pairs.map(([from = '', other = '']) => ({
    pair: `${from} to ${other}`,
    stream: flood(lab, from, lab.pod(other).address, { interval }),
  }))
  let seen = replies
  const flowing = (more: number) => {
    seen += more
    return Promise.all(streams.map(({ stream }) => stream.flowing(seen)))
  }
  await flowing(0)
  const others = lab.nodes.map(({ name }) => name).filter(name => name !== late)
  await whileFrozen(lab, late, async () => {
    await setMode(lab, to)
    await everyAgent(lab, `${to} on the others`, isIn(to), { nodes: others })
    await flowing(2 * replies)
  })
  await everyAgent(lab, `${to} everywhere`, isIn(to))
  await flowing(2 * replies)
  return Promise.all(
    streams.map(async ({ pair, stream }) => {
      const { sent, lostSequences } = await stream.stop()
      return { pair, sent, lost: lostSequences }
    }),
  )
}

/** As `calictl ippool set` does, without asking the agents first: one of them is to be late. */
export async function setMode(lab: Lab, to: ModeName): Promise<void> {
  const { ipip, vxlan } = MODES[to]
  await using store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: systemClock, random: systemRandom })
  const { signal } = new AbortController()
  await setPool(store, 'default', { ipipMode: ipip, vxlanMode: vxlan }, { signal })
}

export function isIn(mode: ModeName): (status: AgentStatus) => boolean {
  const { ipip, vxlan } = MODES[mode]
  return status => status.converged && status.pools.every(({ ipipMode, vxlanMode }) => ipipMode === ipip && vxlanMode === vxlan)
}
