/**
 * Pod to pod on two nodes, in each mode that this kernel has: TCP in bulk, small UDP packets, and the way there and back, through Cali, through
 * Cali without its nftables table, through the same kernel set up by hand (twice, which tells the noise), and through what flannel sets up.
 */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { millis } from '@network/base/time/units.ts'
import { agentStatus } from '../lab/agent-status.ts'
import { execIn, mustIn } from '../lab/command.ts'
import { createLab, type Lab, type PoolPlan } from '../lab/lab.ts'
import { RUN_DIR } from '../lab/paths.ts'
import { type NodePlan, topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { addressOf, type Carriage, type Half, namespacePath, podOf, wireByHand, wireLikeFlannel } from './hand-made.ts'
import type { Bench, Comparison, Measurement } from './measurement.ts'
import { compile, run } from './programs.ts'
import { median, percentile } from './statistics.ts'

interface Mode {
  readonly name: string
  readonly pool: PoolPlan
  readonly carriage: Carriage
  /** Whether a router is between the nodes. */
  readonly across: boolean
}

const cidr = '10.244.0.0/16'
const MODES: readonly Mode[] = [
  { name: 'plain', pool: { cidr, ipip: 'Never' }, carriage: 'plain', across: false },
  { name: 'VXLAN Always', pool: { cidr, ipip: 'Never', vxlan: 'Always' }, carriage: 'vxlan', across: false },
  { name: 'VXLAN CrossSubnet', pool: { cidr, ipip: 'Never', vxlan: 'CrossSubnet' }, carriage: 'vxlan', across: true },
  { name: 'IPIP Always', pool: { cidr, ipip: 'Always' }, carriage: 'ipip', across: false },
  { name: 'IPIP CrossSubnet', pool: { cidr, ipip: 'CrossSubnet' }, carriage: 'ipip', across: true },
]

/** In this order they take turns; all ratios are to the first. */
const CONTENDERS = [
  'by hand',
  'by hand, once more',
  'Cali without its nftables table',
  'Cali',
  'like flannel: bridge and VXLAN',
] as const
const [BY_HAND, ONCE_MORE, BARE, CALI, FLANNEL] = [0, 1, 2, 3, 4]
type Pair = readonly [NodePlan, NodePlan]

const KINDS = [
  { kind: 'tcp', name: 'TCP in bulk', unit: 'MB/s' },
  { kind: 'udp', name: 'UDP of 64 octets', unit: 'packets/s' },
  { kind: 'rtt', name: 'there and back', unit: 'µs' },
] as const
const ROUNDS = 300
const BURST_MS = 2
const BAR = 0.99
const READY = millis(30_000)

/** A client's pod, a server's pod, and the server's address. */
type Route = readonly [string, string, string]

export const throughputBench: Bench = {
  name: 'throughput',
  async measure(say) {
    const measured: Measurement[] = []
    for (const mode of MODES) measured.push(...(await measureMode(mode, say)))
    return measured
  },
}

async function measureMode(mode: Mode, say: (line: string) => void): Promise<readonly Measurement[]> {
  const count = CONTENDERS.length
  await using lab = await createLab(mode.across ? topology(2, count, 0) : topology(1, 2 * count, 0), { agents: false })
  if (mode.carriage === 'ipip' && !lab.hasIpip) {
    say(`this kernel has no ipip: ${mode.name} is not measured`)
    return []
  }
  mkdirSync(join(RUN_DIR, 'bench'), { recursive: true })
  const traffic = compile('traffic.c', join(RUN_DIR, 'bench', 'traffic'))
  if (traffic === undefined) {
    say('there is no gcc here: throughput is not measured')
    return []
  }
  const routes = await wireAll(lab, mode)
  return KINDS.flatMap(({ kind, name, unit }) => {
    say(`${mode.name}, ${name}: ${ROUNDS} rounds of ${count}`)
    const words = routes.flatMap(([client, server, address]) => [namespacePath(client), namespacePath(server), address])
    const rounds = run(traffic, [kind, String(ROUNDS), String(BURST_MS), ...words])
      .trim()
      .split('\n')
      .map(line => line.split(' ').map(Number))
    return resultsOf(`${mode.name}, ${name}`, unit, rounds)
  })
}

/** The routes of all contenders, in order, each seen to carry packets. */
async function wireAll(lab: Lab, { pool, carriage, across }: Mode): Promise<readonly Route[]> {
  const pairs = pairsOf(lab, across)
  const cali = [pairs[BARE], pairs[CALI]].flatMap(pair => pair ?? [])
  await Promise.all(cali.map(({ name }) => lab.agents.start(name)))
  const tunnel = pool.vxlan === undefined ? ['--ipip', pool.ipip] : ['--vxlan', pool.vxlan]
  await lab.mustCalictl(['ippool', 'create', 'default', '--cidr', pool.cidr, ...tunnel])
  for (const { name } of cali) await lab.cniAdd(name, `${name}-p1`)
  const [link] = JSON.parse(await mustIn(lab.pods[0]?.name ?? '', ['ip', '-j', 'link', 'show', 'eth0']))
  const routes: Route[] = []
  for (const [at, pair] of pairs.entries()) {
    const [from, to] = pair.map((node, end): Half => ({ node, number: 2 * at + end + 1 }))
    if (from === undefined || to === undefined) throw new TypeError('a pair has two nodes')
    if (at === BARE || at === CALI) routes.push(caliRoute(lab, pair))
    else {
      for (const [one, other] of [[from, to] as const, [to, from] as const])
        await (at === FLANNEL ? wireLikeFlannel(one, other) : wireByHand(one, other, { carriage, mtu: Number(link.mtu) }))
      routes.push([podOf(from), podOf(to), addressOf(to)])
    }
  }
  await Promise.all(routes.map(route => carries(lab, route)))
  await Promise.all(cali.map(({ name }) => contentAgent(lab, name)))
  for (const { name } of pairs[BARE] ?? []) {
    await lab.agents.kill(name, 'SIGKILL')
    await mustIn(name, ['sh', '-c', 'nft delete table inet cali && nft delete table netdev cali'])
  }
  return routes
}

function pairsOf({ topology: { racks, nodes } }: Lab, across: boolean): Pair[] {
  return CONTENDERS.map((_, at) => {
    const [one, other] = across ? racks.map(rack => rack.nodes[at]) : [nodes[2 * at], nodes[2 * at + 1]]
    if (one === undefined || other === undefined) throw new TypeError('there are two nodes for each contender')
    return [one, other]
  })
}

function caliRoute(lab: Lab, [from, to]: Pair): Route {
  const server = lab.pod(`${to.name}-p1`)
  return [`${from.name}-p1`, server.name, server.address]
}

async function carries(lab: Lab, [client, , address]: Route): Promise<void> {
  const answered = async () => (await execIn(client, ['ping', '-c', '1', '-W', '1', address])).exitCode === 0
  await until(answered, { clock: lab.clock, what: `an answer from ${address} to ${client}`, within: READY })
}

async function contentAgent(lab: Lab, node: string): Promise<void> {
  const content = async () => (await agentStatus(node)).converged
  await until(content, { clock: lab.clock, what: `the agent of ${node} to be content`, within: READY })
}

function resultsOf(name: string, unit: 'MB/s' | 'packets/s' | 'µs', rounds: readonly (readonly number[])[]): Measurement[] {
  const lessIsBetter = unit === 'µs'
  const ratios = (at: number) =>
    rounds.map(rates => {
      const [mine = 0, first = 0] = [rates[at], rates[BY_HAND]]
      return lessIsBetter ? first / mine : mine / first
    })
  const twin = ratios(ONCE_MORE)
  const [low, high] = [percentile(twin, 25), percentile(twin, 75)]
  const compared = (at: number): Comparison | undefined => {
    if (at === BY_HAND) return undefined
    const times = median(ratios(at))
    const to = at === ONCE_MORE ? `by hand; half of all rounds ${low.toFixed(2)} to ${high.toFixed(2)}` : 'by hand'
    if (at === ONCE_MORE || at === FLANNEL) return { to, times }
    return lessIsBetter
      ? { to, times, bar: { text: 'within that noise', met: times >= low } }
      : { to, times, bar: { text: 'at least 0.99 ×', met: times >= BAR } }
  }
  return CONTENDERS.map((contender, at): Measurement => {
    const comparison = compared(at)
    const measured = {
      what: `${name}: ${contender}`,
      value: median(rounds.map(rates => rates[at] ?? 0)),
      unit,
      runs: rounds.length,
    }
    return comparison === undefined ? measured : { ...measured, comparison }
  })
}
