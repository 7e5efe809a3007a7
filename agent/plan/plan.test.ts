import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Ipv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { prefix, toPrefix } from '@network/base/net/prefix.ts'
import { formatRoute } from '@network/model/intent.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL, type IpipMode } from '@network/model/resources/ip-pool.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { type Change, SnapshotBuilder } from '@network/model/snapshot.ts'
import { VXLAN_DEFAULTS } from '@network/vxlan/settings.ts'
import type { Facts, Learned } from './facts.ts'
import { planMesh } from './peers.ts'
import { planAll } from './plan.ts'

const CALI = 'cali0123456789a'

test('CrossSubnet on four nodes in two racks: blackhole, pod, near plain, far in IPIP', () => {
  const { intents, originate, problems } = planAll(facts('CrossSubnet'))
  assert.deepEqual([...intents.routes.values()].map(formatRoute), [
    '10.244.0.64/26 via 172.16.20.12 dev eth0 proto 80 metric 1024',
    '10.244.0.128/26 via 172.16.36.11 dev tunl0 proto 80 metric 1024 onlink',
    'blackhole 10.244.0.0/26 proto 80 metric 1024',
    '10.244.0.2 dev cali0123456789a proto 80 scope link metric 1024',
  ])
  assert.deepEqual(originate, [prefix('10.244.0.0/26')])
  assert.deepEqual([...intents.links.keys()], ['tunl0', 'vxlan.cali', CALI])
  assert.deepEqual([...intents.addresses.keys()], ['tunl0 10.244.0.1/32', 'vxlan.cali 10.244.0.1/32'])
  assert.deepEqual(problems, [])
})

test('Always tunnels to the near node as well', () => {
  assert.deepEqual(remoteRoutes('Always'), [
    '10.244.0.64/26 via 172.16.20.12 dev tunl0 proto 80 metric 1024 onlink',
    '10.244.0.128/26 via 172.16.36.11 dev tunl0 proto 80 metric 1024 onlink',
  ])
})

test('Never goes plain, through the gateway across subnets, and says what that asks of the gateway', () => {
  assert.deepEqual(remoteRoutes('Never'), [
    '10.244.0.64/26 via 172.16.20.12 dev eth0 proto 80 metric 1024',
    '10.244.0.128/26 via 172.16.20.1 dev eth0 proto 80 metric 1024',
  ])
  assert.deepEqual(planAll(facts('Never')).problems, [
    '10.244.0.128/26: node b1 is on another subnet and pool default has ipipMode Never: sent plain to 172.16.20.1, which must know this block',
  ])
  assert.ok(planAll(facts('Never')).intents.links.has('tunl0'), 'tunl0 stays up for packets still under way')
})

test('a gateway that must know many blocks is spoken of once, and so is a missing module', () => {
  const far = Array.from({ length: 40 }, (_, n) => ({
    destination: toPrefix(toIpv4(ipv4('10.244.1.0') + n * 64), 26),
    nextHop: toIpv4(ipv4('172.16.36.100') + n),
    from: `f${n}`,
  }))
  const [first, ...rest] = planAll({ ...facts('Never'), learned: far }).problems
  assert.match(
    first ?? '',
    /^10\.244\.1\.0\/26 and 39 other blocks: sent plain to 172\.16\.20\.1, which must know them; of the first: /,
  )
  assert.deepEqual(rest, [])
  const gatewayOf = (nextHop: Ipv4) =>
    ({ is: 'reachable', gateway: ipv4(nextHop % 2 === 0 ? '172.16.20.1' : '172.16.20.2'), device: 'eth0' }) as const
  assert.deepEqual(
    planAll({ ...facts('Never'), learned: far, gatewayOf }).problems.map(problem => /to (172[.\d]+),/.exec(problem)?.[1]),
    ['172.16.20.1', '172.16.20.2'],
  )
  const none = planAll({ ...facts('Never'), learned: far.slice(0, 2), gatewayOf: () => ({ is: 'none' }) }).problems
  assert.equal(none.length, 2, 'each next hop that cannot be reached has a reason of its own')
})

