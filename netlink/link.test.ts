import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { addAddress, deleteAddress, type LinkAddress, readLinkAddress, toLinkAddress } from './address.ts'
import { addLink, addVeth, deleteLink, readLink, setLink, toIfIndex } from './link.ts'
import { parseMac } from './mac.ts'
import { deleteNeighbour, readNeighbour, setNeighbour } from './neighbour.ts'
import { readNetconf } from './netconf.ts'
import { SCOPE } from './route.ts'
import { fixture, readFixtures, toHex } from './testing/fixtures.ts'
import { bodyOf } from './testing/scripted-channel.ts'
import { eachMessage, FLAG, type Instruction, type Message } from './wire.ts'

const requests = readFixtures('requests')
const answers = readFixtures('answers')
const v0 = toIfIndex(3)
const peerMac = 'ee:ee:ee:ee:ee:01'
const linkScope = toLinkAddress({ link: v0, address: ipv4('10.9.0.1'), length: 32, scope: SCOPE.link })

const cases: readonly { readonly command: string; readonly instruction: Instruction }[] = [
  {
    command: 'ip link add c0 address ee:ee:ee:ee:ee:ee mtu 1400 type veth peer name eth0 mtu 1400 netns n1',
    instruction: addVeth({ name: 'c0', mac: 'ee:ee:ee:ee:ee:ee', mtu: 1400 }, { name: 'eth0', mtu: 1400, born: { fd: 4 } }),
  },
  { command: 'ip link add tunl0 type ipip', instruction: addLink({ name: 'tunl0', kind: 'ipip' }) },
  { command: 'ip link set v0 up', instruction: setLink(v0, { up: true }) },
  { command: 'ip link set v0 down', instruction: setLink(v0, { up: false }) },
  {
    command: 'ip link set v0 address ee:ee:ee:ee:ee:ee mtu 1300',
    instruction: setLink(v0, { mac: 'ee:ee:ee:ee:ee:ee', mtu: 1300 }),
  },
  { command: 'ip link delete c0', instruction: deleteLink(toIfIndex(5)) },
  {
    command: 'ip address add 10.0.0.1/24 dev v0',
    instruction: addAddress(toLinkAddress({ link: v0, address: ipv4('10.0.0.1'), length: 24 })),
  },
  {
    command: 'ip address add 10.8.0.1/24 brd 10.8.0.255 dev v0 label v0:x',
    instruction: addAddress(
      toLinkAddress({ link: v0, address: ipv4('10.8.0.1'), length: 24, broadcast: ipv4('10.8.0.255'), label: 'v0:x' }),
    ),
  },
  {
    command: 'ip address delete 10.9.0.1/32 dev v0',
    instruction: deleteAddress({ ...linkScope, scope: SCOPE.universe }),
  },
  {
    command: 'ip neighbour replace 10.0.0.2 lladdr ee:ee:ee:ee:ee:01 dev v0 nud permanent',
    instruction: setNeighbour(v0, ipv4('10.0.0.2'), peerMac),
  },
  { command: 'ip neighbour delete 10.0.0.2 dev v0', instruction: deleteNeighbour(v0, ipv4('10.0.0.2')) },
]

for (const { command, instruction } of cases) {
  test(`what we send is what \`${command}\` sends`, () => {
    const sent = fixture(requests, command)
    eachMessage(sent, ({ type, flags }) => {
      assert.deepEqual([instruction.type, instruction.flags | FLAG.request | FLAG.ack], [type, flags])
    })
    assert.equal(toHex(bodyOf(instruction.write).rest()), toHex(sent.subarray(16)))
  })
}

test('a veth whose peer lives elsewhere is read', () => {
  const { mac, ...link } = readLink(only('ip link show dev c0').body) ?? assert.fail()
  assert.ok(mac !== undefined && parseMac(mac) !== undefined)
  assert.deepEqual(link, {
    index: 6,
    name: 'c0',
    kind: 'veth',
    mtu: 1400,
    up: false,
    carrier: false,
    loopback: false,
    operState: 'down',
    peer: { index: 3, namespaceId: 0 },
    master: undefined,
    vxlan: undefined,
  })
})

test('a veth in a bridge is read with its peer and its master', () => {
  const link = readLink(only('ip link show dev v1').body)
  assert.deepEqual(
    [link?.up, link?.carrier, link?.operState, link?.peer, link?.master],
    [true, true, 'up', { index: v0, namespaceId: undefined }, 4],
  )
})

test('addresses are read', () => {
  const rows: LinkAddress[] = []
  eachMessage(fixture(answers, 'ip -4 address show dev v0'), ({ body }) => {
    const row = readLinkAddress(body)
    if (row !== undefined) rows.push(row)
  })
  const first = toLinkAddress({ link: v0, address: ipv4('10.0.0.1'), length: 24, label: 'v0' })
  assert.deepEqual(rows, [first, { ...first, address: ipv4('10.8.0.1'), broadcast: ipv4('10.8.0.255'), label: 'v0:x' }])
})

test('a neighbour is read', () => {
  const seen = readNeighbour(only('ip -4 neighbour show').body)
  assert.deepEqual(seen, { link: v0, address: ipv4('10.0.0.2'), mac: peerMac, state: 'permanent', proxy: false })
})

test('IPv4 settings of a link are read', () => {
  const seen = readNetconf(only('ip -4 netconf show dev v0').body)
  assert.deepEqual(seen, { of: v0, forwarding: false, rpFilter: 0, proxyArp: false })
})

test('a hardware address is six octets and nothing else', () => {
  assert.deepEqual(parseMac('EE:ee:00:01:fe:ff'), Uint8Array.of(0xee, 0xee, 0, 1, 0xfe, 0xff))
  for (const text of ['', 'ee:ee:ee:ee:ee', 'ee:ee:ee:ee:ee:ee:ee', 'eeeeeeeeeeee', 'e:e:e:e:e:e', 'gg:ee:ee:ee:ee:ee'])
    assert.equal(parseMac(text), undefined, text)
})

/** The first message that the kernel answered with. */
function only(command: string): Message {
  const messages: Message[] = []
  eachMessage(fixture(answers, command), message => messages.push(message))
  return messages[0] ?? assert.fail(`${command} was not answered`)
}
