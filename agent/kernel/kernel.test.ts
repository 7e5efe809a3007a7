/** The kernel room whole, with its real tables, on a fake kernel: strangers, faults, and what is nobody's business of ours. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { planTunnel } from '@network/ipip/plan.ts'
import { addressKey, type Intents, type LinkIntent, type RouteIntent } from '@network/model/intent.ts'
import { addAddress, deleteAddress, toLinkAddress } from '@network/netlink/address.ts'
import { addVeth, deleteLink, type IfIndex, setLink } from '@network/netlink/link.ts'
import { formatRoute, type RouteSpec, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { addRoute, deleteRoute, replaceRoute } from '@network/netlink/route-message.ts'
import { FakeKernel } from '@network/netlink/testing/fake-kernel.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import * as fc from 'fast-check'
import { workloadSysctls } from '../plan/workloads.ts'
import { Devices } from './devices.ts'
import { Kernel } from './kernel.ts'
import { addressTable } from './tables/addresses.ts'
import { linkTable } from './tables/links.ts'
import { routeTable } from './tables/routes.ts'
import { sysctlTable } from './tables/sysctls.ts'
import { vtepTable } from './tables/vteps.ts'
import { MemorySettings } from './testing/memory-settings.ts'

const POOL = prefix('10.244.0.0/16')
const POD = 'cali0123456789a'
const OURS = { protocol: 80, metric: 1024 }
const LOCALNET = `net/ipv4/conf/${POD}/route_localnet`
const PROXY_DELAY = `net/ipv4/neigh/${POD}/proxy_delay`

/** A node with a NIC, a pod and tunl0, and an agent's kernel room that keeps it. */
class Node {
  readonly fake = new FakeKernel({ ipip: true })
  readonly stranger = this.fake.client()
  readonly settings = new MemorySettings(settingsOf(['eth0', 'tunl0', POD]))
  readonly clock = new ManualClock()
  readonly kernel: ReturnType<typeof kernelOf>

  constructor(random: Random = seededRandom(1)) {
    this.kernel = kernelOf(this, random)
    this.must(addVeth({ name: 'eth0' }, { name: 'wire', born: 'here' }), setLink('eth0', { up: true }))
    this.must(addVeth({ name: POD }, { name: 'pod', born: 'here' }))
    this.must(addAddress(toLinkAddress({ link: this.index('eth0'), address: ipv4('172.16.20.11'), length: 24 })))
  }

  /** The agent is in step: all that it wants is there. */
  static async settled(random?: Random): Promise<Node> {
    const node = new Node(random)
    node.kernel.desire(wanted())
    node.kernel.desiredIsComplete()
    await node.quiet()
    return node
  }

  index(name: string): IfIndex {
    return this.stranger.link(name)?.index ?? assert.fail(`there is no ${name}`)
  }

  must(...instructions: Instruction[]): void {
    for (const instruction of instructions) this.stranger.perform(instruction)
  }

  route(spec: Omit<RouteSpec, 'device'> & { readonly dev?: string }) {
    const { dev, ...rest } = spec
    return toRoute({ ...OURS, ...rest, device: dev === undefined ? undefined : this.index(dev) })
  }

  /** Lets the passes run that were asked for. */
  async passes(): Promise<void> {
    this.kernel.wake()
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  }

  /** What the monitor would bring about, then time for retries. */
  async quiet(): Promise<void> {
    await this.passes()
    for (let tries = 0; tries < 20 && !this.kernel.converged; tries++) {
      this.clock.advance(millis(30_000))
      await this.passes()
    }
    assert.ok(this.kernel.converged, `not converged: ${this.kernel.problems.join('; ')}\n${this.rows().join('\n')}`)
  }

  /** All that stands in the tables, as text. */
  rows(): string[] {
    const links = this.stranger.links()
    const nameOf = (index: IfIndex) => links.find(link => link.index === index)?.name
    return [
      ...links.map(({ name, mtu, up }) => `${name} mtu ${mtu} ${up ? 'up' : 'down'}`),
      ...this.stranger.addresses().map(row => `${row.address}/${row.length} dev ${nameOf(row.link)}`),
      ...this.stranger.routes().map(row => `${formatRoute(row, nameOf)} scope ${row.scope}`),
      ...[...this.settings.values].map(([path, value]) => `${path}=${value}`),
    ].sort()
  }
}

