/** Holds netlink to a real kernel, in an empty network namespace, with `ip` as the second opinion. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix, toPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { inNamespace, openNamespace } from '@network/base/sys/namespace.ts'
import { addAddress, deleteAddress, toLinkAddress } from '@network/netlink/address.ts'
import { NetlinkClient, type Outcome } from '@network/netlink/client.ts'
import { addLink, addVeth, deleteLink, type Link, setLink } from '@network/netlink/link.ts'
import { type KernelEvent, KernelMonitor } from '@network/netlink/monitor.ts'
import { deleteNeighbour, setNeighbour } from '@network/netlink/neighbour.ts'
import { type Route, type RouteSpec, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { addRoute, deleteRoute, replaceRoute } from '@network/netlink/route-message.ts'

const POD = '/run/netns/pod'
const PROTOCOL = 80
const METRIC = 1024
const GATEWAY = ipv4('10.0.0.2')
const PATIENCE = { timeout: 20_000 }

ip('netns', 'add', 'pod')
ip('link', 'set', 'lo', 'up')
const client = NetlinkClient.open()

test('a veth is made in one message, its peer born in the pod under its own name', () => {
  using namespace = openNamespace(POD)
  const mac = 'ee:ee:ee:ee:ee:ee'
  client.perform(
    addVeth(
      { name: 'cali0', mac, mtu: 1400, up: true },
      { name: 'eth0', mtu: 1400, mac: '02:00:00:00:00:05', born: { fd: namespace.fd } },
    ),
  )
  using pod = NetlinkClient.open({ namespace: POD })
  pod.perform(setLink('eth0', { up: true }))

  const [host] = json('link', 'show', 'dev', 'cali0')
  assert.deepEqual([host?.['address'], host?.['mtu'], host?.['link_netnsid'], isUp(host)], [mac, 1400, 0, true])
  const [peer] = json('-n', 'pod', 'link', 'show', 'dev', 'eth0')
  assert.deepEqual([peer?.['address'], peer?.['mtu'], isUp(peer)], ['02:00:00:00:00:05', 1400, true])
  assert.deepEqual(namesOf(pod.links()), ['eth0', 'lo'])
  assert.equal(linkNamed('cali0').peer?.namespaceId, 0)
  assert.equal(pod.link('eth0')?.peer?.index, linkNamed('cali0').index)
})

test('two clients in two namespaces live side by side, and the process stays where it was', () => {
  using pod = NetlinkClient.open({ namespace: POD })
  using here = NetlinkClient.open()
  for (let turn = 0; turn < 3; turn++) {
    assert.deepEqual(namesOf(pod.links()), ['eth0', 'lo'])
    assert.deepEqual(namesOf(here.links()), ['cali0', 'lo'])
  }
})

test('work that fails inside another namespace comes back all the same', () => {
  const failing = () => {
    throw new TypeError('on purpose')
  }
  assert.throws(() => inNamespace(POD, failing), /on purpose/)
  using here = NetlinkClient.open()
  assert.deepEqual(namesOf(here.links()), ['cali0', 'lo'])
})

test('a namespace that is missing, or none, is a fault with its path', () => {
  for (const path of ['/run/netns/gone', '/proc/self/ns/uts', '/proc/version'])
    assert.throws(
      () => NetlinkClient.open({ namespace: path }),
      (thrown: unknown) => thrown instanceof Fault && thrown.code === 'sys.namespace' && thrown.detail.on === path,
    )
})

test('addresses are added, found, replaced and removed', () => {
  const link = linkNamed('cali0').index
  const row = toLinkAddress({ link, address: ipv4('10.0.0.1'), length: 24, label: 'cali0' })
  const narrow = toLinkAddress({ link, address: ipv4('10.9.0.1'), length: 32, scope: SCOPE.link, label: 'cali0' })
  client.perform(addAddress(row))
  client.perform(addAddress(narrow))
  assert.deepEqual(
    client.addresses(link).toSorted((a, b) => a.address - b.address),
    [row, narrow],
  )
  const [shown] = json('-4', 'address', 'show', 'dev', 'cali0')
  assert.deepEqual(
    rows(shown?.['addr_info'])
      .map(info => `${info['local']}/${info['prefixlen']} ${info['scope']}`)
      .toSorted(),
    ['10.0.0.1/24 global', '10.9.0.1/32 link'],
  )
  assert.equal(errnoOf(client.performAll([addAddress(row)])[0]), 'EEXIST')
  client.perform(deleteAddress(narrow))
  assert.deepEqual(client.addresses(link), [row])
  assert.equal(errnoOf(client.performAll([deleteAddress(narrow)])[0]), 'EADDRNOTAVAIL')
})

test('routes of every kind that we need are what `ip` shows and what we list', () => {
  const device = linkNamed('cali0').index
  const specs: RouteSpec[] = [
    { destination: prefix('10.1.0.5/32'), device },
    { destination: prefix('10.1.2.0/26'), device, gateway: GATEWAY },
    { destination: prefix('10.1.3.0/26'), device, gateway: ipv4('172.16.0.9'), onlink: true },
    { destination: prefix('10.1.4.0/26'), type: 'blackhole' },
    { destination: prefix('10.1.5.0/26'), type: 'unreachable' },
    { destination: prefix('10.1.6.0/26'), type: 'prohibit' },
    { destination: prefix('10.1.7.0/26'), device, gateway: GATEWAY, mtu: 1300, source: ipv4('10.0.0.1') },
    {
      destination: prefix('10.1.8.0/26'),
      multipath: [
        { gateway: GATEWAY, device, onlink: false, weight: 1 },
        { gateway: ipv4('10.0.0.3'), device, onlink: false, weight: 3 },
      ],
    },
  ]
  const wanted = specs.map(ours)
  for (const route of wanted) client.perform(addRoute(route))
  assert.deepEqual(mine(), wanted)
  assert.deepEqual(json('route', 'show', 'proto', `${PROTOCOL}`).map(shown), [
    'unicast 10.1.0.5 dev cali0 scope link metric 1024',
    'unicast 10.1.2.0/26 via 10.0.0.2 dev cali0 scope global metric 1024',
    'unicast 10.1.3.0/26 via 172.16.0.9 dev cali0 scope global metric 1024 onlink',
    'blackhole 10.1.4.0/26 scope global metric 1024',
    'unreachable 10.1.5.0/26 scope global metric 1024',
    'prohibit 10.1.6.0/26 scope global metric 1024',
    'unicast 10.1.7.0/26 via 10.0.0.2 dev cali0 scope global metric 1024 src 10.0.0.1 mtu 1300',
    'unicast 10.1.8.0/26 scope global metric 1024 hops 2',
  ])
  assert.equal(errnoOf(client.performAll([addRoute(wanted[0] ?? assert.fail())])[0]), 'EEXIST')
  for (const route of wanted) client.perform(deleteRoute(route))
  assert.deepEqual(mine(), [])
})

test('a route is replaced in place, and only the exact row is removed', () => {
  const device = linkNamed('cali0').index
  const plain = ours({ destination: prefix('10.1.2.0/26'), device, gateway: GATEWAY })
  const onlink = ours({ destination: prefix('10.1.2.0/26'), device, gateway: ipv4('172.16.0.9'), onlink: true })
  const hole = ours({ destination: prefix('10.1.2.0/26'), type: 'blackhole' })
  const foreign = toRoute({ destination: prefix('10.1.2.0/26'), device, gateway: GATEWAY, protocol: 12, metric: 32 })
  client.perform(addRoute(foreign))
  for (const row of [plain, onlink, hole, plain]) {
    client.perform(replaceRoute(row))
    assert.deepEqual(mine(), [row])
  }
  assert.equal(errnoOf(client.performAll([deleteRoute(hole)])[0]), 'ESRCH')
  client.perform(deleteRoute(plain))
  assert.deepEqual(client.routes({ table: TABLE.main, protocol: 12 }), [foreign])
  client.perform(deleteRoute(foreign))
})

test('the kernel itself picks the rows of a table and a protocol', () => {
  const device = linkNamed('cali0').index
  const destination = prefix('10.2.0.0/26')
  const here = ours({ destination, device })
  const elsewhere = ours({ destination, device, table: 1000 })
  const theirs = toRoute({ destination, device, table: 1000, protocol: 12, metric: 7 })
  for (const route of [here, elsewhere, theirs]) client.perform(addRoute(route))
  assert.deepEqual(mine(), [here])
  assert.deepEqual(client.routes({ table: 1000, protocol: PROTOCOL }), [elsewhere])
  assert.deepEqual(client.routes({ table: 1000 }).length, 2)
  assert.deepEqual(client.routes({ protocol: PROTOCOL }).length, 2)
  assert.deepEqual(client.routes({ table: 4711 }), [])
  assert.ok(
    client.routes({ table: TABLE.local }).some(row => row.type === 'local' && row.destination.address === ipv4('10.0.0.1')),
  )
  for (const route of [here, elsewhere, theirs]) client.perform(deleteRoute(route))
})

test("a refusal carries the kernel's own words", () => {
  const nowhere = ours({ destination: prefix('10.5.0.0/16'), gateway: ipv4('10.77.0.1') })
  assert.throws(
    () => client.perform(addRoute(nowhere)),
    (thrown: unknown) =>
      thrown instanceof Fault &&
      thrown.code === 'netlink.refused' &&
      thrown.message ===
        'cannot add route 10.5.0.0/16 via 10.77.0.1 proto 80 metric 1024: Nexthop has invalid gateway (ENETUNREACH)',
  )
})

test('of a thousand routes one is bad: it is refused and the others stand', () => {
  const device = linkNamed('cali0').index
  const bad = 500
  const routes = Array.from({ length: 1000 }, (_, n) =>
    ours({
      destination: toPrefix(toIpv4(ipv4('10.64.0.0') + n * 64), 26),
      device,
      gateway: n === bad ? ipv4('10.77.0.1') : GATEWAY,
    }),
  )
  const outcomes = client.performAll(routes.map(replaceRoute))
  assert.equal(outcomes.length, routes.length)
  assert.deepEqual(
    outcomes.flatMap((outcome, n) => (outcome.is === 'refused' ? [[n, outcome.fault.detail.says]] : [])),
    [[bad, 'Nexthop has invalid gateway']],
  )
  assert.deepEqual(
    mine(),
    routes.filter((_, n) => n !== bad),
  )
  assert.equal(json('route', 'show', 'proto', `${PROTOCOL}`).length, 999)
  const gone = client.performAll(routes.map(deleteRoute))
  assert.deepEqual(
    gone.flatMap((outcome, n) => (outcome.is === 'refused' ? [[n, outcome.fault.detail.errno]] : [])),
    [[bad, 'ESRCH']],
  )
})

test('a batch whose every message is refused loses no refusal, though the receive buffer is small', () => {
  using narrow = NetlinkClient.open({ receiveBuffer: 32 << 10 })
  const missing = Array.from({ length: 3000 }, (_, n) => ours({ destination: toPrefix(toIpv4(n * 64), 26), type: 'blackhole' }))
  const outcomes = narrow.performAll(missing.map(deleteRoute))
  assert.equal(outcomes.filter(outcome => errnoOf(outcome) === 'ESRCH').length, 3000)
})

test('lookups tell the gateway, the device and the source address, or why there is no way', () => {
  const device = linkNamed('cali0').index
  const behind = ours({ destination: prefix('10.1.2.0/26'), device, gateway: GATEWAY })
  const hole = ours({ destination: prefix('10.1.4.0/26'), type: 'blackhole' })
  client.perform(addRoute(behind))
  client.perform(addRoute(hole))
  const found = client.lookupRoute(ipv4('10.1.2.3'))
  assert.ok(found.is === 'route')
  assert.deepEqual([found.route.gateway, found.route.device, found.route.source], [GATEWAY, device, ipv4('10.0.0.1')])
  assert.deepEqual(client.lookupRoute(ipv4('203.0.113.1')), { is: 'unreachable', errno: 'ENETUNREACH' })
  assert.equal(client.lookupRoute(ipv4('10.1.4.1')).is, 'unreachable')

  assert.equal(client.defaultRoute(), undefined)
  ip('route', 'add', 'default', 'via', '10.0.0.2', 'metric', '50')
  ip('route', 'add', 'default', 'via', '10.0.0.3', 'metric', '60')
  const best = client.defaultRoute()
  assert.deepEqual([best?.gateway, best?.device, best?.source], [GATEWAY, device, ipv4('10.0.0.1')])
  ip('route', 'flush', 'default')
  for (const route of [behind, hole]) client.perform(deleteRoute(route))
})

test('neighbours are set, listed and removed', () => {
  const link = linkNamed('cali0').index
  const mac = 'ee:ee:ee:ee:ee:01'
  client.perform(setNeighbour(link, GATEWAY, mac))
  assert.deepEqual(client.neighbours(link), [{ link, address: GATEWAY, mac, state: 'permanent', proxy: false }])
  assert.match(ip('neighbour', 'show', '10.0.0.2'), /10\.0\.0\.2 dev cali0 lladdr ee:ee:ee:ee:ee:01 PERMANENT/)
  client.perform(deleteNeighbour(link, GATEWAY))
  assert.deepEqual(client.neighbours(link), [])
  assert.equal(errnoOf(client.performAll([deleteNeighbour(link, GATEWAY)])[0]), 'ENOENT')
})

test('links are changed, and a link that is not there is named', () => {
  client.perform(setLink('cali0', { mtu: 1300, mac: '02:00:00:00:00:01' }))
  const { mtu, mac, up, kind } = linkNamed('cali0')
  assert.deepEqual({ mtu, mac, up, kind }, { mtu: 1300, mac: '02:00:00:00:00:01', up: true, kind: 'veth' })
  client.perform(setLink('cali0', { up: false }))
  assert.equal(linkNamed('cali0').up, false)
  client.perform(setLink('cali0', { up: true }))
  assert.throws(() => client.perform(setLink('nowhere', { up: true })), /cannot set link nowhere up: .*ENODEV/)
  assert.equal(client.link('nowhere'), undefined)
})

test('a kernel without ipip says so, one with it has tunl0 already', () => {
  const has = spawnSync('ip', ['link', 'add', 'probe0', 'type', 'ipip', 'remote', '192.0.2.1']).status === 0
  if (has) ip('link', 'delete', 'probe0')
  assert.equal(errnoOf(client.performAll([addLink({ name: 'tunl0', kind: 'ipip' })])[0]), has ? 'EEXIST' : 'EOPNOTSUPP')
})

test('the monitor hears what `ip` changes, in order', PATIENCE, async t => {
  using monitor = KernelMonitor.open({ groups: ['link', 'address', 'route', 'netconf'] })
  ip('link', 'add', 'm0', 'type', 'bridge')
  ip('address', 'add', '10.50.0.1/24', 'dev', 'm0')
  ip('link', 'set', 'm0', 'up')
  ip('route', 'add', 'blackhole', '10.51.0.0/24', 'proto', '80', 'metric', '1024')
  ip('route', 'delete', 'blackhole', '10.51.0.0/24')
  ip('link', 'delete', 'm0')
  const heard = await heardUntil(monitor, event => event.is === 'link' && event.change === 'gone', t.signal)
  const told = heard.flatMap(describe)
  const inOrder = [
    'link new m0',
    'address new 10.50.0.1/24',
    'link new m0 up',
    'route new 10.51.0.0/24 80',
    'route gone 10.51.0.0/24 80',
    'link gone m0',
  ]
  let from = -1
  for (const step of inOrder) {
    from = told.indexOf(step, from + 1)
    assert.notEqual(from, -1, `${step} is missing from ${told.join(', ')}`)
  }
})

test('the monitor hears of a setting that a wait is already open for', PATIENCE, async t => {
  using monitor = KernelMonitor.open({ groups: ['netconf'] })
  const index = linkNamed('cali0').index
  const hearing = heardUntil(monitor, event => event.is === 'netconf' && event.netconf.proxyArp === true, t.signal)
  spawnSync('sh', ['-c', 'echo 1 >/proc/sys/net/ipv4/conf/cali0/proxy_arp'])
  const last = (await hearing).at(-1)
  assert.equal(last?.is === 'netconf' && last.netconf.of, index)
  assert.equal(client.netconfs().find(row => row.of === index)?.proxyArp, true)
})

test('events that the kernel had to drop are reported, and hearing goes on', PATIENCE, async t => {
  using monitor = KernelMonitor.open({ groups: ['route'], receiveBuffer: 8 << 10 })
  const lines = Array.from(
    { length: 2000 },
    (_, n) => `route add blackhole ${formatPrefix(toPrefix(toIpv4(ipv4('10.64.0.0') + n * 64), 26))}`,
  )
  execFileSync('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` })
  const heard = await heardUntil(monitor, event => event.is === 'overrun', t.signal)
  assert.ok(heard.length < lines.length)
  ip('route', 'add', 'blackhole', '10.52.0.0/24')
  await heardUntil(monitor, event => event.is === 'route' && event.route.destination.address === ipv4('10.52.0.0'), t.signal)
  execFileSync('ip', ['route', 'flush', 'type', 'blackhole'])
})

test('a monitor in another namespace hears that one and not this one', PATIENCE, async t => {
  using monitor = KernelMonitor.open({ groups: ['address'], namespace: POD })
  ip('address', 'add', '10.53.0.1/32', 'dev', 'lo')
  ip('-n', 'pod', 'address', 'add', '10.54.0.1/32', 'dev', 'lo')
  const heard = await heardUntil(monitor, event => event.is === 'address', t.signal)
  assert.deepEqual(heard.flatMap(describe), ['address new 10.54.0.1/32'])
})

test('the monitor ends when it is abandoned', PATIENCE, async () => {
  using monitor = KernelMonitor.open({ groups: ['link'] })
  const abandon = new AbortController()
  const next = monitor.batches(abandon.signal).next()
  abandon.abort()
  assert.deepEqual(await next, { value: undefined, done: true })
})

test('a removed link takes the other end with it', () => {
  client.perform(deleteLink('cali0'))
  using pod = NetlinkClient.open({ namespace: POD })
  assert.deepEqual(namesOf(pod.links()), ['lo'])
})

function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8' })
}

type Row = Readonly<Record<string, unknown>>

function json(...words: string[]): readonly Row[] {
  const text = ip('-json', ...words).trim()
  return rows(text === '' ? [] : JSON.parse(text))
}

function rows(value: unknown): readonly Row[] {
  return Array.isArray(value) ? value.filter(row => typeof row === 'object' && row !== null) : []
}

/** What the administrator set; the operational state follows later, in the kernel's own time. */
function isUp(row: Row | undefined): boolean {
  return Array.isArray(row?.['flags']) && row['flags'].includes('UP')
}

