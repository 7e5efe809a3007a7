/** A node that hears of a thousand blocks: how soon its agent has all routes in the kernel, and what memory it then holds. */

import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { sleep, systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { createPool } from '@network/datastore/pools.ts'
import { createOf } from '@network/datastore/records.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { NODE } from '@network/model/resources/node.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { TABLE } from '@network/netlink/route.ts'
import { agentStatus } from '../lab/agent-status.ts'
import { daemonIn, mustIn, namespaceOf } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { PROJECT, RUN_DIR } from '../lab/paths.ts'
import { type NodePlan, ROUTER, topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import type { Bench, Measurement } from './measurement.ts'
import { median } from './statistics.ts'

const BLOCKS = 1000
/** The blocks are of so many nodes; with one a block, the agent also dials a thousand peers of which none answers, the worst case. */
const CLUSTERS = [10, BLOCKS]
const ROUNDS = 3
const BAR_MB = 100
const ASN = 64512
const FIRST_BLOCK = '10.244.0.0'
/** The other nodes are there on paper: the router refuses whoever dials them. */
const OTHERS = { network: '172.31.0.0/16', first: ipv4('172.31.0.1') }
const LATEST = millis(60_000)
const QUIET = millis(5000)

interface Run {
  /** Milliseconds. */
  readonly programmed: number
  /** MB, at the moment when all was programmed, and when the agent had been at rest for a while. */
  readonly memory: number
  readonly atRest: number
}

export const scaleBench: Bench = {
  name: 'scale',
  async measure(say) {
    await using lab = await createLab(topology(1, 2, 0), { agents: false })
    const [node, peer] = lab.nodes
    if (node === undefined || peer === undefined) throw new Error('the lab has two nodes')
    await mustIn(ROUTER, ['ip', 'route', 'add', 'local', OTHERS.network, 'dev', 'lo'])
    await startPeer(lab, node, peer)
    writeFileSync(configFile(), `bgp:\n  peers:\n    - {address: ${peer.address}, asNumber: ${ASN}, name: announcer}\n`)
    const runs = new Map(CLUSTERS.map((nodes): [number, Run[]] => [nodes, []]))
    for (const nodes of CLUSTERS) await fillStore(nodes)
    say('one run to have everything compiled, which is not counted')
    await runAgent(node, CLUSTERS[0] ?? 1)
    for (let round = 1; round <= ROUNDS; round++)
      for (const [nodes, known] of runs) {
        say(`agent with ${BLOCKS} remote blocks of ${nodes} nodes, round ${round} of ${ROUNDS}`)
        known.push(await runAgent(node, nodes))
      }
    return [...runs].flatMap(([nodes, known]) => results(nodes, known))
  },
}

async function fillStore(nodes: number): Promise<void> {
  const options = { signal: new AbortController().signal }
  await using store = await openDatastore(storeOf(nodes), { clock: systemClock, random: systemRandom })
  const cidr = toPrefix(ipv4(FIRST_BLOCK), 16)
  await createPool(
    store,
    { name: 'default', cidr, blockSize: 26, ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false },
    options,
  )
  for (let at = 0; at < nodes; at++) {
    const address = toIpv4(OTHERS.first + at)
    const value = {
      name: `n${at}`,
      id: `machine ${at}`,
      address,
      subnetLength: 16,
      asn: undefined,
      tunnelAddress: undefined,
      vxlanMac: undefined,
    }
    await createOf(store, NODE, value, options)
  }
  for (let at = 0; at < BLOCKS; at++) {
    const block = toPrefix(toIpv4(ipv4(FIRST_BLOCK) + at * 64), 26)
    await createOf(store, BLOCK_AFFINITY, { block, node: `n${at % nodes}`, state: 'confirmed' }, options)
  }
}

function storeOf(nodes: number): string {
  return `sqlite:${RUN_DIR}/bench-${nodes}.db`
}

async function startPeer(lab: Lab, node: NodePlan, peer: NodePlan): Promise<void> {
  const program = join(import.meta.dirname, 'announcer.ts')
  const words = [peer.address, node.address, String(ASN), String(BLOCKS), FIRST_BLOCK]
  const running = lab.spawnIn(peer.name, [process.execPath, '--disable-warning=ExperimentalWarning', program, ...words])
  await Promise.race([
    once(running.stdout, 'data'),
    running.ended.then(({ stderr }) => Promise.reject(new Error(`the announcer died: ${stderr}`))),
  ])
}

/** A new agent on a node that has no route of ours, by the launcher that people use. */
async function runAgent(node: NodePlan, nodes: number): Promise<Run> {
  using kernel = NetlinkClient.open({ namespace: namespaceOf(node.name) })
  mkdirSync(join(RUN_DIR, 'log'), { recursive: true })
  const log = openSync(join(RUN_DIR, 'log', `${node.name}.log`), 'a')
  const began = systemClock.now()
  const agent = daemonIn(node.name, [join(PROJECT, 'agent', 'cali-agent'), ...flagsOf(node, nodes)], log)
  closeSync(log)
  const ended = once(agent, 'exit')
  const what = { clock: systemClock, within: LATEST, instead: () => `the log ends with ${tailOf(node)}` }
  await until(() => countRoutes(kernel) === BLOCKS, { ...what, what: `${BLOCKS} routes`, every: millis(10) })
  const programmed = between(began, systemClock.now())
  await until(async () => (await agentStatus(node.name)).converged, { ...what, what: 'the agent to be content' })
  const memory = residentMb(agent.pid)
  await sleep(systemClock, QUIET, new AbortController().signal)
  const atRest = residentMb(agent.pid)
  agent.kill('SIGKILL')
  await ended
  await mustIn(node.name, ['ip', 'route', 'flush', 'proto', '80'])
  rmSync(join(RUN_DIR, `${node.name}.sock`), { force: true })
  return { programmed, memory, atRest }
}

function flagsOf(node: NodePlan, nodes: number): string[] {
  return [
    ...['--node-name', node.name, '--node-id', node.machineId, '--node-ip', node.address],
    ...['--datastore', storeOf(nodes), '--run-dir', RUN_DIR, '--config', configFile()],
  ]
}

function configFile(): string {
  return join(RUN_DIR, 'bench.yaml')
}

function countRoutes(kernel: NetlinkClient): number {
  const gatewayed = kernel.routes({ table: TABLE.main, protocol: 80 }).filter(({ gateway }) => gateway !== undefined)
  return gatewayed.length
}

function residentMb(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1e6
}

function tailOf(node: NodePlan): string {
  return readFileSync(join(RUN_DIR, 'log', `${node.name}.log`), 'utf8')
    .split('\n')
    .slice(-5)
    .join('\n')
}

function results(nodes: number, runs: readonly Run[]): Measurement[] {
  const memory = median(runs.map(run => run.memory))
  const bar = { text: `at most ${BAR_MB} MB`, met: memory <= BAR_MB }
  const name = `agent, ${BLOCKS.toLocaleString('en')} blocks of ${nodes.toLocaleString('en')} nodes`
  return [
    { what: `${name}: start to all programmed`, value: median(runs.map(run => run.programmed)), unit: 'ms', runs: ROUNDS },
    { what: `${name}: resident then`, value: memory, unit: 'MB', runs: ROUNDS, comparison: { to: 'the bar', bar } },
    {
      what: `${name}: resident after ${QUIET / 1000} s at rest`,
      value: median(runs.map(run => run.atRest)),
      unit: 'MB',
      runs: ROUNDS,
    },
  ]
}