function kernelOf({ fake, settings, clock }: Pick<Node, 'fake' | 'settings' | 'clock'>, random: Random) {
  const client = fake.client()
  const devices = new Devices(() => client.links())
  const vteps = vtepTable(client, devices, 'vxlan.cali')
  return new Kernel({
    clock,
    random,
    log: silentLog,
    tables: {
      links: linkTable(client, devices),
      sysctls: sysctlTable(settings, () => undefined),
      addresses: addressTable(client, devices, address => contains(POOL, address)),
      vteps,
      routes: routeTable(client, devices, vteps.has),
    },
  })
}

function settingsOf(devices: readonly string[]): Record<string, string> {
  const each = (device: string) =>
    ['proxy_arp', 'forwarding', 'route_localnet', 'rp_filter'].map((name): [string, string] => [
      `net/ipv4/conf/${device}/${name}`,
      name === 'rp_filter' ? '1' : '0',
    ])
  return { 'net/ipv4/ip_forward': '0', [PROXY_DELAY]: '80', ...Object.fromEntries(devices.flatMap(each)) }
}

function wanted(): Intents {
  const tunnel = planTunnel({
    address: ipv4('10.244.0.1'),
    underlayDevice: 'eth0',
    underlayMtu: 1500,
    strictEverywhere: false,
  })
  const why = 'test'
  const routes: RouteIntent[] = [
    { is: 'blackhole', destination: prefix('10.244.0.0/26'), why },
    { is: 'workload', destination: prefix('10.244.0.2/32'), device: POD, why },
    { ...far('10.244.0.64/26', 'eth0', '172.16.20.12'), carriage: 'plain', onlink: false },
    far('10.244.0.128/26', 'tunl0', '172.16.36.11'),
    far('10.244.0.192/26', 'tunl0', '172.16.36.12'),
  ]
  const links: LinkIntent[] = [tunnel.link, { name: POD, create: undefined, up: true, mtu: undefined }]
  const forwarding = { path: 'net/ipv4/ip_forward', accept: ['1'], why } as const
  return {
    links: new Map(links.map(link => [link.name, link])),
    addresses: new Map([[addressKey(tunnel.address), tunnel.address]]),
    vteps: new Map(),
    routes: new Map(routes.map(route => [formatPrefix(route.destination), route])),
    sysctls: new Map([forwarding, ...tunnel.sysctls, ...workloadSysctls(POD)].map(intent => [intent.path, intent])),
  }
}

function far(destination: string, device: string, gateway: string): RouteIntent & { readonly is: 'remote' } {
  return {
    is: 'remote',
    carriage: 'ipip',
    destination: prefix(destination),
    device,
    gateway: ipv4(gateway),
    onlink: true,
    node: undefined,
    why: 'test',
  }
}

/** Foreign objects that look as much like ours as they can. */
function layBait(node: Node): void {
  node.must(
    addRoute(node.route({ destination: prefix('10.244.0.64/26'), type: 'blackhole', metric: 2048 })),
    addRoute(node.route({ destination: prefix('10.244.7.0/26'), type: 'blackhole', protocol: 12 })),
    addRoute(node.route({ destination: prefix('10.244.8.0/26'), type: 'blackhole', metric: 7 })),
    addRoute(node.route({ destination: prefix('10.244.9.0/26'), type: 'blackhole', table: 100 })),
    addVeth({ name: 'calibbbbbbbbbbb' }, { name: 'bait', born: 'here' }),
  )
  node.must(
    addAddress(toLinkAddress({ link: node.index('tunl0'), address: ipv4('192.168.1.1'), length: 32 })),
    addAddress(toLinkAddress({ link: node.index('calibbbbbbbbbbb'), address: ipv4('10.244.9.9'), length: 32 })),
  )
}

