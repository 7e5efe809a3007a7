/** Pods across racks in IPIP, and the pool's mode changed under traffic. Every node starts with rp_filter=1 on all: the nastiest host. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import type { Frame } from '../lab/frame.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { tracePath } from '../lab/path.ts'
import { type Flood, flood, ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { hostInterfaceOf, must, whileFrozen } from './frozen.ts'
import { listenToKernel } from './listen.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1 })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

const WIRE = 'router:rack-a'
const PLAIN_OCTETS = 98
/** Exit status of calictl where the change is stored and an agent did not answer. */
const SOME_SILENT = 7
const IPIP_OCTETS = 118

test('M81: across racks by default: outer node to node in protocol 4, inner pod to pod, TTL 62', async () => {
  const here = lab.pod('a1-p1')
  const far = lab.pod('b1-p1')
  const row = await routeTo('a1', 'b1')
  assert.deepEqual([row.dev, row.protocol, row.metric, row.flags], ['tunl0', '80', 1024, ['onlink']], 'P2')
  const back = await routeTo('b1', 'a1')
  assert.deepEqual([back.dev, back.protocol, back.flags], ['tunl0', '80', ['onlink']], 'P2')
  const lost = await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'ip', 'route', 'del', row.dst, 'proto', '80')
    return ping(lab, here.name, far.address, 1)
  })
  assert.equal(lost.received, 0, 'P0')
  await until(async () => (await ping(lab, here.name, far.address, 1)).received === 1, {
    clock: lab.clock,
    what: 'the route to be back',
  })
  const path = await tracePath(lab, here, far, WIRE)
  assert.deepEqual([path.ping.received, path.ping.ttls], [3, [62]], 'P1')
  assert.deepEqual(path.forms, ['ipip'], 'P3')
})

test('M83: both directions decoded: two IP layers, outer the nodes, inner the pods', async () => {
  const here = lab.pod('a1-p1')
  const far = lab.pod('b1-p1')
  const { request, reply } = await tracePath(lab, here, far, WIRE)
  assertLayers(request, [lab.node('a1').address, lab.node('b1').address], [here.address, far.address])
  assertLayers(reply, [lab.node('b1').address, lab.node('a1').address], [far.address, here.address])
})

test('tunl0 has its /32 and 20 octets less than the underlay; its reverse-path filter was made loose, that of pods stays strict', async () => {
  const { stdout } = await lab.exec('a1', ['ip', '-4', 'address', 'show', 'dev', 'tunl0'])
  assert.match(stdout, /<NOARP,UP,LOWER_UP> mtu 1480/)
  assert.match(stdout, /inet 10\.244\.\d+\.\d+\/32 scope global tunl0/)
  assert.equal(await rpFilter('tunl0'), '2')
  assert.equal(await rpFilter('eth0'), '2')
  assert.equal(await rpFilter(await hostInterfaceOf(lab, 'a1-p1')), '1')
  assert.match(await must(lab, 'a1-p1', 'ip', 'link', 'show', 'eth0'), /mtu 1480/)
})

test('M82: a pod’s namespace has a tunl0 of its own, down, and the veth ends name each other', async () => {
  assert.match(await must(lab, 'a1-p1', 'ip', '-o', 'link', 'show', 'tunl0'), /<NOARP> mtu/)
  const device = await hostInterfaceOf(lab, 'a1-p1')
  const outside = /^(\d+): \S+@if(\d+):/.exec(await must(lab, 'a1', 'ip', '-o', 'link', 'show', device))
  const inside = /^(\d+): eth0@if(\d+):/.exec(await must(lab, 'a1-p1', 'ip', '-o', 'link', 'show', 'eth0'))
  assert.deepEqual([outside?.[1], outside?.[2]], [inside?.[2], inside?.[1]])
})

test('host to remote pod: TTL 63, and the pod sees the tunnel address', async () => {
  const far = lab.pod('b1-p1')
  const result = await ping(lab, 'a1', far.address)
  assert.deepEqual([result.received, result.ttls], [3, [63]])
})

