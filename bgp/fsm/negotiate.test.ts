/** Two OPENs: what the session may do, and why there is none. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { seconds } from '@network/base/time/units.ts'
import { rawOpen } from '../testing/raw-peer.ts'
import { type Capabilities, IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import type { Open } from '../wire/open.ts'
import { type Expectation, negotiate, roleSaidIn } from './negotiate.ts'

const EXPECTED: Expectation = { remoteAsn: 64512 }
const ALL: Partial<Capabilities> = {
  families: [IPV4_UNICAST, IPV6_UNICAST],
  extendedMessages: true,
  enhancedRefresh: true,
  ipv4OverIpv6: true,
  gracefulRestart: { restarting: false, notification: true, restartTime: seconds(120), families: [] },
}
const OURS = rawOpen({ routerId: ipv4('192.0.2.1') }, ALL)

describe('the terms', () => {
  test('when both can do everything', () => {
    const { dialect, ...terms } = termsWith(rawOpen({}, ALL))
    assert.deepEqual(dialect, {
      kind: 'internal',
      asnOctets: 4,
      multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: true },
    })
    assert.deepEqual(
      [terms.families, terms.longestMessage, terms.enhancedRefresh, terms.keptOverNotification],
      [[IPV4_UNICAST, IPV6_UNICAST], 65535, true, true],
    )
  })

  test('when the peer can do nothing: IPv4 unicast with two-octet AS numbers', () => {
    const { dialect, ...terms } = termsWith(
      rawOpen({ myAs: 64512 }, { families: [], fourOctetAs: undefined, routeRefresh: false }),
    )
    assert.deepEqual(dialect, { kind: 'internal', asnOctets: 2 })
    assert.deepEqual(
      [terms.families, terms.longestMessage, terms.enhancedRefresh, terms.routeRefresh, terms.keptOverNotification],
      [[IPV4_UNICAST], 4096, false, false, false],
    )
  })

  test('families are those of both, in our order', () => {
    assert.deepEqual(termsWith(rawOpen({}, { families: [{ afi: 25, safi: 70 }, IPV6_UNICAST] })).families, [IPV6_UNICAST])
  })

  test('AS_SETs are taken where the operator says so', () => {
    assert.equal(termsWith(rawOpen()).dialect.asSets, undefined)
    assert.equal(termsWith(rawOpen(), { ...EXPECTED, acceptAsSets: true }).dialect.asSets, 'accepted')
  })
})

test('roles that fit each other, or that nobody asks for', () => {
  for (const [role, number] of [
    ['provider', 3],
    ['customer', 0],
    ['rs', 2],
    ['rs-client', 1],
    ['peer', 4],
  ] as const)
    assert.equal(
      roleSaidIn(termsWith(rawOpen({}, { roles: [number] }), { ...EXPECTED, role, strictRole: true }).remote),
      COUNTER[role],
    )
  assert.equal(roleSaidIn(termsWith(rawOpen({}, { roles: [3, 4] })).remote), undefined)
})
const COUNTER = { provider: 'customer', customer: 'provider', rs: 'rs-client', 'rs-client': 'rs', peer: 'peer' } as const

describe('no session', () => {
  const cases: readonly { name: string; theirs: Open; expected?: Expectation; says: string }[] = [
    { name: 'another AS', theirs: rawOpen({}, { fourOctetAs: 65001 }), says: '2/2 ' },
    { name: 'AS 0 in My AS', theirs: rawOpen({ myAs: 0 }), says: '2/2 ' },
    { name: 'AS 0 in the capability', theirs: rawOpen({}, { fourOctetAs: 0 }), says: '2/2 ' },
    { name: 'AS_TRANS without the capability', theirs: rawOpen({ myAs: 23456 }, { fourOctetAs: undefined }), says: '2/2 ' },
    { name: 'identifier 0.0.0.0', theirs: rawOpen({ routerId: ipv4('0.0.0.0') }), says: '2/3 ' },
    { name: 'our own identifier inside', theirs: rawOpen({ routerId: ipv4('192.0.2.1') }), says: '2/3 ' },
    { name: 'hold time 1', theirs: rawOpen({ holdTime: seconds(1) }), says: '2/6 ' },
    { name: 'hold time 2', theirs: rawOpen({ holdTime: seconds(2) }), says: '2/6 ' },
    {
      name: 'hold time under the configured one',
      theirs: rawOpen({ holdTime: seconds(9) }),
      expected: { ...EXPECTED, minHoldTime: seconds(10) },
      says: '2/6 ',
    },
    {
      name: 'another role than ours calls for',
      theirs: rawOpen({}, { roles: [4] }),
      expected: { ...EXPECTED, role: 'provider' },
      says: '2/11 ',
    },
    {
      name: 'two roles, one of them right',
      theirs: rawOpen({}, { roles: [3, 4] }),
      expected: { ...EXPECTED, role: 'provider' },
      says: '2/11 ',
    },
    {
      name: 'a role that nobody knows',
      theirs: rawOpen({}, { roles: [9] }),
      expected: { ...EXPECTED, role: 'provider' },
      says: '2/11 ',
    },
    {
      name: 'no role where one is insisted on',
      theirs: rawOpen(),
      expected: { ...EXPECTED, role: 'provider', strictRole: true },
      says: '2/11 ',
    },
    {
      name: 'no common family',
      theirs: rawOpen({}, { families: [{ afi: 25, safi: 70 }] }),
      says: '2/7 0104000100010104000200 01',
    },
  ]
  for (const { name, theirs, expected = EXPECTED, says } of cases)
    test(`${name}: ${says}`, () => {
      const negotiated = negotiate(OURS, theirs, expected)
      assert.ok(!negotiated.ok)
      const { code, subcode, data } = negotiated.notification
      assert.equal(`${code}/${subcode} ${Buffer.from(data).toString('hex')}`, says.replace('00 01', '0001'))
    })

  test('our own identifier in another AS is legal, and so is any that is not 0 (RFC 6286)', () => {
    const theirs = rawOpen({ routerId: ipv4('192.0.2.1') }, { fourOctetAs: 65001 })
    assert.ok(negotiate(OURS, theirs, { remoteAsn: 65001 }).ok)
    assert.ok(negotiate(OURS, rawOpen({ routerId: ipv4('224.0.0.5') }), EXPECTED).ok)
  })
})

function termsWith(theirs: Open, expected = EXPECTED) {
  const negotiated = negotiate(OURS, theirs, expected)
  assert.ok(negotiated.ok)
  return negotiated.terms
}