type Meddling = (node: Node) => Instruction[]
/** What a stranger may do to our things. */
const MEDDLINGS: readonly Meddling[] = [
  node => [deleteRoute(node.route({ destination: prefix('10.244.0.0/26'), type: 'blackhole' }))],
  node => [deleteRoute(node.route({ destination: prefix('10.244.0.2/32'), dev: POD, scope: SCOPE.link }))],
  node => [deleteRoute(node.route({ destination: prefix('10.244.0.128/26'), dev: 'tunl0', gateway: ipv4('172.16.36.11') }))],
  node => [replaceRoute(node.route({ destination: prefix('10.244.0.64/26'), type: 'unreachable' }))],
  node => [replaceRoute(node.route({ destination: prefix('10.244.0.192/26'), dev: 'eth0', gateway: ipv4('172.16.20.99') }))],
  node => [addRoute(node.route({ destination: prefix('10.244.3.0/26'), type: 'blackhole' }))],
  () => [setLink('tunl0', { up: false })],
  () => [setLink('tunl0', { mtu: 1280 })],
  () => [setLink(POD, { up: false })],
  node => [deleteAddress(toLinkAddress({ link: node.index('tunl0'), address: ipv4('10.244.0.1'), length: 32 }))],
  node => [addAddress(toLinkAddress({ link: node.index('tunl0'), address: ipv4('10.244.0.77'), length: 32 }))],
  node => {
    node.settings.values.set('net/ipv4/conf/tunl0/rp_filter', '1')
    return []
  },
  node => {
    node.settings.write('net/ipv4/ip_forward', '0')
    return []
  },
]

test('every single meddling is put right and counted, and nothing else is touched', async () => {
  const node = await Node.settled()
  layBait(node)
  await node.quiet()
  const before = node.rows()
  for (const [at, meddle] of MEDDLINGS.entries()) {
    node.must(...meddle(node))
    assert.notDeepEqual(node.rows(), before, `P0: meddling ${at} does something`)
    await node.quiet()
    assert.deepEqual(node.rows(), before, `meddling ${at}`)
  }
  assert.ok(node.kernel.repairs.count >= MEDDLINGS.length - 2, 'what was only added is removed, not repaired')
  assert.match(node.kernel.repairs.last.map(({ object }) => object).join(), /sysctl net\/ipv4\/ip_forward/)
})

test('what a stranger does while we put other things right is counted too', async () => {
  const node = await Node.settled()
  const before = { rows: node.rows(), count: node.kernel.repairs.count }
  const [first, , second] = MEDDLINGS
  assert.ok(first !== undefined && second !== undefined)
  node.must(...first(node))
  let meddled = false
  node.fake.fault = () => {
    if (!meddled) {
      meddled = true
      node.must(...second(node))
    }
    return undefined
  }
  await node.quiet()
  node.fake.fault = () => undefined
  assert.ok(meddled)
  assert.deepEqual(node.rows(), before.rows)
  assert.equal(node.kernel.repairs.count, before.count + 2)
})

test('whatever strangers do and the kernel refuses, all is well in the end and the bait is untouched', async () => {
  const meddling = fc.record({ which: fc.integer({ min: 0, max: MEDDLINGS.length - 1 }), seen: fc.boolean() })
  const refusal = fc.constantFrom(undefined, undefined, 'ENOBUFS', 'EBUSY')
  await fc.assert(
    fc.asyncProperty(
      fc.array(meddling, { maxLength: 12 }),
      fc.array(refusal, { maxLength: 8 }),
      fc.nat(),
      async (meddlings, refusals, seed) => {
        const node = await Node.settled(seededRandom(seed))
        layBait(node)
        const before = node.rows()
        const left = [...refusals]
        for (const { which, seen } of meddlings) {
          // A stranger's own attempt may fail: what is gone cannot be deleted again.
          node.stranger.performAll(MEDDLINGS[which]?.(node) ?? [])
          node.fake.fault = () => left.shift()
          if (seen) await node.passes()
          node.fake.fault = () => undefined
        }
        await node.quiet()
        assert.deepEqual(node.rows(), before)
      },
    ),
    { numRuns: 40 },
  )
})

