/** OPEN: round trips, refusals, and bytes of other speakers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { seconds } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { open as anyOpen } from '../testing/arbitrary.ts'
import { IPV4_UNICAST, IPV6_UNICAST, NO_CAPABILITIES } from './capabilities.ts'
import { asnOf, decodeOpen, encodeOpen, myAsOf } from './open.ts'

const HEADER = 19

describe('OPEN', () => {
  test('survives the wire, short and extended parameters alike', () => {
    fc.assert(
      fc.property(anyOpen, value => {
        assert.deepEqual(decodeOpen(encodeOpen(value).subarray(HEADER)), { ok: true, value })
      }),
    )
  })

  test('any bytes give a verdict', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 10, maxLength: 120 }), body => {
        body[0] = 4
        assert.equal(typeof decodeOpen(body).ok, 'boolean')
      }),
    )
  })

  // Written out by hand from RFC 4271 §4.2, RFC 5492 §4, RFC 4724 §3 and RFC 9072 §2.
  const good: readonly { name: string; hex: string; asn: number; capabilities: object }[] = [
    { name: 'no parameters', hex: '04 fde8 005a c0000201 00', asn: 65000, capabilities: NO_CAPABILITIES },
    {
      name: 'a capability a parameter, an unknown one between',
      hex: '04 fde8 005a c0000201 14 0206 0104 00010001 0202 4900 0206 4104 fffffffe',
      asn: 4294967294,
      capabilities: { ...NO_CAPABILITIES, families: [IPV4_UNICAST], fourOctetAs: 4294967294 },
    },
    {
      name: 'graceful restart with R and F',
      hex: '04 fde8 005a c0000201 0a 0208 4006 8078 0001 01 80',
      asn: 65000,
      capabilities: {
        ...NO_CAPABILITIES,
        gracefulRestart: {
          restarting: true,
          notification: false,
          restartTime: seconds(120),
          families: [{ ...IPV4_UNICAST, forwarding: true }],
        },
      },
    },
    {
      name: 'graceful restart with N',
      hex: '04 fde8 005a c0000201 06 0204 4002 4078',
      asn: 65000,
      capabilities: {
        ...NO_CAPABILITIES,
        gracefulRestart: { restarting: false, notification: true, restartTime: seconds(120), families: [] },
      },
    },
    {
      name: 'extended messages, enhanced refresh, IPv4 over IPv6 behind a triple that says something else',
      hex: '04 fde8 005a c0000201 14 0212 0600 4600 050c 000100020002 000100010002',
      asn: 65000,
      capabilities: { ...NO_CAPABILITIES, extendedMessages: true, enhancedRefresh: true, ipv4OverIpv6: true },
    },
    {
      name: 'a role twice and another one; one of the wrong size',
      hex: '04 fde8 005a c0000201 0f 020d 090103 090103 090104 09020000',
      asn: 65000,
      capabilities: { ...NO_CAPABILITIES, roles: [3, 4] },
    },
    {
      name: 'long-lived graceful restart of two families',
      hex: '04 fde8 005a c0000201 12 0210 470e 000101 80 015180 000201 00 ffffff',
      asn: 65000,
      capabilities: {
        ...NO_CAPABILITIES,
        longLived: [
          { ...IPV4_UNICAST, forwarding: true, staleTime: seconds(86400) },
          { ...IPV6_UNICAST, forwarding: false, staleTime: seconds(16777215) },
        ],
      },
    },
    {
      name: 'long-lived graceful restart of the wrong size',
      hex: '04 fde8 005a c0000201 09 0207 4705 000101 80 01',
      asn: 65000,
      capabilities: NO_CAPABILITIES,
    },
    {
      name: 'several paths: each mode, one that nobody knows, one said again, and a body of the wrong size',
      hex: '04 fde8 005a c0000201 21 021f 4510 00010101 00020102 00190403 00010203 4508 00010104 00010203 4501 00',
      asn: 65000,
      capabilities: {
        ...NO_CAPABILITIES,
        addPath: [
          { ...IPV4_UNICAST, receive: true, send: false },
          { ...IPV6_UNICAST, receive: false, send: true },
          { afi: 25, safi: 4, receive: true, send: true },
          { afi: 1, safi: 2, receive: true, send: true },
        ],
      },
    },
    {
      name: 'extended next hop of the wrong size',
      hex: '04 fde8 005a c0000201 07 0205 0503 000100',
      asn: 65000,
      capabilities: NO_CAPABILITIES,
    },
    {
      name: 'a capability body of the wrong size',
      hex: '04 fde8 005a c0000201 05 0203 4101 07',
      asn: 65000,
      capabilities: NO_CAPABILITIES,
    },
    {
      name: 'extended parameters',
      hex: '04 fde8 005a c0000201 ff ff 0005 02 0002 0200',
      asn: 65000,
      capabilities: { ...NO_CAPABILITIES, routeRefresh: true },
    },
  ]
  for (const { name, hex, asn, capabilities } of good)
    test(name, () => {
      const decoded = decodeOpen(bytes(hex))
      assert.ok(decoded.ok)
      assert.equal(asnOf(decoded.value), asn)
      assert.equal(decoded.value.routerId, ipv4('192.0.2.1'))
      assert.deepEqual(decoded.value.capabilities, capabilities)
    })

  const bad: readonly { name: string; hex: string; says: string }[] = [
    { name: 'version 3', hex: '03 fde8 005a c0000201 00', says: '2/1 0004' },
    { name: 'parameters longer than the message', hex: '04 fde8 005a c0000201 05 0200', says: '2/0 ' },
    { name: 'octets behind the parameters', hex: '04 fde8 005a c0000201 02 0200 00', says: '2/0 ' },
    { name: 'octets behind no parameters', hex: '04 fde8 005a c0000201 00 00', says: '2/0 ' },
    { name: 'a capability that overruns its parameter', hex: '04 fde8 005a c0000201 04 0202 4104', says: '2/0 ' },
    { name: 'authentication', hex: '04 fde8 005a c0000201 02 0100', says: '2/4 ' },
    { name: 'extended parameters cut short', hex: '04 fde8 005a c0000201 ff ff 0009 02 0002', says: '2/0 ' },
    { name: 'a message that ends in the parameter length', hex: '04 fde8 005a c0000201 ff', says: '2/0 ' },
  ]
  for (const { name, hex, says } of bad)
    test(`${name}: ${says}`, () => {
      const decoded = decodeOpen(bytes(hex))
      assert.ok(!decoded.ok)
      const { code, subcode, data } = decoded.notification
      assert.equal(`${code}/${subcode} ${Buffer.from(data).toString('hex')}`, says)
    })

  test('an AS that does not fit goes as AS_TRANS', () => {
    assert.equal(myAsOf(65535), 65535)
    assert.equal(myAsOf(65536), 23456)
  })
})

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}
