/** The rules of a session on the way in and out, and the limit of prefixes. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import {
  type AsPath,
  type Attributes,
  BLACKHOLE,
  GRACEFUL_SHUTDOWN,
  NO_ADVERTISE,
  NO_EXPORT,
  plainAttributes,
} from '../attributes/attributes.ts'
import { IPV6_UNICAST } from '../wire/capabilities.ts'
import { describeNotification } from '../wire/notification.ts'
import { changesNothing, type ExportTerms, exported, nameOfTerms } from './export.ts'
import { type ImportTerms, imported } from './import.ts'
import { loadOf, tooManyPrefixes } from './max-prefixes.ts'
import type { Policy } from './policy.ts'

const PLACE = { localAsn: 64512, localAddress: ipv4('192.0.2.1') }
const REJECT: Policy = { name: 'none', rules: [], otherwise: 'reject' }
const NET = anyPrefix('10.1.0.0/16')

const path = (...asns: readonly number[]): AsPath => [{ kind: 'sequence', asns }]

describe('import', () => {
  const EXTERNAL: ImportTerms = {
    kind: 'external',
    peerAsn: 65001,
    isRouteServer: false,
    localAs: undefined,
    chain: [],
    place: PLACE,
  }
  const INTERNAL: ImportTerms = { ...EXTERNAL, kind: 'internal', peerAsn: 64512 }
  const heard = (changes: Partial<Attributes>): Attributes => ({
    ...plainAttributes(ipv4('192.0.2.9')),
    asPath: path(65001, 7),
    ...changes,
  })

  test('the path of an external peer begins with its own AS, unless it is a route server', () => {
    const foreign = heard({ asPath: path(65002) })
    const says = 'the path begins with AS 65002, the peer is in AS 65001'
    assert.deepEqual(imported(NET, foreign, EXTERNAL), { is: 'refused', why: says })
    assert.equal(imported(NET, heard({ asPath: [] }), EXTERNAL).is, 'refused')
    assert.equal(imported(NET, foreign, { ...EXTERNAL, isRouteServer: true }).is, 'usable')
    assert.equal(imported(NET, foreign, INTERNAL).is, 'usable')
  })

  test('a refusal names the policy', () => {
    assert.deepEqual(imported(NET, heard({}), { ...EXTERNAL, chain: [REJECT] }), {
      is: 'refused',
      why: 'rejected by policy none',
    })
  })

  test('an AS that we pretend to be in shows in the path', () => {
    const verdict = imported(NET, heard({}), { ...EXTERNAL, localAs: 65100 })
    assert.ok(verdict.is === 'usable')
    assert.deepEqual(verdict.attributes.asPath, path(65100, 65001, 7))
  })

  test('the weight of the peer is that of its routes, until a policy says another', () => {
    const heavy: Policy = {
      name: 'heavy',
      rules: [{ name: '1', when: [], change: [{ set: 'weight', value: 9 }], verdict: 'accept' }],
      otherwise: 'reject',
    }
    const weightOf = (terms: ImportTerms) => {
      const verdict = imported(NET, heard({}), terms)
      return verdict.is === 'usable' ? verdict.attributes.weight : undefined
    }
    assert.deepEqual([INTERNAL, { ...INTERNAL, weight: 5 }, { ...INTERNAL, weight: 5, chain: [heavy] }].map(weightOf), [
      undefined,
      5,
      9,
    ])
  })

  test('what has nothing to obey comes back itself', () => {
    const attributes = heard({ communities: [7] })
    const verdict = imported(NET, attributes, EXTERNAL)
    assert.ok(verdict.is === 'usable')
    assert.equal(verdict.attributes, attributes)
  })

  for (const { name, communities, expected } of [
    { name: 'GRACEFUL_SHUTDOWN: the last resort', communities: [GRACEFUL_SHUTDOWN], expected: { localPref: 0 } },
    { name: 'BLACKHOLE: not further than us', communities: [BLACKHOLE], expected: { communities: [BLACKHOLE, NO_EXPORT] } },
    { name: 'BLACKHOLE that is held back already', communities: [BLACKHOLE, NO_ADVERTISE], expected: {} },
  ])
    test(`${name}; inside our AS it stays as it is`, () => {
      const attributes = heard({ communities })
      const outside = imported(NET, attributes, EXTERNAL)
      const inside = imported(NET, attributes, INTERNAL)
      assert.ok(outside.is === 'usable' && inside.is === 'usable')
      assert.deepEqual(outside.attributes, { ...attributes, ...expected })
      assert.equal(inside.attributes, attributes)
    })
})

describe('export', () => {
  const TERMS: ExportTerms = {
    peerAsn: 65001,
    kind: 'external',
    asOverride: false,
    removePrivateAs: false,
    shownBehindLocalAs: undefined,
    chain: [],
    place: PLACE,
  }
  const cases: readonly { name: string; terms: Partial<ExportTerms>; sent: AsPath; expected: AsPath }[] = [
    { name: 'nothing', terms: {}, sent: path(64512, 65001), expected: path(64512, 65001) },
    {
      name: 'as-override',
      terms: { asOverride: true },
      sent: path(64512, 65001, 7, 65001),
      expected: path(64512, 64512, 7, 64512),
    },
    {
      name: 'remove-private-as',
      terms: { removePrivateAs: true },
      sent: path(64512, 65001, 7, 4200000000),
      expected: path(64512, 7),
    },
    {
      name: 'remove-private-as, only ours left',
      terms: { removePrivateAs: true },
      sent: path(64512, 65001),
      expected: path(64512),
    },
    {
      name: 'local-as with the real one behind',
      terms: { shownBehindLocalAs: 64512 },
      sent: path(65100, 7),
      expected: path(65100, 64512, 7),
    },
    {
      name: 'nothing, through a route server',
      terms: { transparent: true, removePrivateAs: true, asOverride: true },
      sent: path(65001, 64600),
      expected: path(65001, 64600),
    },
    {
      name: 'all inside our AS',
      terms: { kind: 'internal', asOverride: true, removePrivateAs: true },
      sent: path(65001),
      expected: path(65001),
    },
    {
      name: 'a set behind',
      terms: { asOverride: true },
      sent: [...path(64512), { kind: 'set', asns: [65001, 7] }],
      expected: [...path(64512), { kind: 'set', asns: [64512, 7] }],
    },
    {
      name: 'a full segment behind',
      terms: { shownBehindLocalAs: 64512 },
      sent: path(65100, ...Array.from({ length: 254 }, () => 7)),
      expected: [...path(65100, 64512), ...path(...Array.from({ length: 254 }, () => 7))],
    },
  ]
  for (const { name, terms, sent, expected } of cases)
    test(name, () => {
      const attributes = { ...plainAttributes(ipv4('192.0.2.9')), asPath: sent }
      const verdict = exported(NET, attributes, 'external', { ...TERMS, ...terms })
      assert.ok(verdict.is === 'accepted')
      assert.deepEqual(verdict.attributes.asPath, expected)
    })

  test('names are equal where the treatment is', () => {
    const other = { ...TERMS, peerAsn: 65002 }
    assert.equal(nameOfTerms(TERMS), nameOfTerms(other))
    assert.notEqual(nameOfTerms({ ...TERMS, asOverride: true }), nameOfTerms({ ...other, asOverride: true }))
    assert.notEqual(nameOfTerms(TERMS), nameOfTerms({ ...TERMS, chain: [REJECT] }))
    assert.deepEqual([changesNothing(TERMS), changesNothing({ ...TERMS, chain: [REJECT] })], [true, false])
  })
})

describe('a limit of prefixes', () => {
  test('is near from its percentage on, and over one above', () => {
    const limit = { limit: 100, warnAt: 80 }
    assert.deepEqual(
      [79, 80, 100, 101].map(received => loadOf(received, limit)),
      ['fine', 'near', 'near', 'over'],
    )
  })

  test('6/1 says family and limit', () => {
    const said = tooManyPrefixes(IPV6_UNICAST, 100_000)
    assert.equal(Buffer.from(said.data).toString('hex'), '000201000186a0')
    assert.match(describeNotification(said), /maximum number of prefixes reached \(6\/1\)/)
  })
})