test('nothing is removed before the desired side is complete', async () => {
  const node = new Node()
  const stale = node.route({ destination: prefix('10.244.5.0/26'), type: 'blackhole' })
  node.must(addRoute(stale))
  node.kernel.desire(wanted())
  await node.passes()
  assert.match(node.rows().join('\n'), /blackhole 10\.244\.5\.0\/26/)
  node.kernel.desiredIsComplete()
  await node.quiet()
  assert.doesNotMatch(node.rows().join('\n'), /10\.244\.5\.0\/26/)
})

test('route_localnet and proxy_delay, of which the kernel does not tell, are looked at every 30 seconds', async () => {
  const node = await Node.settled()
  node.settings.values.set(LOCALNET, '0')
  node.settings.values.set(PROXY_DELAY, '80')
  node.clock.advance(millis(29_000))
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([node.settings.read(LOCALNET), node.settings.read(PROXY_DELAY)], ['0', '80'], 'P0: nobody told')
  node.clock.advance(millis(1_000))
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([node.settings.read(LOCALNET), node.settings.read(PROXY_DELAY)], ['1', '0'])
  assert.equal(node.clock.next(), 30_000, 'and again')
})

test("a stranger's row over ours is reported and left; ours returns when theirs goes", async () => {
  const node = await Node.settled()
  const theirs = node.route({ destination: prefix('10.244.0.64/26'), type: 'prohibit', protocol: 4 })
  node.must(replaceRoute(theirs))
  await node.passes()
  assert.equal(node.kernel.converged, false)
  assert.match(node.kernel.problems.join(), /10\.244\.0\.64\/26: not ours to change, held by prohibit 10\.244\.0\.64\/26 proto 4/)
  node.must(deleteRoute(theirs))
  await node.quiet()
  assert.match(node.rows().join('\n'), /10\.244\.0\.64\/26 via 172\.16\.20\.12 dev eth0 proto 80/)
})

test('a NIC that goes and comes: its routes wait for it and return', async () => {
  const node = await Node.settled()
  node.must(setLink('eth0', { up: false }))
  await node.passes()
  assert.equal(node.kernel.converged, false)
  assert.deepEqual(node.kernel.problems, [
    'routes 10.244.0.64/26: cannot add route 10.244.0.64/26 via 172.16.20.12 dev eth0 proto 80 metric 1024: network is unreachable (ENETUNREACH)',
  ])
  node.must(setLink('eth0', { up: true }))
  await node.quiet()
  assert.deepEqual(node.kernel.problems, [])
})

test("a pod's interface that is gone is reported, not rebuilt; with a new one its route returns", async () => {
  const node = await Node.settled()
  node.must(deleteLink(POD))
  await node.passes()
  assert.match(node.kernel.problems.join('\n'), new RegExp(`links ${POD}: the interface is not there`))
  assert.equal(node.stranger.link(POD), undefined)
  node.must(addVeth({ name: POD }, { name: 'pod', born: 'here' }))
  await node.quiet()
  assert.ok(node.stranger.routes({ table: TABLE.main }).some(({ device }) => device === node.index(POD)))
})

test('routes are listed before they are written and once after, and once where nothing is to be done', async () => {
  const node = new Node()
  const listed = (): number => node.fake.lists.filter(what => what === 'routes').length
  node.kernel.desire(wanted())
  node.kernel.desiredIsComplete()
  await node.quiet()
  const settled = listed()
  await node.passes()
  assert.equal(listed(), settled + 1)
  node.must(deleteRoute(node.route({ destination: prefix('10.244.0.64/26'), gateway: ipv4('172.16.20.12'), dev: 'eth0' })))
  await node.passes()
  assert.equal(node.kernel.repairs.count, 1)
  assert.equal(listed(), settled + 3)
})

test('a kernel that is as wanted is not written to', async () => {
  const node = await Node.settled()
  const attempts = node.fake.attempts.length
  await node.passes()
  assert.equal(node.fake.attempts.length, attempts)
})