test('without ipip in the kernel, far blocks are unreachable, never plain by accident', () => {
  const plan = planAll({ ...facts('CrossSubnet'), ipipUnsupported: 'the kernel has no module ipip' })
  assert.deepEqual([...plan.intents.routes.values()].map(formatRoute).slice(0, 2), [
    '10.244.0.64/26 via 172.16.20.12 dev eth0 proto 80 metric 1024',
    'unreachable 10.244.0.128/26 proto 80 metric 1024',
  ])
  assert.equal(plan.intents.links.has('tunl0'), false)
  assert.match(
    plan.problems.join('\n'),
    /IPIP is unsupported by this kernel: the kernel has no module ipip; nothing is sent plain instead/,
  )
})

test('in VXLAN the far end is the route’s gateway, with one neighbour and forwarding entry a node however many blocks it has', () => {
  const learned = ['10.244.0.128/26', '10.244.0.192/26'].map(block => ({
    destination: prefix(block),
    nextHop: ipv4('172.16.36.11'),
    from: 'b1',
  }))
  const plan = planAll({ ...vxlan('CrossSubnet'), learned })
  assert.deepEqual([...plan.intents.routes.values()].filter(route => route.is === 'remote').map(formatRoute), [
    '10.244.0.128/26 via 10.244.0.129 dev vxlan.cali proto 80 metric 1024 onlink',
    '10.244.0.192/26 via 10.244.0.129 dev vxlan.cali proto 80 metric 1024 onlink',
  ])
  const b1 = { device: 'vxlan.cali', address: ipv4('10.244.0.129'), mac: '66:00:00:00:00:b1', remote: ipv4('172.16.36.11') }
  assert.deepEqual([...plan.intents.vteps], [['10.244.0.129', { ...b1, node: 'b1' }]])
  assert.deepEqual(plan.problems, [])
})

test('a node without a VXLAN device is unreachable, never plain by accident, and the others go on', () => {
  const plan = planAll(vxlan('Always', ['b1']))
  assert.deepEqual([...plan.intents.routes.values()].map(formatRoute).slice(0, 2), [
    '10.244.0.64/26 via 10.244.0.65 dev vxlan.cali proto 80 metric 1024 onlink',
    'unreachable 10.244.0.128/26 proto 80 metric 1024',
  ])
  assert.match(plan.problems.join(), /pool default wants VXLAN to node b1: node b1 takes no VXLAN/)
})

test('M56: two nodes of one tunnel address, or of one MAC, are refused with both named, and the first by name goes on', () => {
  const base = vxlan('Always')
  for (const [same, what] of [
    [{ tunnelAddress: ipv4('10.244.0.65') }, 'tunnel address 10.244.0.65'],
    [{ vxlanMac: '66:00:00:00:00:a2' }, 'VXLAN MAC 66:00:00:00:00:a2'],
  ] as const) {
    const builder = new SnapshotBuilder()
    for (const pool of base.snapshot.pools.values()) builder.apply(change(IP_POOL, pool))
    for (const node of base.snapshot.nodes.values()) builder.apply(change(NODE, node.name === 'b1' ? { ...node, ...same } : node))
    const { intents, problems } = planAll({ ...base, snapshot: builder.snapshot })
    assert.deepEqual(
      [...intents.routes.values()].slice(0, 2).map(({ is }) => is),
      ['remote', 'unreachable'],
    )
    assert.deepEqual(
      [...intents.vteps.values()].map(({ node }) => node),
      ['a2'],
    )
    assert.match(problems.join(), new RegExp(`nodes a2 and b1 have the same ${what}; a2 alone is sent VXLAN`))
  }
})