test('M80: CrossSubnet is plain in the rack and IPIP across; a wider mask on the sender makes the far node near', async () => {
  const here = lab.pod('a1-p1')
  const near = await tracePath(lab, here, lab.pod('a2-p1'), WIRE)
  assert.deepEqual([near.forms, near.ping.ttls, near.request?.length], [['plain'], [62], PLAIN_OCTETS])
  const far = await tracePath(lab, here, lab.pod('b1-p1'), WIRE)
  assert.deepEqual([far.forms, far.request?.length], [['ipip'], IPIP_OCTETS])

  // The router answers for what lies behind it, so that a node with the wider mask reaches it at all.
  await must(lab, 'router', 'sysctl', '-qw', 'net.ipv4.conf.rack-a.proxy_arp=1')
  const { address } = lab.node('a1')
  await must(lab, 'a1', 'ip', 'address', 'add', `${address}/16`, 'dev', 'eth0')
  await must(lab, 'a1', 'ip', 'address', 'del', `${address}/24`, 'dev', 'eth0')
  await everyAgent(
    lab,
    'a1 to see b1 on its subnet',
    status => status.converged && status.routes.some(route => route.node === 'b1' && route.carriage === 'plain'),
    {
      nodes: ['a1'],
    },
  )
  const row = await routeTo('a1', 'b1')
  assert.deepEqual([row.gateway, row.dev, row.flags], [lab.node('b1').address, 'eth0', []])
  // The router knows no pods, so nothing comes back; what left is what counts.
  const wide = await tracePath(lab, here, lab.pod('b1-p1'), 'a1:eth0')
  assert.equal(wide.request?.length, PLAIN_OCTETS)
  assert.equal(wide.request?.ip?.protocol, 1)

  await must(lab, 'a1', 'ip', 'address', 'add', `${address}/24`, 'dev', 'eth0')
  await must(lab, 'a1', 'ip', 'address', 'del', `${address}/16`, 'dev', 'eth0')
  await everyAgent(
    lab,
    'a1 to see b1 across subnets',
    status => status.converged && status.routes.some(route => route.node === 'b1' && route.carriage === 'ipip'),
    {
      nodes: ['a1'],
    },
  )
  assert.equal((await ping(lab, here.name, lab.pod('b1-p1').address)).received, 3)
})

test('P6: the first packet of a new pod across racks is not lost and comes back within 20 ms, median of 5', async () => {
  const far = lab.pod('b1-p1')
  const rtts: number[] = []
  for (let at = 1; at <= 5; at++) {
    const pod = await lab.cniAdd('a1', `first-${at}`)
    const { rtts: got } = await ping(lab, pod.name, far.address, 1)
    assert.equal(got.length, 1, `the first packet of ${pod.name} was lost`)
    rtts.push(...got)
  }
  for (let at = 1; at <= 5; at++) await lab.cniDel('a1', `first-${at}`)
  rtts.sort((a, b) => a - b)
  assert.ok((rtts[2] ?? Number.NaN) < 20, `milliseconds: ${rtts.join(' ')}`)
})

test('M76: Always: also inside the rack every packet is in IPIP, 20 octets longer, TTL 62', async () => {
  const streams = start()
  await flowing(streams)
  await setMode('Always')
  await assertNoLoss(streams, ['near', 'far'])
  const row = await routeTo('a1', 'a2')
  assert.deepEqual([row.gateway, row.dev, row.protocol, row.flags], [lab.node('a2').address, 'tunl0', '80', ['onlink']], 'P2')
  const path = await tracePath(lab, lab.pod('a1-p1'), lab.pod('a2-p1'), WIRE)
  assert.deepEqual([path.forms, path.ping.received, path.ping.ttls], [['ipip'], 3, [62]], 'P1, P3')
  assertLayers(
    path.request,
    [lab.node('a1').address, lab.node('a2').address],
    [lab.pod('a1-p1').address, lab.pod('a2-p1').address],
  )
  const lost = await whileFrozen(lab, 'a2', async () => {
    await must(lab, 'a2', 'ip', 'link', 'set', 'tunl0', 'down')
    return ping(lab, 'a1-p1', lab.pod('a2-p1').address, 1)
  })
  assert.equal(lost.received, 0, 'P0')
  await until(async () => (await ping(lab, 'a1-p1', lab.pod('a2-p1').address, 1)).received === 1, {
    clock: lab.clock,
    what: 'tunl0 to be up again, with its routes',
  })
})

for (const [from, to] of [
  ['Always', 'CrossSubnet'],
  ['CrossSubnet', 'Always'],
] as const)
  test(`${from} to ${to} under traffic, one node five seconds after the others: nothing lost, in the rack and across`, async () => {
    await setMode(from)
    const streams = start()
    await flowing(streams)
    await whileFrozen(lab, 'a2', async () => {
      const { exitCode, stderr } = await lab.calictl(['ippool', 'set', 'default', '--ipip', to, '--no-wait'])
      assert.equal(exitCode, SOME_SILENT, stderr)
      await everyAgent(lab, `${to} on the others`, inMode(to), { nodes: ['a1', 'b1', 'b2'] })
      await streams.near.flowing(250)
    })
    await everyAgent(lab, `${to} everywhere`, inMode(to))
    await assertNoLoss(streams, ['near', 'far'])
  })

