import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { contains, prefix } from '@network/base/net/prefix.ts'
import { addAddress, toLinkAddress } from '@network/netlink/address.ts'
import { addLink, addVeth, setLink } from '@network/netlink/link.ts'
import { toRoute } from '@network/netlink/route.ts'
import { addRoute } from '@network/netlink/route-message.ts'
import { FakeKernel } from '@network/netlink/testing/fake-kernel.ts'
import type { Former } from '../kernel/former.ts'
import { MemorySettings } from '../kernel/testing/memory-settings.ts'
import { type KernelTraces, removeFromKernel, strangeInterfaces } from './kernel.ts'

const POOL = prefix('10.244.0.0/16')
const POD = 'cali00000000001'
const THEIRS = 'cali00000000002'
const NOTHING: Former = { boot: '', sysctls: {}, tunnel: null, vxlanDevices: [], tunnelAddresses: [] }

/** A node with a pod, a route each of ours and of others, and tunl0 as the agent has it. */
function installed(former: Partial<Former>): { fake: FakeKernel; traces: KernelTraces } {
  const fake = new FakeKernel({ ipip: true })
  const netlink = fake.client()
  const tunnel = netlink.link('tunl0')?.index ?? assert.fail()
  for (const instruction of [
    addVeth({ name: POD }, { name: 'pod', born: 'here' }),
    addVeth({ name: THEIRS }, { name: 'other', born: 'here' }),
    setLink('tunl0', { up: true, mtu: 1380 }),
    addAddress(toLinkAddress({ link: tunnel, address: ipv4('10.244.0.1'), length: 32 })),
    addRoute(toRoute({ destination: prefix('10.244.0.0/26'), type: 'blackhole', protocol: 80, metric: 1024 })),
    addRoute(toRoute({ destination: prefix('10.244.0.0/26'), type: 'blackhole', protocol: 80, metric: 7 })),
  ])
    netlink.perform(instruction)
  const traces: KernelTraces = {
    netlink,
    settings: new MemorySettings({ 'net/ipv4/conf/eth0/rp_filter': '2' }),
    former: { ...NOTHING, ...former },
    interfaces: new Set([POD, 'cali00000000009']),
    vxlanDevices: new Set(['vxlan.cali', 'vxlan.was']),
    isPoolAddress: address => contains(POOL, address),
  }
  return { fake, traces }
}

function tunnelOf({ tables }: FakeKernel) {
  const link = tables.find('tunl0')
  return { mtu: link?.mtu, up: link?.up, addresses: tables.addresses.length }
}

test('what carries our mark goes, all else stays, settings and tunl0 are as they were', () => {
  const { fake, traces } = installed({
    tunnel: { was: 'present', mtu: 1440, up: false },
    sysctls: { 'net/ipv4/conf/eth0/rp_filter': { had: '1', wrote: '2' } },
  })
  const { removed, problems } = removeFromKernel(traces)
  assert.deepEqual(removed, [
    'route blackhole 10.244.0.0/26 proto 80 metric 1024',
    `interface ${POD}`,
    'address 10.244.0.1/32 on tunl0',
    'tunl0 is down with MTU 1440 again',
    'net/ipv4/conf/eth0/rp_filter is 1 again',
  ])
  assert.deepEqual(problems, [])
  assert.deepEqual(tunnelOf(fake), { mtu: 1440, up: false, addresses: 0 })
  assert.deepEqual(
    fake.tables.routes.map(({ metric }) => metric),
    [7],
  )
  assert.deepEqual(strangeInterfaces(traces.netlink), [THEIRS])
  assert.deepEqual(removeFromKernel(traces), { removed: [], problems: [] }, 'twice is as good as once')
})

const TUNNELS: readonly [
  what: string,
  former: Former['tunnel'],
  foreign: string | undefined,
  expected: ReturnType<typeof tunnelOf>,
][] = [
  [
    'nothing remembered, our address on it: idle, as the module makes it',
    null,
    undefined,
    { mtu: 1480, up: false, addresses: 0 },
  ],
  ['made by loading the module: idle', { was: 'absent' }, undefined, { mtu: 1480, up: false, addresses: 0 }],
  ['was up before', { was: 'present', mtu: 1400, up: true }, undefined, { mtu: 1400, up: true, addresses: 0 }],
  [
    'somebody uses it since: stays up for them',
    { was: 'present', mtu: 1480, up: false },
    '192.168.1.1',
    { mtu: 1480, up: true, addresses: 1 },
  ],
]

for (const [what, former, foreign, expected] of TUNNELS)
  test(`tunl0, ${what}`, () => {
    const { fake, traces } = installed({ tunnel: former })
    const link = traces.netlink.link('tunl0')?.index ?? assert.fail()
    if (foreign !== undefined) traces.netlink.perform(addAddress(toLinkAddress({ link, address: ipv4(foreign), length: 32 })))
    assert.deepEqual(removeFromKernel(traces).problems, [])
    assert.deepEqual(tunnelOf(fake), expected)
  })

test('the VXLAN device goes; an interface of that name that is none stays', () => {
  for (const [kind, expected] of [
    ['vxlan', ['device vxlan.cali']],
    ['bridge', []],
  ] as const) {
    const { fake, traces } = installed({})
    fake.client().perform(addLink({ name: 'vxlan.cali', kind }))
    fake.client().perform(addLink({ name: 'vxlan.theirs', kind: 'vxlan' }))
    assert.deepEqual(
      removeFromKernel(traces).removed.filter(line => line.includes('vxlan')),
      expected,
    )
    assert.equal(fake.tables.find('vxlan.theirs')?.kind, 'vxlan')
    assert.equal(fake.tables.find('vxlan.cali')?.kind, kind === 'vxlan' ? undefined : kind)
  }
})

test('a tunnel device that we never touched is not touched', () => {
  const fake = new FakeKernel({ ipip: true })
  const { traces } = installed({})
  const netlink = fake.client()
  netlink.perform(setLink('tunl0', { up: true, mtu: 1300 }))
  assert.deepEqual(removeFromKernel({ ...traces, netlink }), { removed: [], problems: [] })
  assert.deepEqual(tunnelOf(fake), { mtu: 1300, up: true, addresses: 0 })
})

test('what the kernel refuses is told, and spoils nothing else', () => {
  const { fake, traces } = installed({ tunnel: { was: 'present', mtu: 1480, up: false } })
  fake.fault = ({ doing }) => (doing === 'delete route' ? 'EPERM' : undefined)
  const { removed, problems } = removeFromKernel(traces)
  assert.match(problems.join('\n'), /cannot delete route blackhole 10\.244\.0\.0\/26/)
  assert.ok(removed.includes(`interface ${POD}`))
})