test('a kernel without VXLAN: far blocks are unreachable, there is no device, and IPIP is offered', () => {
  const base = vxlan('CrossSubnet')
  const plan = planAll({ ...base, vxlan: { ...base.vxlan, unsupported: 'the kernel has no module vxlan' } })
  assert.equal(plan.intents.links.has('vxlan.cali'), false)
  assert.equal(plan.intents.routes.get('10.244.0.128/26')?.is, 'unreachable')
  assert.match(
    plan.problems.join('\n'),
    /pool default has vxlanMode CrossSubnet, but VXLAN is unsupported by this kernel: .*; nothing is sent plain instead; "calictl ippool set default --ipip CrossSubnet" goes without it/,
  )
})

test('a kernel without VXLAN is spoken of once for all nodes', () => {
  const base = vxlan('Always')
  const { problems } = planAll({ ...base, vxlan: { ...base.vxlan, unsupported: 'the kernel has no module vxlan' } })
  assert.match(problems[1] ?? '', /^10\.244\.0\.64\/26 and \d+ other blocks?: unreachable, for want of VXLAN; of the first: /)
  assert.equal(problems.length, 2)
})

test('a kernel without IPIP: VXLAN is offered', () => {
  const plan = planAll({ ...facts('Always'), ipipUnsupported: 'the kernel has no module ipip' })
  assert.match(
    plan.problems.join('\n'),
    /nothing is sent plain instead; "calictl ippool set default --vxlan Always" goes without it/,
  )
})

test('a router that is no node gets no tunnelled packets', () => {
  const learned: Learned[] = [{ destination: prefix('10.244.9.0/26'), nextHop: ipv4('172.16.36.99'), from: 'tor' }]
  assert.deepEqual(remoteRoutes('Always', { learned }), ['10.244.9.0/26 via 172.16.20.1 dev eth0 proto 80 metric 1024'])
})

test('the decision is made with the own mask: a wider one makes the far node near', () => {
  const base = facts('CrossSubnet')
  const wide = { ...base, underlay: { ...base.underlay, subnet: prefix('172.16.0.0/16') } }
  assert.equal(
    formatRoute(planAll(wide).intents.routes.get('10.244.0.128/26') ?? assert.fail()),
    '10.244.0.128/26 via 172.16.36.11 dev eth0 proto 80 metric 1024',
  )
})

test('a pending claim is neither announced nor blackholed; own destinations win over learned ones', () => {
  const base = facts('CrossSubnet', { affinity: 'pending' })
  const { intents, originate } = planAll({
    ...base,
    learned: [...base.learned, { destination: prefix('10.244.0.2/32'), nextHop: ipv4('172.16.20.12'), from: 'a2' }],
  })
  assert.deepEqual(originate, [])
  assert.equal(intents.routes.has('10.244.0.0/26'), false)
  assert.equal(intents.routes.get('10.244.0.2/32')?.is, 'workload')
})

test('a borrowed address is announced by itself, and its owner’s blackhole is less specific than the route to the borrower', () => {
  const borrower = facts('Never', { affinity: 'elsewhere' })
  assert.deepEqual(planAll(borrower).originate, [prefix('10.244.0.2/32'), prefix('10.244.0.1/32')])
  const owner = facts('Never')
  const learned: Learned[] = [{ destination: prefix('10.244.0.9/32'), nextHop: ipv4('172.16.20.12'), from: 'a2' }]
  const { routes } = planAll({ ...owner, learned }).intents
  assert.equal(routes.get('10.244.0.0/26')?.is, 'blackhole')
  assert.equal(routes.get('10.244.0.9/32')?.is, 'remote')
})

test('the plan does not depend on the order of arrival', () => {
  const forward = planAll(facts('CrossSubnet'))
  const backward = planAll(facts('CrossSubnet', { reverse: true }))
  assert.deepEqual(new Map([...backward.intents.routes].sort()), new Map([...forward.intents.routes].sort()))
  assert.deepEqual(new Map([...backward.intents.sysctls].sort()), new Map([...forward.intents.sysctls].sort()))
})

