import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { formatIpv4, ipv4, parseIpv4, toIpv4 } from './ipv4.ts'
import {
  contains,
  covers,
  formatPrefix,
  maskOf,
  overlaps,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefix,
  sizeOf,
  toPrefix,
} from './prefix.ts'

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(toIpv4)
const network = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([at, length]) => toPrefix(at, length))

test('addresses and prefixes print and read back the same', () => {
  fc.assert(fc.property(address, value => assert.equal(parseIpv4(formatIpv4(value)), value)))
  fc.assert(fc.property(network, value => assert.deepEqual(parsePrefix(formatPrefix(value)), { ok: true, value })))
})

for (const text of ['', '1.2.3', '010.1.1.1', '1.2.3.256', '1.2.3.4/24', '::1', ' 1.2.3.4', '1.2.3.4 '])
  test(`not an address: "${text}"`, () => assert.equal(parseIpv4(text), undefined))

for (const [text, says] of [
  ['10.1.0.7/16', /host bits set in 10\.1\.0\.7\/16: write 10\.1\.0\.0\/16/],
  ['10.1.0.0/33', /is not an IPv4 prefix/],
  ['10.1.0.0/08', /is not an IPv4 prefix/],
  ['10.1.0.0', /is not an IPv4 prefix/],
  ['10.1.0.0/16/1', /is not an IPv4 prefix/],
] as const)
  test(`not a prefix: "${text}"`, () => {
    const parsed = parsePrefix(text)
    assert.equal(parsed.ok, false)
    assert.match(parsed.ok ? '' : parsed.says, says)
  })

test('high addresses are positive numbers', () => {
  assert.equal(ipv4('255.255.255.255'), 4294967295)
  assert.equal(maskOf(0), 0)
  assert.equal(maskOf(32), 4294967295)
  assert.equal(sizeOf(prefix('0.0.0.0/0')), 2 ** 32)
  assert.deepEqual(parseInterfaceAddress('172.16.20.11/24'), { address: ipv4('172.16.20.11'), length: 24 })
})

test('containment, cover and overlap agree with arithmetic', () => {
  const lastOf = (one: Prefix) => toIpv4(one.address + sizeOf(one) - 1)
  fc.assert(
    fc.property(network, address, (one, at) => {
      assert.equal(contains(one, at), at >= one.address && at <= lastOf(one))
    }),
  )
  fc.assert(
    fc.property(network, network, (one, other) => {
      const inside = contains(one, other.address) && contains(one, lastOf(other))
      assert.equal(covers(one, other), inside)
      assert.equal(overlaps(one, other), covers(one, other) || covers(other, one))
    }),
  )
})