/** A route of `ip -json` in a line. */
function shown(row: Row): string {
  const metrics = rows(row['metrics'])[0] ?? {}
  const hops = rows(row['nexthops'])
  const words = [
    `${row['type'] ?? 'unicast'} ${row['dst']}`,
    ...(row['gateway'] === undefined ? [] : [`via ${row['gateway']}`]),
    ...(row['dev'] === undefined ? [] : [`dev ${row['dev']}`]),
    `scope ${row['scope'] ?? 'global'} metric ${row['metric']}`,
    ...(row['prefsrc'] === undefined ? [] : [`src ${row['prefsrc']}`]),
    ...(metrics['mtu'] === undefined ? [] : [`mtu ${metrics['mtu']}`]),
    ...(hops.length === 0 ? [] : [`hops ${hops.length}`]),
    ...(Array.isArray(row['flags']) && row['flags'].includes('onlink') ? ['onlink'] : []),
  ]
  return words.join(' ')
}

function ours(spec: RouteSpec): Route {
  return toRoute({ ...spec, protocol: PROTOCOL, metric: METRIC })
}

function mine(): readonly Route[] {
  return client.routes({ table: TABLE.main, protocol: PROTOCOL })
}

/** Without the devices that some kernels put into every namespace. */
function namesOf(links: readonly Link[]): readonly string[] {
  return links
    .filter(link => link.kind === undefined || link.kind === 'veth')
    .map(link => link.name)
    .sort()
}

function linkNamed(name: string): Link {
  return client.link(name) ?? assert.fail(`there is no link ${name}`)
}

function errnoOf(outcome: Outcome | undefined): string | undefined {
  return outcome?.is === 'refused' ? outcome.fault.detail.errno : undefined
}

/** What was heard up to and with the first event that is wanted. */
async function heardUntil(monitor: KernelMonitor, isWanted: (event: KernelEvent) => boolean, signal: AbortSignal) {
  const heard: KernelEvent[] = []
  for await (const events of monitor.batches(signal)) {
    for (const event of events) {
      heard.push(event)
      if (isWanted(event)) return heard
    }
  }
  return assert.fail('the event did not come')
}

function describe(event: KernelEvent): string[] {
  switch (event.is) {
    case 'link':
      return [`link ${event.change} ${event.link.name}${event.link.up ? ' up' : ''}`]
    case 'address':
      return [`address ${event.change} ${formatIpv4(event.address.address)}/${event.address.length}`]
    case 'route':
      return [`route ${event.change} ${formatPrefix(event.route.destination)} ${event.route.protocol}`]
    default:
      return []
  }
}
