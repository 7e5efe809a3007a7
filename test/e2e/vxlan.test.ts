/** Pods across racks in VXLAN: what the kernel holds, what the wire carries, what comes back when a stranger takes it away. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { capture } from '../lab/capture.ts'
import { type Frame, innermost } from '../lab/frame.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { tracePath } from '../lab/path.ts'
import { flood, ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must, whileFrozen } from './frozen.ts'
import { listenToKernel } from './listen.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'CrossSubnet' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

const DEVICE = 'vxlan.cali'
const WIRE = 'router:rack-a'
const PLAIN_OCTETS = 98
const VXLAN_OCTETS = 148
const REPAIRED = millis(1000)

test('M80, M61, M19, M29, M33, M54, P2: CrossSubnet: far blocks via the far tunnel address on the device, onlink; near ones plain; one neighbour and one entry a far node', async () => {
  const rows = (await lab.routes('a1')).filter(({ protocol, gateway }) => protocol === '80' && gateway !== undefined)
  const far = await Promise.all(['b1', 'b2'].map(farEndOf))
  assert.deepEqual(
    rows.map(({ gateway, dev, flags, metric }) => [gateway, dev, flags.join(), metric]).sort(),
    [...far.map(({ address }) => [address, DEVICE, 'onlink', 1024]), [lab.node('a2').address, 'eth0', '', 1024]].sort(),
  )
  assert.deepEqual(
    (await must(lab, 'a1', 'ip', '-4', 'neigh', 'show', 'dev', DEVICE)).trim().split('\n').map(tidy).sort(),
    far.map(({ address, mac }) => `${address} lladdr ${mac} PERMANENT`).sort(),
  )
  assert.deepEqual(
    (await must(lab, 'a1', 'bridge', 'fdb', 'show', 'dev', DEVICE)).trim().split('\n').map(tidy).sort(),
    far.map(({ mac, node }) => `${mac} dst ${node} self permanent`).sort(),
  )
})

test('M25, M59: the device: VNI 4096, port 4789, the chosen NIC and address, learning off, its /32, 50 octets less than the underlay', async () => {
  const text = await must(lab, 'a1', 'ip', '-d', 'address', 'show', 'dev', DEVICE)
  assert.match(text, new RegExp(`vxlan id 4096 local ${lab.node('a1').address} dev eth0 srcport 0 0 dstport 4789 nolearning`))
  assert.match(text, /,UP,LOWER_UP> mtu 1450 /)
  assert.match(text, /inet 10\.244\.\d+\.\d+\/32 scope global vxlan\.cali/)
  assert.equal((await must(lab, 'a1', 'cat', `/proc/sys/net/ipv4/conf/${DEVICE}/rp_filter`)).trim(), '2')
  assert.match(await must(lab, 'a1-p1', 'ip', 'link', 'show', 'eth0'), /mtu 1450 /)
})

test('M28, P0: without the route nothing passes; with it the first packet does', async () => {
  const far = lab.pod('b1-p1')
  const { address } = await farEndOf('b1')
  const lost = await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'sh', '-c', `ip route del $(ip route show via ${address} | cut -d' ' -f1) proto 80`)
    return ping(lab, 'a1-p1', far.address, 1)
  })
  assert.equal(lost.received, 0, 'P0')
  await reaches('a1-p1', far.address)
})

for (const [what, shell] of [
  ['forwarding entry', (mac: string) => `bridge fdb del ${mac} dev ${DEVICE}`],
  ['neighbour', (_: string, address: string) => `ip neigh del ${address} dev ${DEVICE}`],
] as const)
  test(`P0, P7: without the ${what} alone nothing passes; it is back within a second`, async () => {
    const far = lab.pod('b1-p1')
    const { address, mac } = await farEndOf('b1')
    const lost = await whileFrozen(lab, 'a1', async () => {
      await must(lab, 'a1', 'sh', '-ec', shell(mac, address))
      return ping(lab, 'a1-p1', far.address, 1)
    })
    assert.equal(lost.received, 0, 'P0')
    await reaches('a1-p1', far.address)
  })

test('M24, M32, M35, M52, P1, P3: six fields of the wire, both ways: outer MACs of node and router, node to node in UDP 4789, VNI, flag, inner MACs of the devices, pod to pod', async () => {
  const [here, there] = [lab.pod('a1-p1'), lab.pod('b1-p1')]
  const path = await tracePath(lab, here, there, WIRE)
  assert.deepEqual([path.ping.received, path.ping.ttls, path.forms], [3, [62], ['vxlan']])
  const [a1, b1] = await Promise.all(['a1', 'b1'].map(farEndOf))
  assert.ok(a1 !== undefined && b1 !== undefined)
  const router = await macOf('router', 'rack-a')
  assertLayers(path.request, {
    ethernet: [await macOf('a1', 'eth0'), router],
    outer: [a1.node, b1.node],
    macs: [a1.mac, b1.mac],
    inner: [here.address, there.address],
    ttl: 64,
  })
  assertLayers(path.reply, {
    ethernet: [router, await macOf('a1', 'eth0')],
    outer: [b1.node, a1.node],
    macs: [b1.mac, a1.mac],
    inner: [there.address, here.address],
    ttl: 63,
  })
})

test('M61: near pods go plain: 98 octets', async () => {
  const near = await tracePath(lab, lab.pod('a1-p1'), lab.pod('a2-p1'), WIRE)
  assert.deepEqual([near.forms, near.ping.ttls, near.request?.length], [['plain'], [62], PLAIN_OCTETS])
})

test('M30, M31: host to far pod: TTL 63, seen with the tunnel address; the router between is not a hop', async () => {
  const far = lab.pod('b1-p1')
  const result = await ping(lab, 'a1', far.address)
  assert.deepEqual([result.received, result.ttls], [3, [63]])
  const hops: string[] = []
  for (const ttl of [1, 2, 3]) {
    const { stdout } = await lab.exec('a1-p1', ['ping', '-n', '-c', '1', '-W', '1', '-t', String(ttl), far.address])
    hops.push(/[Ff]rom ([\d.]+)/.exec(stdout)?.[1] ?? 'silence')
  }
  const gateways = lab.topology.racks.map(({ gateway }) => gateway)
  assert.equal(hops[2], far.address)
  assert.ok(
    hops.every(hop => !gateways.includes(hop) && hop !== 'silence'),
    hops.join(' '),
  )
  assert.ok([(await farEndOf('b1')).address, lab.node('b1').address].includes(hops[1] ?? ''), hops.join(' '))
})

test('M35: two flows leave by two source ports', async () => {
  const ports = new Set<number>()
  const seen = ({ ip }: Frame) => {
    if (ip?.payload.is === 'vxlan' && ip.source === lab.node('a1').address) ports.add(ip.payload.sourcePort)
  }
  await using wire = await capture(lab, WIRE, { seen })
  for (const from of ['a1-p1', 'a1']) for (const to of ['b1-p1', 'b2-p1']) await ping(lab, from, lab.pod(to).address, 1)
  await wire.stop()
  assert.ok(ports.size >= 2, [...ports].join(' '))
})

test('M39, P0: between two pools every node is the gateway: one encapsulation, straight from node to node, and no third node sees it', async () => {
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'other', '--cidr', '10.245.0.0/16', '--vxlan', 'Always')
  await must(lab, 'router', 'calictl', 'ippool', 'set', 'default', '--disabled', 'true')
  await lab.cniAdd('b1', 'b1-other')
  await lab.cniAdd('a2', 'a2-other')
  const [here, far, near] = [lab.pod('a1-p1'), lab.pod('b1-other'), lab.pod('a2-other')]
  for (const { address } of [far, near]) assert.match(address, /^10\.245\./)
  const silent = await whileFrozen(lab, 'a1', async () => {
    await must(
      lab,
      'a1',
      'sh',
      '-c',
      'for net in $(ip route show proto 80 to root 10.245.0.0/16 | cut -d" " -f1); do ip route del $net; done',
    )
    return ping(lab, here.name, far.address, 1)
  })
  assert.equal(silent.received, 0, 'P0: a node that does not route between the pools stops it')
  // What comes back is judged by the pool that it goes to, which is CrossSubnet.
  for (const [there, name, forms] of [
    [far, 'b1', ['vxlan']],
    [near, 'a2', ['vxlan', 'plain']],
  ] as const) {
    await reaches(here.name, there.address)
    const bystanders = await Promise.all(
      ['b2', name === 'b1' ? 'a2' : 'b1'].map(node =>
        capture(lab, `${node}:eth0`, { filter: isBetween(here.address, there.address) }),
      ),
    )
    const path = await tracePath(lab, here, there, `${name}:eth0`)
    for (const bystander of bystanders) assert.deepEqual(await bystander.stop(), [])
    assert.deepEqual([path.ping.received, path.ping.ttls, path.forms], [3, [62], forms])
    const packet = path.request?.ip
    assert.ok(packet?.payload.is === 'vxlan')
    assert.deepEqual([packet.source, packet.destination], [lab.node('a1').address, lab.node(name).address])
    const { inner } = packet.payload
    assert.deepEqual(
      [inner?.source, inner?.destination, inner?.payload.is],
      [here.address, there.address, 'icmp'],
      'once, not twice',
    )
  }
  await must(lab, 'router', 'calictl', 'ippool', 'set', 'default', '--disabled', 'false')
  await lab.cniDel('b1', 'b1-other')
  await lab.cniDel('a2', 'a2-other')
  await must(lab, 'router', 'calictl', 'ippool', 'delete', 'other')
  await everyAgent(lab, 'the whole mesh in one pool', meshIsUp(lab))
})

test('M37, M38: nothing is flooded: pings to addresses that no pod has, and to none at all, put no broadcast and no ARP into the tunnel', async () => {
  await using wire = await capture(lab, WIRE, { filter: ({ ip }) => ip?.payload.is === 'vxlan' })
  const { address } = lab.pod('b1-p1')
  const nobody = address.replace(/\d+$/, last => String((Number(last) & 192) + 62))
  await ping(lab, 'a1-p1', nobody)
  await lab.exec('a1', ['ping', '-n', '-c', '2', '-W', '1', '-I', DEVICE, '10.244.255.254'])
  await ping(lab, 'a1-p1', address)
  const frames = (await wire.stop()).flatMap(({ ip }) => (ip?.payload.is === 'vxlan' ? [ip.payload] : []))
  assert.ok(frames.length >= 6)
  const groups = frames.filter(
    ({ inner, innerDestination }) => inner === undefined || (Number.parseInt(innerDestination.slice(0, 2), 16) & 1) === 1,
  )
  assert.deepEqual(groups, [])
})

const ACTS: readonly (readonly [string, string])[] = [
  ['deleted', `ip link del ${DEVICE}`],
  ['set down', `ip link set ${DEVICE} down`],
  ['given another MAC', `ip link set ${DEVICE} address 02:00:00:00:00:01`],
  ['given another MTU', `ip link set ${DEVICE} mtu 1280`],
  [
    'made anew with another VNI and learning',
    `ip link del ${DEVICE}; ip link add ${DEVICE} type vxlan id 77 dstport 4789 dev eth0 learning; ip link set ${DEVICE} up`,
  ],
  [
    'flushed',
    `bridge fdb flush dev ${DEVICE} self 2>/dev/null; ip neigh flush dev ${DEVICE} nud permanent; ip address flush dev ${DEVICE}`,
  ],
  [
    'given a default peer and strange neighbours',
    `bridge fdb append 00:00:00:00:00:00 dst 172.16.20.99 dev ${DEVICE}; ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:02 dev ${DEVICE} nud permanent`,
  ],
]
for (const [what, shell] of ACTS)
  test(`P7: the device ${what}: it is back within a second as it was, with address, neighbours, forwarding entries and routes`, async () => {
    const right = await stateOf('a1')
    const broken = await whileFrozen(lab, 'a1', async () => {
      await must(lab, 'a1', 'sh', '-c', shell)
      return stateOf('a1')
    })
    assert.notDeepEqual(broken, right, 'P0')
    await until(async () => (await stateOf('a1')) === right, {
      clock: lab.clock,
      what: `the device after it was ${what}`,
      within: REPAIRED,
      every: millis(10),
      instead: async () => `${right}\n--- became\n${await stateOf('a1')}`,
    })
    await reaches('a1-p1', lab.pod('b1-p1').address)
  })

test('M20: a flush of what is stale takes nothing away', async () => {
  const right = await stateOf('a1')
  await whileFrozen(lab, 'a1', async () => {
    await must(lab, 'a1', 'ip', 'neigh', 'flush', 'dev', DEVICE, 'nud', 'stale')
    assert.equal(await stateOf('a1'), right)
  })
})

test('M58, P7: kill -9 and restart under traffic: nothing lost, nothing changed in the kernel, the same MAC', async () => {
  const right = await stateOf('a1')
  const stream = flood(lab, 'a1-p1', lab.pod('b1-p1').address)
  await stream.flowing(20)
  await using kernel = await listenToKernel(lab, 'a1')
  await lab.agents.kill('a1', 'SIGKILL')
  await stream.flowing(100)
  await lab.agents.start('a1')
  await everyAgent(lab, 'the whole mesh', status => meshIsUp(lab)(status) && status.bgp.settled)
  assert.deepEqual((await stream.stop()).lostSequences, [])
  assert.deepEqual(kernel.heard(), [])
  assert.equal(await stateOf('a1'), right)
})

test('M18: a foreign device with our VNI and port is reported and left alone; once it is gone ours comes', async () => {
  await whileFrozen(lab, 'a2', async () => {
    await must(lab, 'a2', 'sh', '-ec', `ip link del ${DEVICE}; ip link add theirs type vxlan id 4096 dstport 4789 dev eth0`)
  })
  const sentence = /theirs, which is not ours, has VNI 4096 and port 4789/
  await everyAgent(lab, 'a2 to tell of it', ({ problems, converged }) => !converged && sentence.test(problems.join('\n')), {
    nodes: ['a2'],
  })
  assert.match(await must(lab, 'a2', 'ip', '-d', 'link', 'show', 'theirs'), /vxlan id 4096 /)
  await must(lab, 'a2', 'ip', 'link', 'del', 'theirs')
  await reaches('a2-p1', lab.pod('b1-p1').address)
})

test('M18: an interface of our name that is no VXLAN is a conflict, and not touched', async () => {
  await whileFrozen(lab, 'a2', async () => {
    await must(lab, 'a2', 'sh', '-ec', `ip link del ${DEVICE}; ip link add ${DEVICE} type bridge`)
  })
  await everyAgent(
    lab,
    'a2 to tell of it',
    ({ problems }) =>
      problems.some(each => each.includes(`links ${DEVICE}: not ours to change, held by an interface of kind bridge`)),
    { nodes: ['a2'] },
  )
  assert.match(await must(lab, 'a2', 'ip', '-d', 'link', 'show', DEVICE), /bridge/)
  await must(lab, 'a2', 'ip', 'link', 'del', DEVICE)
  await reaches('a2-p1', lab.pod('b1-p1').address)
})

test('M34: a second device of another VNI on the same port lives beside ours, and hears nothing of our packets', async () => {
  for (const name of ['a1', 'b1'])
    await must(
      lab,
      name,
      'sh',
      '-ec',
      `ip link add other type vxlan id 77 dstport 4789 dev eth0 learning; ip link set other address $(cat /sys/class/net/lo/address | sed s/^00/02/) up`,
    )
  await using other = await capture(lab, 'b1:other')
  await using wire = await capture(lab, WIRE, { filter: ({ ip }) => ip?.payload.is === 'vxlan' })
  assert.equal((await ping(lab, 'a1-p1', lab.pod('b1-p1').address)).received, 3)
  const vnis = new Set((await wire.stop()).flatMap(({ ip }) => (ip?.payload.is === 'vxlan' ? [ip.payload.vni] : [])))
  assert.deepEqual([...vnis], [4096])
  assert.deepEqual(
    (await other.stop()).filter(({ ip }) => ip !== undefined),
    [],
  )
  assert.match(
    (await agentStatus('a1')).problems.join('\n'),
    /interface other, which is not ours, has port 4789 as vxlan\.cali: they can be there beside each other/,
  )
  for (const name of ['a1', 'b1']) await must(lab, name, 'ip', 'link', 'del', 'other')
})

test('M26: Always: every node has a neighbour and a forwarding entry of each other one, and near pods are in VXLAN too', async () => {
  const stream = flood(lab, 'a1-p1', lab.pod('a2-p1').address)
  await stream.flowing(20)
  await setVxlan('Always')
  assert.deepEqual((await stream.stop()).lostSequences, [])
  for (const { name } of lab.nodes) {
    const count = async (...argv: string[]) => (await must(lab, name, ...argv)).trim().split('\n').length
    assert.equal(await count('ip', 'neigh', 'show', 'dev', DEVICE), 3)
    assert.equal(await count('bridge', 'fdb', 'show', 'dev', DEVICE), 3)
  }
  const near = await tracePath(lab, lab.pod('a1-p1'), lab.pod('a2-p1'), WIRE)
  assert.deepEqual([near.forms, near.ping.ttls, near.request?.length], [['vxlan'], [62], VXLAN_OCTETS])
  const frame = near.request?.ip?.payload
  assert.ok(frame?.is === 'vxlan')
  assert.deepEqual(near.request?.destination, await macOf('a2', 'eth0'))
})

test('P8: a node that leaves: route, neighbour and forwarding entry go, in this order', async () => {
  const { address, mac } = await farEndOf('b2')
  await using kernel = await listenToKernel(lab, 'a1')
  await lab.agents.kill('b2', 'SIGKILL')
  const { exitCode, stderr } = await lab.calictl(['node', 'delete', 'b2', '--force'])
  assert.equal(exitCode, 0, stderr)
  await until(async () => !(await stateOf('a1')).includes(mac), {
    clock: lab.clock,
    what: 'b2 to be forgotten',
  })
  assert.doesNotMatch(await stateOf('a1'), new RegExp(`via ${address} `))
  const heard = kernel.heard()
  const at = (sign: RegExp) => heard.findIndex(line => sign.test(line))
  assert.ok(at(/^Deleted 10\.244.* dev vxlan\.cali|Deleted .* via/) >= 0, heard.join('\n'))
  assert.ok(
    at(new RegExp(`^Deleted .*via ${address} `)) <= at(new RegExp(`^Deleted ${address} `)) ||
      at(new RegExp(`^Deleted ${address} `)) < 0,
    heard.join('\n'),
  )
})

async function setVxlan(mode: 'Always' | 'CrossSubnet' | 'Never'): Promise<void> {
  await lab.calictl(['ippool', 'set', 'default', '--vxlan', mode])
  await everyAgent(lab, `${mode} everywhere`, status => status.converged && status.pools.every(pool => pool.vxlanMode === mode))
}

/** What other nodes' tables must say of a node. */
async function farEndOf(name: string): Promise<{ readonly address: string; readonly mac: string; readonly node: string }> {
  const { vxlan } = await agentStatus(name)
  const { address, mac } = vxlan.device ?? assert.fail(`${name} has no device`)
  assert.ok(address !== null && mac !== null)
  return { address: address.replace('/32', ''), mac, node: lab.node(name).address }
}

