import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { anyAddress, formatAddress, isUnspecified, parseAddress, unmapped } from './any-address.ts'
import { anyPrefix, coversAny, formatAnyPrefix, hostPrefix, isPrefix6, parseAnyPrefix } from './any-prefix.ts'
import { toIpv4 } from './ipv4.ts'
import {
  covers6,
  formatIpv6,
  formatPrefix6,
  ipv6,
  isLinkLocal,
  isUsableHost6,
  parseIpv6,
  parsePrefix6,
  prefix6,
  toIpv6,
  toPrefix6,
} from './ipv6.ts'

const address = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(toIpv6)
const network = fc.tuple(address, fc.integer({ min: 0, max: 128 })).map(([at, length]) => toPrefix6(at, length))

test('addresses and prefixes print and read back the same', () => {
  fc.assert(fc.property(address, value => assert.equal(parseIpv6(formatIpv6(value)), value)))
  fc.assert(fc.property(network, value => assert.deepEqual(parsePrefix6(formatPrefix6(value)), { ok: true, value })))
})

for (const [text, printed] of [
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['::', '::'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
] as const)
  test(`${text} prints as ${printed}`, () => assert.equal(formatIpv6(ipv6(text)), printed))

for (const text of ['', '1.2.3.4', ':::', '2001:db8::1%eth0', '2001:db8::/32', '12345::', ' ::1'])
  test(`not an address: "${text}"`, () => assert.equal(parseIpv6(text), undefined))

for (const [text, says] of [
  ['2001:db8::1/32', /host bits set in 2001:db8::1\/32: write 2001:db8::\/32/],
  ['2001:db8::/129', /is not an IPv6 prefix/],
  ['2001:db8::/064', /is not an IPv6 prefix/],
  ['2001:db8::', /is not an IPv6 prefix/],
  ['10.0.0.0/8', /is not an IPv6 prefix/],
] as const)
  test(`not a prefix: "${text}"`, () => {
    const parsed = parsePrefix6(text)
    assert.match(parsed.ok ? '' : parsed.says, says)
  })

test('what kind of address it is', () => {
  assert.deepEqual(['fe80::1', 'febf::1', 'fec0::1', '2001:db8::1'].map(ipv6).map(isLinkLocal), [true, true, false, false])
  assert.deepEqual(['::', '::1', 'ff02::1', 'fe80::1'].map(ipv6).map(isUsableHost6), [false, false, false, true])
})

test('cover agrees with arithmetic, and never goes over families', () => {
  fc.assert(
    fc.property(network, network, (one, other) => {
      const last = one.address + (1n << BigInt(128 - one.length)) - 1n
      const inside = other.length >= one.length && other.address >= one.address && other.address <= last
      assert.equal(covers6(one, other), inside)
    }),
  )
  assert.equal(coversAny(anyPrefix('::/0'), anyPrefix('10.0.0.0/8')), false)
  assert.equal(coversAny(anyPrefix('0.0.0.0/0'), prefix6('::/0')), false)
  assert.equal(coversAny(anyPrefix('10.0.0.0/8'), anyPrefix('10.1.0.0/16')), true)
  assert.deepEqual(['10.0.0.0/8', '2001:db8::/32'].map(anyPrefix).map(isPrefix6), [false, true])
  assert.deepEqual(['10.0.0.0/8', '2001:db8::/32'].map(anyPrefix).map(formatAnyPrefix), ['10.0.0.0/8', '2001:db8::/32'])
  assert.equal(parseAnyPrefix('nonsense').ok, false)
})

test('an address of either family prints and reads back the same; only the mapped ones become IPv4', () => {
  const any = fc.oneof(
    address,
    fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(value => toIpv4(value)),
  )
  fc.assert(fc.property(any, value => assert.equal(parseAddress(formatAddress(value)), value)))
  const texts = ['::ffff:192.0.2.1', '::192.0.2.1', '1::ffff:192.0.2.1', '192.0.2.1'].map(anyAddress)
  assert.deepEqual(texts.map(unmapped).map(formatAddress), ['192.0.2.1', '::c000:201', '1::ffff:c000:201', '192.0.2.1'])
  assert.deepEqual(['0.0.0.0', '::', '::1', '0.0.0.1'].map(anyAddress).map(isUnspecified), [true, true, false, false])
  assert.throws(() => anyAddress('eth1'), /not an address/)
  assert.deepEqual(['192.0.2.1', '2001:db8::1'].map(anyAddress).map(hostPrefix).map(formatAnyPrefix), [
    '192.0.2.1/32',
    '2001:db8::1/128',
  ])
})