test('the mesh is every other node; the lower address dials at once', () => {
  const { snapshot } = facts('Never')
  const self = snapshot.nodes.get('a2') ?? assert.fail()
  assert.deepEqual(
    planMesh(self, snapshot, 64512).map(({ name, asn, dials }) => [name, asn, dials]),
    [
      ['a1', 64512, 'later'],
      ['b1', 64512, 'at-once'],
    ],
  )
})

function remoteRoutes(mode: IpipMode, more: Partial<Facts> = {}): string[] {
  return [...planAll({ ...facts(mode), ...more }).intents.routes.values()].filter(route => route.is === 'remote').map(formatRoute)
}

/** The same cluster in VXLAN; the nodes named have no device. */
function vxlan(vxlanMode: IpipMode, deaf: readonly string[] = []): Facts {
  const base = facts('Never')
  const builder = new SnapshotBuilder()
  for (const pool of base.snapshot.pools.values()) builder.apply(change(IP_POOL, { ...pool, vxlanMode }))
  for (const node of base.snapshot.nodes.values())
    builder.apply(change(NODE, { ...node, vxlanMac: deaf.includes(node.name) ? undefined : `66:00:00:00:00:${node.name}` }))
  return { ...base, snapshot: builder.snapshot }
}

function facts(mode: IpipMode, how: { affinity?: 'pending' | 'confirmed' | 'elsewhere'; reverse?: boolean } = {}): Facts {
  const builder = new SnapshotBuilder()
  const changes = [
    change(IP_POOL, {
      name: 'default',
      cidr: prefix('10.244.0.0/16'),
      blockSize: 26,
      ipipMode: mode,
      vxlanMode: 'Never',
      natOutgoing: false,
      disabled: false,
    }),
    ...[
      ['a1', '172.16.20.11', '10.244.0.1'],
      ['a2', '172.16.20.12', '10.244.0.65'],
      ['b1', '172.16.36.11', '10.244.0.129'],
    ].map(([name = '', address = '', tunnel = '']) =>
      change(NODE, {
        name,
        id: name,
        address: ipv4(address),
        subnetLength: 24,
        asn: undefined,
        tunnelAddress: ipv4(tunnel),
        vxlanMac: undefined,
      }),
    ),
    change(BLOCK_AFFINITY, {
      block: prefix('10.244.0.0/26'),
      node: how.affinity === 'elsewhere' ? 'b1' : 'a1',
      state: how.affinity === 'pending' ? 'pending' : 'confirmed',
    }),
    change(BLOCK_AFFINITY, { block: prefix('10.244.0.64/26'), node: 'a2', state: 'confirmed' }),
    change(WORKLOAD_ENDPOINT, {
      node: 'a1',
      namespace: 'default',
      pod: 'web-1',
      containerId: 'c1',
      endpoint: 'eth0',
      interfaceName: CALI,
      mac: 'ee:ee:ee:ee:ee:ee',
      addresses: [ipv4('10.244.0.2')],
    }),
  ]
  for (const one of how.reverse === true ? changes.toReversed() : changes) assert.deepEqual(builder.apply(one), [])
  return {
    self: 'a1',
    snapshot: builder.snapshot,
    underlay: { device: 'eth0', address: ipv4('172.16.20.11'), subnet: prefix('172.16.20.0/24'), mtu: 1500 },
    ipipUnsupported: undefined,
    vxlan: { settings: VXLAN_DEFAULTS, mac: '66:00:00:00:00:0a', unsupported: undefined },
    strictEverywhere: false,
    learned: [
      { destination: prefix('10.244.0.64/26'), nextHop: ipv4('172.16.20.12'), from: 'a2' },
      { destination: prefix('10.244.0.128/26'), nextHop: ipv4('172.16.36.11'), from: 'b1' },
    ],
    gatewayOf: () => ({ is: 'reachable', gateway: ipv4('172.16.20.1'), device: 'eth0' }),
  }
}

function change<T>(kind: Kind<T>, value: T): Change {
  return { key: kind.keyOf(value), document: kind.print(value) }
}
