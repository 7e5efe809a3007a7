/** Holds what netlink says of VXLAN to a real kernel, in an empty network namespace, with `ip` and `bridge` as the second opinion. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { deleteFdbEntry, setFdbEntry } from '@network/netlink/fdb.ts'
import { addLink, addVeth, addVxlan, deleteLink, type IfIndex, setLink } from '@network/netlink/link.ts'
import { type KernelEvent, KernelMonitor } from '@network/netlink/monitor.ts'
import { setNeighbour } from '@network/netlink/neighbour.ts'

const PEER_MAC = '66:00:00:00:00:0c'
const LOCAL = ipv4('172.16.36.4')
const client = NetlinkClient.open()
client.perform(addVeth({ name: 'eth0', up: true }, { name: 'wire', born: 'here' }))
client.perform(setLink('wire', { up: true }))

test('M17, M25: a device with VNI, port, source and MAC as chosen, learning off, MTU 50 octets below its NIC; read back as made', () => {
  const choice = { vni: 10001, port: 4899, local: LOCAL, over: index('eth0') }
  client.perform(addVxlan({ name: 'vx0', mac: 'c2:6a:9b:e5:39:8d' }, choice))
  const text = ip('-d', 'link', 'show', 'dev', 'vx0')
  assert.match(text, /link\/ether c2:6a:9b:e5:39:8d/)
  assert.match(text, /mtu 1450 /)
  assert.match(text, /vxlan id 10001 local 172\.16\.36\.4 dev eth0 srcport 0 0 dstport 4899 nolearning/)
  const { vxlan, kind, mtu } = client.link('vx0') ?? assert.fail()
  assert.deepEqual([kind, mtu], ['vxlan', 1450])
  assert.deepEqual(vxlan, {
    vni: 10001,
    port: 4899,
    local: LOCAL,
    over: index('eth0'),
    learning: false,
    remote: undefined,
    external: false,
  })
})

test('M35: VNI 0 and 16777215 are taken, 16777216 is refused by the kernel', () => {
  for (const vni of [0, 16_777_215]) {
    client.perform(addVxlan({ name: 'edge' }, { vni, port: 4790, local: LOCAL, over: index('eth0') }))
    assert.equal(client.link('edge')?.vxlan?.vni, vni)
    client.perform(deleteLink('edge'))
  }
  const [outcome] = client.performAll([
    addVxlan({ name: 'edge' }, { vni: 16_777_216, port: 4790, local: LOCAL, over: index('eth0') }),
  ])
  assert.equal(outcome?.is === 'refused' ? outcome.fault.detail.errno : 'done', 'ERANGE')
})

test('M18: a second device with the same VNI and port is refused', () => {
  const choice = { vni: 10001, port: 4899, local: LOCAL, over: index('eth0') }
  const [outcome] = client.performAll([addVxlan({ name: 'vx1' }, choice)])
  assert.equal(outcome?.is === 'refused' ? outcome.fault.detail.errno : 'done', 'EEXIST')
})

test('what a stranger made is read: learning, a remote, no own VNI', () => {
  ip('link', 'add', 'vx2', 'type', 'vxlan', 'id', '7', 'dstport', '4791', 'remote', '172.16.36.9', 'dev', 'eth0')
  ip('link', 'add', 'vx3', 'type', 'vxlan', 'external', 'dstport', '4792')
  const [two, three] = ['vx2', 'vx3'].map(name => client.link(name)?.vxlan)
  assert.deepEqual([two?.learning, two?.remote, two?.external], [true, '172.16.36.9', false])
  assert.equal(three?.external, true)
})

test('M21, M42: entries are set, replaced, set again and removed; `bridge` says the same', () => {
  const vx0 = index('vx0')
  const entries = () =>
    client.forwardingEntries(vx0).map(row => `${row.mac} ${row.remote && formatIpv4(row.remote)} ${row.permanent}`)
  assert.deepEqual(entries(), [], 'P0')
  client.perform(setFdbEntry(vx0, PEER_MAC, ipv4('172.16.36.5')))
  client.perform(setFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4')))
  client.perform(setFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4')))
  assert.deepEqual(entries(), [`${PEER_MAC} 172.16.35.4 true`])
  assert.match(bridge('fdb', 'show', 'dev', 'vx0'), /^66:00:00:00:00:0c dst 172\.16\.35\.4 self permanent$/m)
  bridge('fdb', 'append', '00:00:00:00:00:00', 'dst', '172.16.36.77', 'dev', 'vx0')
  assert.equal(entries().length, 2)
  client.perform(deleteFdbEntry(vx0, '00:00:00:00:00:00', ipv4('172.16.36.77')))
  client.perform(deleteFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4')))
  assert.deepEqual(entries(), [])
  const [outcome] = client.performAll([deleteFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4'))])
  assert.equal(outcome?.is === 'refused' ? outcome.fault.detail.errno : 'done', 'ENOENT')
})

test('entries of one device only are listed, and none of what a bridge knows', () => {
  client.perform(addLink({ name: 'br0', kind: 'bridge' }))
  ip('link', 'set', 'wire', 'master', 'br0')
  client.perform(setFdbEntry(index('vx2'), PEER_MAC, ipv4('172.16.35.4')))
  assert.deepEqual(client.forwardingEntries(index('vx0')), [])
  ip('link', 'set', 'wire', 'nomaster')
})

test('changes of the forwarding table and of neighbours are heard, each for what it is', { timeout: 20_000 }, async () => {
  using monitor = KernelMonitor.open({ groups: ['neighbour'] })
  const vx0 = index('vx0')
  client.perform(setFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4')))
  client.perform(setNeighbour(vx0, ipv4('10.244.0.65'), PEER_MAC))
  client.perform(deleteFdbEntry(vx0, PEER_MAC, ipv4('172.16.35.4')))
  const heard: KernelEvent[] = []
  const stop = new AbortController()
  for await (const events of monitor.batches(stop.signal)) {
    heard.push(...events)
    if (heard.length >= 3) stop.abort()
  }
  assert.deepEqual(
    heard.map(event => [event.is, 'change' in event && event.change]),
    [
      ['forwarding', 'new'],
      ['neighbour', 'new'],
      ['forwarding', 'gone'],
    ],
  )
})

test('the row that a packet would go by is found with the MTU that somebody gave it', () => {
  ip('address', 'add', '172.16.36.4/24', 'dev', 'eth0')
  ip('route', 'add', '172.16.35.0/24', 'via', '172.16.36.1', 'mtu', '1400')
  assert.equal(client.matchRoute(ipv4('172.16.35.4'))?.mtu, 1400)
  assert.equal(client.matchRoute(ipv4('172.16.36.9'))?.mtu, undefined)
  assert.equal(client.matchRoute(ipv4('8.8.8.8')), undefined)
})

function index(name: string): IfIndex {
  return client.link(name)?.index ?? assert.fail(`there is no ${name}`)
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' })
}

function bridge(...args: string[]): string {
  return execFileSync('bridge', args, { encoding: 'utf8' })
}
