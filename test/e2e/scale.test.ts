/** One node with a thousand pods, among eighty others that have twenty thousand blocks: news, losses of news, audits, the way out. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix, toPrefix } from '@network/base/net/prefix.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { createOf } from '@network/datastore/records.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { NODE } from '@network/model/resources/node.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { TABLE } from '@network/netlink/route.ts'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { socketOf } from '../lab/agents.ts'
import { namespaceOf } from '../lab/command.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { CNI_PLUGIN, type CniPlugin, staticCni } from '../lab/paths.ts'
import { callCni } from '../lab/pods.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must, whileFrozen } from './frozen.ts'
import { difference, type Traces, tracesOf, uninstallOn } from './traces.ts'

const PODS = 1000
const NODES = 99
const BLOCKS_A_NODE = 256
const BLOCKS = NODES * BLOCKS_A_NODE
const AT_ONCE = 25
const ASN = 64512
const REMOTE = prefix('10.128.0.0/11')
/** The other nodes are there on paper: a route reflector tells of their blocks, and the router refuses whoever dials them. */
const OTHERS = { network: '172.31.0.0/16', first: ipv4('172.31.0.1') }
const OURS = ['proto', '80', 'metric', '1024']
const SETTLED = { within: millis(120_000) }
/** What a stranger broke is back. */
const BACK = millis(10_000)
/** Seconds between two audits: as promised, and a little more than it is. */
const PROMISED_S = 60
const QUIET = millis(32_000)
const MOST_OF_A_CORE = 0.01

let lab: Lab
let bare: Traces
before(async () => {
  lab = await createLab(topology(1, 2, 0), {
    agents: false,
    agentConfig: `bgp: {peers: [{address: 172.16.20.12, asNumber: ${ASN}, name: reflector}]}\n`,
  })
  bare = await tracesOf(lab, 'a1')
  await must(lab, 'router', 'ip', 'route', 'add', 'local', OTHERS.network, 'dev', 'lo')
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'local', '--cidr', '10.244.0.0/16', '--vxlan', 'Always')
  await fillStore()
  await lab.agents.start('a1')
})
after(() => lab[Symbol.asyncDispose]())

test(`${PODS} pods by the real CNI path: a /32 each, none twice`, async t => {
  const names = Array.from({ length: PODS }, (_, at) => `many-${at}`)
  const input = names.map(name => `netns add ${name}\n`).join('')
  assert.equal((await lab.exec('a1', ['ip', '-batch', '-'], { input, timeoutMs: 120_000 })).exitCode, 0)
  const began = systemClock.now()
  const plugin: CniPlugin = staticCni() ?? [CNI_PLUGIN]
  const waiting = [...names]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let pod = waiting.pop(); pod !== undefined; pod = waiting.pop()) {
        const { exitCode, stdout } = await callCni({ command: 'ADD', node: 'a1', pod, plugin })
        assert.equal(exitCode, 0, stdout)
      }
    }),
  )
  t.diagnostic(`${PODS} pods in ${((systemClock.now() - began) / 1000).toFixed(1)} s, ${AT_ONCE} at once`)
  const { workloads } = await agentStatus('a1')
  assert.equal(new Set(workloads.map(({ address }) => address)).size, PODS)
  assert.equal(routes().filter(({ destination }) => destination.length === 32).length, PODS)
})

test(`M26, M58: ${BLOCKS} blocks of ${NODES} nodes: as many routes, and one neighbour and one forwarding entry a node; the news are taken together`, async t => {
  const plans = await planCount()
  const began = systemClock.now()
  await startReflector()
  await everyAgent(lab, 'all blocks', isComplete, { nodes: ['a1'], ...SETTLED })
  const took = (await planCount()) - plans
  t.diagnostic(`${BLOCKS} blocks in ${((systemClock.now() - began) / 1000).toFixed(1)} s, ${took} plans`)
  assert.ok(took < BLOCKS / 20, `${took} plans`)
  assertWhole()
})

test('P0, P7: the kernel tells of so many losses that it drops news: all is read again, and all is back', async () => {
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'ip', 'route', 'flush', 'table', 'main', ...OURS)
    await must(lab, 'a1', 'ip', 'neigh', 'flush', 'dev', 'vxlan.cali', 'nud', 'permanent')
    assert.equal(routes().length, 0, 'P0')
  })
  const dropped = () => /news from the kernel were lost/.test(lab.agents.log('a1'))
  await until(() => dropped() && isWhole(), { clock: lab.clock, what: 'all to be back', within: BACK })
  await everyAgent(lab, 'a1 to say so', isComplete, { nodes: ['a1'], ...SETTLED })
})

test(`a full audit every minute costs less than ${MOST_OF_A_CORE * 100} % of a core`, async t => {
  const [cpu, before] = [cpuMs(), await passes()]
  const began = systemClock.now()
  const audited = async () => {
    const now = await passes()
    return now.count > before.count ? now : undefined
  }
  const seen = await until(audited, {
    clock: lab.clock,
    what: 'an audit',
    within: millis(3 * QUIET),
    every: QUIET,
  })
  const [elapsed, used] = [systemClock.now() - began, cpuMs() - cpu]
  const one = (seen.seconds - before.seconds) / (seen.count - before.count)
  t.diagnostic(
    `an audit takes ${(one * 1000).toFixed(0)} ms; the whole agent ${((used / elapsed) * 100).toFixed(2)} % of a core, ${NODES} dials in vain among it`,
  )
  assert.ok(one / PROMISED_S < MOST_OF_A_CORE, `${one} s`)
})