test('M79: Never: plain frames only, tunl0 stays up; nothing is lost in the rack, nothing passes across, and Cali says why', async () => {
  await setMode('Always')
  const streams = start()
  await flowing(streams)
  const { stderr } = await setMode('Never')
  assert.match(stderr, /different subnets cannot reach each other unless the fabric knows the blocks/)
  await assertNoLoss(streams, ['near'])
  const path = await tracePath(lab, lab.pod('a1-p1'), lab.pod('a2-p1'), WIRE)
  assert.deepEqual([path.forms, path.ping.ttls, path.request?.length], [['plain'], [62], PLAIN_OCTETS])
  assert.match(await must(lab, 'a1', 'ip', 'link', 'show', 'tunl0'), /UP/)
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address)).received, 0)
  const row = await routeTo('a1', 'b1', lab.topology.racks[0]?.gateway)
  assert.equal(row.dev, 'eth0')
  assert.match((await agentStatus('a1')).problems.join('\n'), /sent plain to 172\.16\.20\.1, which must know this block/)
})

test('Never to CrossSubnet under traffic: nothing is lost in the rack, and the racks reach each other again', async () => {
  const near = flood(lab, 'a1-p1', lab.pod('a2-p1').address)
  await near.flowing(20)
  await setMode('CrossSubnet')
  assert.deepEqual((await near.stop()).lostSequences, [])
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address)).received, 3)
})

test('kill -9 and restart of an agent under traffic in IPIP: nothing lost, nothing changed in the kernel', async () => {
  const streams = start()
  await flowing(streams)
  await using kernel = await listenToKernel(lab, 'a1')
  await lab.agents.kill('a1', 'SIGKILL')
  await everyAgent(
    lab,
    'the others to keep its routes as stale',
    status => status.bgp.peers.some(({ name, stale }) => name === 'a1' && stale > 0),
    {
      nodes: ['a2', 'b1', 'b2'],
    },
  )
  await lab.agents.start('a1')
  await everyAgent(
    lab,
    'the whole mesh',
    status => meshIsUp(lab)(status) && status.bgp.settled && status.bgp.peers.every(({ stale }) => stale === 0),
  )
  await assertNoLoss(streams, ['near', 'far'])
  assert.deepEqual(kernel.heard(), [])
})

interface Streams {
  readonly near: Flood
  readonly far: Flood
}

function start(): Streams {
  return { near: flood(lab, 'a1-p1', lab.pod('a2-p1').address), far: flood(lab, 'a1-p1', lab.pod('b1-p1').address) }
}

async function flowing({ near, far }: Streams): Promise<void> {
  await Promise.all([near.flowing(50), far.flowing(50)])
}

/** Lets both go on for a while past the change, ends both and asserts of those named. */
async function assertNoLoss(streams: Streams, names: readonly (keyof Streams)[]): Promise<void> {
  const [near, far] = await Promise.all([streams.near.stop(), streams.far.stop()])
  const results = { near, far }
  for (const name of names) assert.deepEqual(results[name].lostSequences, [], `${name}: lost of ${results[name].sent}`)
}

async function setMode(mode: IpipMode): Promise<{ readonly stderr: string }> {
  const outcome = await lab.calictl(['ippool', 'set', 'default', '--ipip', mode])
  // An agent of a busy machine may be late to say so; that all act on it is waited for below.
  assert.ok([0, SOME_SILENT].includes(outcome.exitCode), outcome.stderr)
  await everyAgent(lab, `mode ${mode} everywhere`, inMode(mode))
  return outcome
}

function inMode(mode: IpipMode): Parameters<typeof everyAgent>[2] {
  return status => status.converged && status.pools.every(pool => pool.ipipMode === mode)
}

async function routeTo(node: string, other: string, gateway = lab.node(other).address) {
  const row = (await lab.routes(node)).find(route => route.gateway === gateway && route.protocol === '80')
  assert.ok(row !== undefined, `${node} has no route of ours via ${gateway}`)
  return row
}

async function rpFilter(device: string): Promise<string> {
  return must(lab, 'a1', 'cat', `/proc/sys/net/ipv4/conf/${device}/rp_filter`)
}

function assertLayers(frame: Frame | undefined, outer: readonly string[], inner: readonly string[]): void {
  const packet = frame?.ip
  assert.ok(frame !== undefined && packet !== undefined, 'a frame on the wire')
  assert.deepEqual([packet.source, packet.destination, packet.protocol], [...outer, 4])
  assert.ok(packet.payload.is === 'ipip')
  const { source, destination, protocol, payload, length } = packet.payload.inner
  assert.deepEqual([source, destination, protocol, payload.is], [...inner, 1, 'icmp'])
  assert.deepEqual([frame.length, packet.length, length], [IPIP_OCTETS, 104, 84])
}