/** The device with all that is on it, and our routes, sorted, without numbers that change with every making. */
async function stateOf(node: string): Promise<string> {
  const shell = [
    `ip -o -d link show dev ${DEVICE} | sed 's/^[0-9]*: //; s/promiscuity.*vxlan id/vxlan id/; s/ state [A-Z]*//; s/ addrgenmode.*//; s/\\\\\\\\//'`,
    `ip -4 -o address show dev ${DEVICE} | sed 's/^[0-9]*: //'`,
    `ip -4 neigh show dev ${DEVICE} nud permanent`,
    `bridge fdb show dev ${DEVICE}`,
    'ip -4 route show proto 80',
  ]
  return (await must(lab, node, 'sh', '-c', `{ ${shell.join('; ')}; } 2>/dev/null || :`)).split('\n').map(tidy).sort().join('\n')
}

async function reaches(pod: string, address: string): Promise<void> {
  await until(async () => (await ping(lab, pod, address, 1)).received === 1, {
    clock: lab.clock,
    what: `${pod} to reach ${address}`,
  })
}

async function macOf(where: string, device: string): Promise<string> {
  return (
    /link\/ether (\S+)/.exec(await must(lab, where, 'ip', 'link', 'show', 'dev', device))?.[1] ??
    assert.fail(`${device} has no MAC`)
  )
}