test('P7: kill -9 and a restart write nothing and lose nothing', async () => {
  const right = kernelText()
  await lab.agents.kill('a1', 'SIGKILL')
  await lab.agents.start('a1')
  await everyAgent(lab, 'all blocks', status => isComplete(status), { nodes: ['a1'], ...SETTLED })
  assert.equal(kernelText(), right)
  assert.equal((await agentStatus('a1')).repairs.count, 0)
})

test('P9: uninstalling leaves nothing of all this', async t => {
  await lab.agents.kill('a1')
  const began = systemClock.now()
  const { exitCode, stderr } = await uninstallOn(lab, 'a1', ['--config', join(lab.runDir, 'cali.yaml')], 150_000)
  t.diagnostic(`${((systemClock.now() - began) / 1000).toFixed(1)} s`)
  assert.equal(exitCode, 0, stderr)
  assert.deepEqual(difference(bare, await tracesOf(lab, 'a1')).slice(0, 10), [])
})

/** Nodes with their tunnel addresses, and the pool of their blocks, which nobody takes from here. */
async function fillStore(): Promise<void> {
  const options = { signal: new AbortController().signal }
  await using store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: systemClock, random: systemRandom })
  const pool = IP_POOL.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'remote' },
    spec: { cidr: formatPrefix(REMOTE), vxlanMode: 'Always', disabled: true },
  })
  assert.ok(pool.ok)
  await createOf(store, IP_POOL, pool.value, options)
  for (let at = 0; at < NODES; at++)
    await createOf(
      store,
      NODE,
      {
        name: `n${at}`,
        id: `machine ${at}`,
        address: toIpv4(OTHERS.first + at),
        subnetLength: 16,
        asn: undefined,
        tunnelAddress: firstOf(at),
        vxlanMac: `66:00:00:00:01:${at.toString(16).padStart(2, '0')}`,
      },
      options,
    )
}

function firstOf(node: number) {
  return toIpv4(REMOTE.address + node * BLOCKS_A_NODE * 64)
}

/** BIRD on the other node. */
async function startReflector(): Promise<void> {
  const nodes = Array.from({ length: NODES }, (_, at) => at)
  const blocks = nodes.flatMap(at => Array.from({ length: BLOCKS_A_NODE }, (_, block) => toIpv4(firstOf(at) + block * 64)))
  const file = join(lab.runDir, 'bird.conf')
  const nextHops = nodes.map(
    at => `if net ~ ${formatPrefix(toPrefix(firstOf(at), 18))} then bgp_next_hop = ${formatIpv4(toIpv4(OTHERS.first + at))};`,
  )
  writeFileSync(
    file,
    `router id 172.16.20.12;
protocol device {}
protocol static blocks { ipv4;
${blocks.map(block => `route ${formatIpv4(block)}/26 blackhole;`).join('\n')}
}
filter told { ${nextHops.join('\n')} accept; }
protocol bgp agent { local 172.16.20.12 as ${ASN}; neighbor 172.16.20.11 as ${ASN}; ipv4 { import none; export filter told; next hop keep; }; }
`,
  )
  lab.spawnIn('a2', ['bird', '-f', '-c', file, '-s', join(lab.runDir, 'bird.ctl')])
}

function isComplete({ converged, routes }: AgentStatus): boolean {
  return converged && routes.filter(({ kind, state }) => kind === 'remote' && state === 'installed').length === BLOCKS
}

function routes() {
  using client = NetlinkClient.open({ namespace: namespaceOf('a1') })
  return client.routes({ table: TABLE.main, protocol: 80 })
}

function isWhole(): boolean {
  return routes().filter(({ gateway }) => gateway !== undefined).length === BLOCKS && vteps().every(count => count === NODES)
}

function assertWhole(): void {
  assert.equal(routes().filter(({ gateway }) => gateway !== undefined).length, BLOCKS)
  assert.deepEqual(vteps(), [NODES, NODES])
}

/** Permanent neighbours and forwarding entries of our device. */
function vteps(): [number, number] {
  using client = NetlinkClient.open({ namespace: namespaceOf('a1') })
  const index = client.link('vxlan.cali')?.index
  if (index === undefined) return [0, 0]
  return [client.neighbours(index).filter(({ state }) => state === 'permanent').length, client.forwardingEntries(index).length]
}

function kernelText(): string {
  return JSON.stringify([routes(), vteps()])
}

/** Milliseconds of processor that the agent has used. */
function cpuMs(): number {
  const [user, system] = readFileSync(`/proc/${lab.agents.pid('a1')}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * 10
}

/** Of the kernel's tables: how many, and seconds in all. */
async function passes(): Promise<{ count: number; seconds: number }> {
  const text = await metrics()
  return {
    count: sampleIn('cali_apply_duration_seconds_count', text),
    seconds: sampleIn('cali_apply_duration_seconds_sum', text),
  }
}

async function planCount(): Promise<number> {
  return sampleIn('cali_plan_duration_seconds_count', await metrics())
}

function sampleIn(name: string, text: string): number {
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? assert.fail(`no ${name}`))
}

function metrics(): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketOf('a1'), path: '/metrics', timeout: 10_000 }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    asked.on('error', reject)
    asked.end()
  })
}
