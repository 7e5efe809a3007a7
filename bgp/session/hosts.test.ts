/** Ends of streams as Node has them, and which of our links they are on. */
import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { anyAddress } from '@network/base/net/any-address.ts'
import { formatIpv6, ipv6 } from '@network/base/net/ipv6.ts'
import { endOf, hostOf } from './hosts.ts'
import { linkLocalTowards } from './links.ts'

for (const [text, address, zone] of [
  ['192.0.2.1', '192.0.2.1', undefined],
  ['::ffff:192.0.2.1', '192.0.2.1', undefined],
  ['2001:db8::1', '2001:db8::1', undefined],
  ['fe80::1%eth1', 'fe80::1', 'eth1'],
] as const)
  test(`an end at ${text}`, () => {
    const end = endOf(text, 179)
    assert.deepEqual(end, { address: anyAddress(address), port: 179, ...(zone === undefined ? {} : { zone }) })
    assert.equal(hostOf(end), text.replace('::ffff:', ''))
  })

test('an end that Node does not know any more', () => {
  assert.deepEqual([endOf(undefined, 179), endOf('192.0.2.1', undefined), endOf('', 1)], [undefined, undefined, undefined])
})

test('a zone says nothing of an address that is not of a link', () => {
  assert.equal(hostOf({ address: ipv6('2001:db8::1'), port: 179, zone: 'eth1' }), '2001:db8::1')
})

const LINKS = {
  eth0: [on('2001:db8:0:1::1/64'), on('fe80::1:1/64')],
  eth1: [on('fe80::2:1/64'), on('2001:db8:0:2::1/64'), on('fd00::1/128')],
  eth2: [on('2001:db8:0:3::1/64')],
}

for (const { name, ours, theirs, shared } of [
  { name: 'a neighbour on the link', ours: '2001:db8:0:1::1', theirs: '2001:db8:0:1::2', shared: 'fe80::1:1' },
  { name: 'another interface', ours: '2001:db8:0:2::1', theirs: '2001:db8:0:2::2', shared: 'fe80::2:1' },
  { name: 'somebody behind a router', ours: '2001:db8:0:1::1', theirs: '2001:db8:0:2::2', shared: undefined },
  { name: 'a neighbour, from an address of a host route', ours: 'fd00::1', theirs: '2001:db8:0:2::2', shared: undefined },
  { name: 'an interface without a link-local address', ours: '2001:db8:0:3::1', theirs: '2001:db8:0:3::2', shared: undefined },
  { name: 'an address that is not ours', ours: '2001:db8:0:1::9', theirs: '2001:db8:0:1::2', shared: undefined },
])
  test(`our link-local address towards ${name} (RFC 2545 §3)`, () => {
    const found = linkLocalTowards(ipv6(ours), ipv6(theirs), LINKS)
    assert.equal(found === undefined ? undefined : formatIpv6(found), shared)
  })

function on(cidr: string): NetworkInterfaceInfo {
  const [address = ''] = cidr.split('/')
  return { address, cidr, family: 'IPv6', netmask: '', mac: '', internal: false, scopeid: 0 }
}