interface Layers {
  readonly ethernet: readonly [string, string]
  readonly outer: readonly [string, string]
  readonly macs: readonly [string, string]
  readonly inner: readonly [string, string]
  readonly ttl: number
}

function assertLayers(frame: Frame | undefined, { ethernet, outer, macs, inner, ttl }: Layers): void {
  const packet = frame?.ip
  assert.ok(frame !== undefined && packet?.payload.is === 'vxlan', 'a VXLAN frame on the wire')
  const { vni, flags, reserved, port, sourcePort, innerSource, innerDestination, inner: carried } = packet.payload
  assert.deepEqual([frame.source, frame.destination], ethernet)
  assert.deepEqual([packet.source, packet.destination, packet.protocol, packet.ttl], [...outer, 17, ttl])
  assert.deepEqual([vni, flags, reserved, port], [4096, 0x08, 0, 4789])
  assert.ok(sourcePort >= 1024)
  assert.deepEqual([innerSource, innerDestination], macs)
  assert.deepEqual([carried?.source, carried?.destination, carried?.protocol, carried?.ttl], [...inner, 1, 63])
  assert.deepEqual([frame.length, packet.length, carried?.length], [VXLAN_OCTETS, 134, 84])
}

function isBetween(here: string, there: string): (frame: Frame) => boolean {
  return ({ ip }) => {
    if (ip === undefined) return false
    const { source, destination } = innermost(ip)
    return [source, destination].includes(here) && [source, destination].includes(there)
  }
}

function tidy(line: string): string {
  return line.trim().replace(/\s+/g, ' ')
}
