/** Policies and routes: which rule has the word, and what becomes of the route. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { type Attributes, NO_EXPORT, plainAttributes } from '../attributes/attributes.ts'
import { parseAsPathPattern } from './as-path-pattern.ts'
import { parseCommunity, parseCommunityPattern, parseLargeCommunity, parseLargeCommunityPattern } from './community-pattern.ts'
import { effective } from './default.ts'
import { evaluate, type PolicyPlace } from './evaluate.ts'
import type { Change, Condition, Policy, Rule } from './policy.ts'

const PLACE: PolicyPlace = { localAsn: 64512, localAddress: ipv4('192.0.2.1'), localAddress6: ipv6('2001:db8::1') }
const PLAIN: Attributes = {
  ...plainAttributes(ipv4('192.0.2.9')),
  asPath: [{ kind: 'sequence', asns: [65001, 65010] }],
  communities: [known(parseCommunity('65001:7')), NO_EXPORT],
  largeCommunities: [known(parseLargeCommunity('65001:1:2'))],
  extendedCommunities: [0x0002fde900000001n],
}

const CONDITIONS: readonly { readonly name: string; readonly when: Condition; readonly holds: boolean }[] = [
  { name: 'the prefix itself', when: within('10.1.0.0/16', 16, 16), holds: true },
  { name: 'a longer prefix than ge', when: within('10.0.0.0/8', 16, 24), holds: true },
  { name: 'a shorter prefix than ge', when: within('10.0.0.0/8', 17, 32), holds: false },
  { name: 'a longer prefix than le', when: within('10.0.0.0/8', 8, 15), holds: false },
  { name: 'another prefix', when: within('11.0.0.0/8', 8, 32), holds: false },
  { name: 'all of IPv6', when: within('::/0', 0, 128), holds: false },
  { name: 'family IPv4', when: { is: 'family', family: 'ipv4' }, holds: true },
  { name: 'family IPv6', when: { is: 'family', family: 'ipv6' }, holds: false },
  { name: 'AS path', when: { is: 'as-path', pattern: pattern('^65001') }, holds: true },
  { name: 'another AS path', when: { is: 'as-path', pattern: pattern('^65010') }, holds: false },
  { name: 'AS path length', when: { is: 'as-path-length', atLeast: 2, atMost: 2 }, holds: true },
  { name: 'a longer AS path', when: { is: 'as-path-length', atLeast: 3, atMost: 255 }, holds: false },
  { name: 'community', when: { is: 'community', anyOf: [known(parseCommunityPattern('65001:*'))] }, holds: true },
  { name: 'another community', when: { is: 'community', anyOf: [known(parseCommunityPattern('65002:*'))] }, holds: false },
  {
    name: 'large community',
    when: { is: 'large-community', anyOf: [known(parseLargeCommunityPattern('65001:*:*'))] },
    holds: true,
  },
  { name: 'extended community', when: { is: 'extended-community', anyOf: [1n, 0x0002fde900000001n] }, holds: true },
  { name: 'another extended community', when: { is: 'extended-community', anyOf: [1n] }, holds: false },
  { name: 'origin', when: { is: 'origin', origin: 'igp' }, holds: true },
  { name: 'source', when: { is: 'source', kind: 'external' }, holds: true },
  { name: 'not', when: { is: 'not', condition: { is: 'source', kind: 'external' } }, holds: false },
]

describe('conditions', () => {
  for (const { name, when, holds } of CONDITIONS)
    test(`${name} ${holds ? 'holds' : 'does not hold'}`, () => {
      const verdict = judge(policyOf({ when: [when], verdict: 'accept' }))
      assert.equal(verdict.is === 'accepted', holds)
    })
})

const CHANGES: readonly { readonly name: string; readonly change: readonly Change[]; readonly expected: Partial<Attributes> }[] =
  [
    { name: 'local-pref', change: [{ set: 'local-pref', value: 200 }], expected: { localPref: 200 } },
    { name: 'med', change: [{ set: 'med', value: 5 }], expected: { med: 5 } },
    {
      name: 'no med',
      change: [
        { set: 'med', value: 5 },
        { set: 'med', value: undefined },
      ],
      expected: { med: undefined },
    },
    { name: 'origin', change: [{ set: 'origin', value: 'incomplete' }], expected: { origin: 'incomplete' } },
    {
      name: 'communities added once',
      change: [{ set: 'communities', how: 'add', values: [1, NO_EXPORT] }],
      expected: { communities: [known(parseCommunity('65001:7')), NO_EXPORT, 1] },
    },
    {
      name: 'communities replaced but for the well-known',
      change: [{ set: 'communities', how: 'replace', values: [1] }],
      expected: { communities: [NO_EXPORT, 1] },
    },
    {
      name: 'communities removed, the well-known when named',
      change: [{ set: 'communities', how: 'remove', matching: [known(parseCommunityPattern('no-export'))] }],
      expected: { communities: [known(parseCommunity('65001:7'))] },
    },
    {
      name: 'large communities added once and removed',
      change: [
        {
          set: 'large-communities',
          how: 'add',
          values: [known(parseLargeCommunity('65001:1:2')), known(parseLargeCommunity('9:9:9'))],
        },
        { set: 'large-communities', how: 'remove', matching: [known(parseLargeCommunityPattern('65001:*:*'))] },
      ],
      expected: { largeCommunities: [known(parseLargeCommunity('9:9:9'))] },
    },
    {
      name: 'large communities replaced',
      change: [{ set: 'large-communities', how: 'replace', values: [] }],
      expected: { largeCommunities: [] },
    },
    {
      name: 'extended communities',
      change: [
        { set: 'extended-communities', how: 'add', values: [1n, 2n] },
        { set: 'extended-communities', how: 'remove', matching: [0x0002fde900000001n] },
      ],
      expected: { extendedCommunities: [1n, 2n] },
    },
    {
      name: 'extended communities replaced',
      change: [{ set: 'extended-communities', how: 'replace', values: [3n] }],
      expected: { extendedCommunities: [3n] },
    },
    {
      name: 'prepend our own AS',
      change: [{ set: 'prepend', asn: undefined, times: 2 }],
      expected: { asPath: [{ kind: 'sequence', asns: [64512, 64512, 65001, 65010] }] },
    },
    {
      name: 'prepend another AS',
      change: [{ set: 'prepend', asn: 7, times: 1 }],
      expected: { asPath: [{ kind: 'sequence', asns: [7, 65001, 65010] }] },
    },
    { name: 'next hop', change: [{ set: 'next-hop', to: ipv4('192.0.2.7') }], expected: { nextHop: ipv4('192.0.2.7') } },
    { name: 'next hop self', change: [{ set: 'next-hop-self' }], expected: { nextHop: ipv4('192.0.2.1') } },
    {
      name: 'next hop of IPv6, then ourselves as IPv4 routes name us',
      change: [{ set: 'next-hop6', to: ipv6('2001:db8::7') }, { set: 'next-hop-self' }],
      expected: { nextHop: ipv4('192.0.2.1') },
    },
  ]

describe('changes', () => {
  for (const { name, change, expected } of CHANGES)
    test(name, () => {
      const verdict = judge(policyOf({ change, verdict: 'accept' }))
      assert.ok(verdict.is === 'accepted')
      assert.deepEqual(verdict.attributes, { ...PLAIN, ...expected })
    })
})

describe('the word', () => {
  const no: Condition = { is: 'family', family: 'ipv6' }

  test('is the first deciding rule’s, and it is named', () => {
    const verdict = judge(policyOf({ when: [no], verdict: 'accept' }, { verdict: 'reject' }, { verdict: 'accept' }))
    assert.deepEqual(verdict, { is: 'rejected', by: 'policy test, rule 2' })
  })

  test('is the policy’s own when no rule decides', () => {
    assert.deepEqual(judge(policyOf({ when: [no], verdict: 'accept' })), { is: 'rejected', by: 'policy test, no rule' })
  })

  test('a rule that continues changes what later rules see', () => {
    const verdict = judge(
      policyOf(
        { change: [{ set: 'origin', value: 'egp' }], verdict: 'continue' },
        { when: [{ is: 'origin', origin: 'egp' }], verdict: 'accept' },
      ),
    )
    assert.deepEqual([verdict.is, verdict.by], ['accepted', 'policy test, rule 2'])
  })

  test('a rule whose conditions do not all hold changes nothing', () => {
    const verdict = judge(
      policyOf(
        { when: [no, { is: 'origin', origin: 'igp' }], change: [{ set: 'med', value: 1 }], verdict: 'continue' },
        { verdict: 'accept' },
      ),
    )
    assert.ok(verdict.is === 'accepted')
    assert.equal(verdict.attributes.med, undefined)
  })

  test('passes along a chain as changed, and a refusal is final', () => {
    const first: Policy = { ...policyOf({ change: [{ set: 'med', value: 9 }], verdict: 'accept' }), name: 'first' }
    const accepted = judge(first, policyOf({ verdict: 'accept' }))
    assert.ok(accepted.is === 'accepted')
    assert.deepEqual([accepted.by, accepted.attributes.med], ['policy test, rule 1', 9])
    const refused = judge(first, policyOf({ verdict: 'reject' }), first)
    assert.deepEqual(refused, { is: 'rejected', by: 'policy test, rule 1' })
  })

  test('without a policy: everything inside, nothing outside, unless switched off (RFC 8212)', () => {
    assert.equal(judge(...effective(undefined, 'internal', 'refuse')).is, 'accepted')
    assert.deepEqual(judge(...effective(undefined, 'external', 'refuse')), {
      is: 'rejected',
      by: 'policy none towards another AS (RFC 8212)',
    })
    assert.equal(judge(...effective(undefined, 'external', 'accept')).is, 'accepted')
    assert.equal(judge(...effective([], 'external', 'refuse')).is, 'accepted')
  })
})

function judge(...chain: readonly Policy[]) {
  return evaluate(chain, { prefix: anyPrefix('10.1.0.0/16'), attributes: PLAIN, source: 'external' }, PLACE)
}

function policyOf(...rules: readonly Partial<Rule>[]): Policy {
  const named = rules.map((rule, index): Rule => ({ name: `${index + 1}`, when: [], change: [], verdict: 'continue', ...rule }))
  return { name: 'test', rules: named, otherwise: 'reject' }
}

function within(text: string, atLeast: number, atMost: number): Condition {
  return { is: 'prefix', within: [{ prefix: anyPrefix(text), atLeast, atMost }] }
}

function pattern(text: string) {
  const parsed = parseAsPathPattern(text)
  assert.ok(parsed.ok)
  return parsed.value
}

function known<T>(value: T | undefined): T {
  assert.ok(value !== undefined)
  return value
}
