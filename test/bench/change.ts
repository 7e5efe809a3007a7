/** How soon a block that becomes a node's is a route in another node's kernel: among four nodes, and where the first has 500 BGP peers besides. */

import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { sleep, systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { createOf } from '@network/datastore/records.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { agentStatus } from '../lab/agent-status.ts'
import { flagsOf } from '../lab/agents.ts'
import { daemonIn, ENVIRONMENT, mustIn, namespaceOf } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { PROJECT, RUN_DIR } from '../lab/paths.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import type { Bench, Measurement } from './measurement.ts'
import { percentile } from './statistics.ts'

const CHANGES = 200
const PEERS = 500
const ASN = 64512
const CIDR = '10.244.0.0/16'
/** The upper half of the pool: agents take blocks of their own from anywhere, but nobody has pods here. */
const FIRST_BLOCK = ipv4('10.244.128.0')
const CROWD = { network: '172.31.0.0/16', first: '172.31.0.1' }
const LATEST = millis(120_000)
const signal = new AbortController().signal

export const changeBench: Bench = {
  name: 'change',
  async measure(say) {
    say(`${CHANGES} blocks, one after another, in a lab of four nodes`)
    const few = await amongFour()
    say(`${CHANGES} blocks, one after another, from a node with ${PEERS} BGP peers`)
    const many = await amongMany()
    return [...results('4 nodes', few, 50), ...results(`${PEERS} simulated peers`, many, 1000)]
  },
}

async function amongFour(): Promise<readonly number[]> {
  await using lab = await createLab(topology(1, 4, 0), { pool: { cidr: CIDR, ipip: 'Never' } })
  await established(lab, 'a1', 3)
  return await change()
}

async function amongMany(): Promise<readonly number[]> {
  await using lab = await createLab(topology(1, 3, 0), { agents: false })
  const [a1, a2, crowd] = lab.nodes
  if (a1 === undefined || a2 === undefined || crowd === undefined) throw new TypeError('the lab has three nodes')
  await mustIn(crowd.name, ['ip', 'route', 'add', 'local', CROWD.network, 'dev', 'lo'])
  await mustIn(a1.name, ['ip', 'route', 'add', CROWD.network, 'via', crowd.address])
  const program = join(import.meta.dirname, 'crowd.ts')
  const words = [CROWD.first, String(PEERS), a1.address, String(ASN)]
  const running = lab.spawnIn(crowd.name, [process.execPath, '--disable-warning=ExperimentalWarning', program, ...words])
  await Promise.race([
    once(running.stdout, 'data'),
    running.ended.then(({ stderr }) => Promise.reject(new Error(`the crowd died: ${stderr}`))),
  ])
  const peers = Array.from(
    { length: PEERS },
    (_, at) => `    - {address: ${addressAt(at)}, asNumber: ${ASN}, name: peer-${at}}\n`,
  )
  const config = join(RUN_DIR, 'crowd.yaml')
  writeFileSync(config, `bgp:\n  peers:\n${peers.join('')}`)
  await lab.agents.start(a2.name)
  mkdirSync(join(RUN_DIR, 'log'), { recursive: true })
  const log = openSync(join(RUN_DIR, 'log', `${a1.name}.log`), 'a')
  const agent = daemonIn(a1.name, [join(PROJECT, 'agent', 'cali-agent'), ...flagsOf(a1), '--config', config], log)
  closeSync(log)
  const ended = once(agent, 'exit')
  try {
    await lab.mustCalictl(['ippool', 'create', 'default', '--cidr', CIDR])
    await established(lab, a1.name, PEERS + 1)
    return await change()
  } finally {
    agent.kill('SIGKILL')
    await ended
  }
}

function addressAt(at: number): string {
  const address = ipv4(CROWD.first) + at
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
}

async function established(lab: Lab, node: string, sessions: number): Promise<void> {
  const up = async () => {
    const { bgp, converged } = await agentStatus(node).catch(() => ({ bgp: { peers: [] }, converged: false }))
    return converged && bgp.peers.filter(({ state }) => state === 'established').length >= sessions
  }
  await until(up, { clock: lab.clock, what: `${sessions} sessions of ${node}`, within: LATEST, every: millis(200) })
}

/** Milliseconds from before each write to the datastore until a2's kernel would route by it. */
async function change(): Promise<readonly number[]> {
  await using store = await openDatastore(ENVIRONMENT.CALI_DATASTORE, { clock: systemClock, random: systemRandom })
  using kernel = NetlinkClient.open({ namespace: namespaceOf('a2') })
  const took: number[] = []
  for (let at = 0; at < CHANGES; at++) {
    const block = toPrefix(toIpv4(FIRST_BLOCK + at * 64), 26)
    const began = systemClock.now()
    await createOf(store, BLOCK_AFFINITY, { block, node: 'a1', state: 'confirmed' }, { signal })
    const there = () => kernel.matchRoute(block.address)?.destination.length === block.length
    await until(there, { clock: systemClock, what: `the route to block ${at}`, within: LATEST, every: millis(1) })
    took.push(between(began, systemClock.now()))
    // Changes that come together are one to the agent: the next is not to profit from this one.
    await sleep(systemClock, millis(30 + (at % 7)), signal)
  }
  return took
}

function results(where: string, took: readonly number[], bar: number): Measurement[] {
  const what = `block of one node to kernel of another, ${where}`
  const p99 = percentile(took, 99)
  return [
    { what: `${what}: p50`, value: percentile(took, 50), unit: 'ms', runs: took.length },
    {
      what: `${what}: p99`,
      value: p99,
      unit: 'ms',
      runs: took.length,
      comparison: { to: 'the bar', bar: { text: `under ${bar} ms`, met: p99 < bar } },
    },
  ]
}
