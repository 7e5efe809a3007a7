/** UPDATE: bytes both ways and the graded verdicts of RFC 7606. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import {
  address6 as anyAddress6,
  attributes as anyAttributes,
  prefix as anyPrefix,
  prefix6 as anyPrefix6,
} from '../testing/arbitrary.ts'
import { IPV4_UNICAST, IPV6_UNICAST, nameOfFamily } from './capabilities.ts'
import type { Dialect } from './dialect.ts'
import {
  decodeUpdate,
  encodeAnnouncement,
  encodeEndOfRib,
  encodeReachable,
  encodeUnreachable,
  encodeWithdrawal,
  NO_IPV6,
  type UpdateVerdict,
} from './update.ts'

const INTERNAL: Dialect = { kind: 'internal', asnOctets: 4 }
const EXTERNAL: Dialect = { kind: 'external', asnOctets: 4 }
const OLD: Dialect = { kind: 'external', asnOctets: 2 }

/** Both families agreed on, IPv4 over IPv6 too. */
const BOTH: Dialect = {
  ...INTERNAL,
  multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: true },
}
const BOTH_OUTSIDE: Dialect = { ...BOTH, kind: 'external' }
const ONLY_IPV6: Dialect = { ...INTERNAL, multiprotocol: { families: [IPV6_UNICAST], ipv6NextHop: false } }
const SETS: Dialect = { ...INTERNAL, asSets: 'accepted' }
const HOP6 = '20010db8000000000000000000000009'
const LINK6 = 'fe800000000000000000000000000009'
const NET6 = '20 20010db8'

const ORIGIN = '400101 00'
const PATH = '400206 0201 0000fde9'
const HOP = '400304 c0000209'
const PREF = '400504 00000064'
const BASE = `${ORIGIN} ${PATH} ${HOP} ${PREF}`
const NET = '18 0a0100'
const OTHERS = `${ORIGIN} ${PATH} ${PREF}`

interface Case {
  readonly name: string
  readonly attributes: string
  readonly announced?: string
  readonly withdrawn?: string
  readonly dialect?: Dialect
  readonly says: string | RegExp
}

// Bytes written out by hand from the RFC of each attribute.
const CASES: readonly Case[] = [
  { name: 'a plain route', attributes: BASE, says: '+10.1.0.0/24' },
  { name: 'attributes in another order', attributes: `${PREF} ${HOP} ${PATH} ${ORIGIN}`, says: '+10.1.0.0/24' },
  { name: 'extended length on a short attribute', attributes: `500100 01 00 ${PATH} ${HOP} ${PREF}`, says: '+10.1.0.0/24' },
  { name: 'low flag bits set', attributes: `4f0101 00 ${PATH} ${HOP} ${PREF}`, says: '+10.1.0.0/24' },
  { name: 'Partial on a well-known attribute', attributes: `600101 00 ${PATH} ${HOP} ${PREF}`, says: '+10.1.0.0/24' },
  { name: 'host bits in the prefix', attributes: BASE, announced: '14 0a01ff', says: '+10.1.240.0/20' },
  { name: 'default and host routes', attributes: BASE, announced: '00 20 f0000001', says: '+0.0.0.0/0 +240.0.0.1/32' },
  { name: 'withdrawn and announced: announced', attributes: BASE, withdrawn: `${NET} 08 0b`, says: '-11.0.0.0/8 +10.1.0.0/24' },
  { name: 'withdrawal only', attributes: '', announced: '', withdrawn: NET, says: '-10.1.0.0/24' },
  { name: 'withdrawal only, default route', attributes: '', announced: '', withdrawn: '00', says: '-0.0.0.0/0' },

  { name: 'prefix of 33 bits', attributes: BASE, announced: '21 0a01000000', says: 'reset 3/10' },
  { name: 'prefix cut short', attributes: BASE, announced: '18 0a01', says: 'reset 3/10' },
  { name: 'withdrawn prefix cut short', attributes: '', announced: '', withdrawn: '18 0a01', says: 'reset 3/10' },
  { name: 'attribute overruns the block', attributes: `${BASE} c00806 0000`, says: '-10.1.0.0/24 (attribute list)' },
  { name: 'two octets left over', attributes: `${BASE} 4001`, says: '-10.1.0.0/24 (attribute list)' },
  { name: 'flags of ORIGIN', attributes: `c00101 00 ${PATH} ${HOP} ${PREF}`, says: '-10.1.0.0/24 (ORIGIN)' },
  { name: 'no ORIGIN', attributes: `${PATH} ${HOP} ${PREF}`, says: '-10.1.0.0/24 (ORIGIN)' },
  { name: 'no AS_PATH', attributes: `${ORIGIN} ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  { name: 'no NEXT_HOP', attributes: `${ORIGIN} ${PATH} ${PREF}`, says: '-10.1.0.0/24 (NEXT_HOP)' },
  { name: 'no LOCAL_PREF inside', attributes: `${ORIGIN} ${PATH} ${HOP}`, says: '-10.1.0.0/24 (LOCAL_PREF)' },
  { name: 'no LOCAL_PREF outside', attributes: `${ORIGIN} ${PATH} ${HOP}`, dialect: EXTERNAL, says: '+10.1.0.0/24' },
  { name: 'ORIGIN twice', attributes: `${BASE} 400101 02`, says: '+10.1.0.0/24 (ORIGIN)' },
  { name: 'ORIGIN 3', attributes: `400101 03 ${PATH} ${HOP} ${PREF}`, says: '-10.1.0.0/24 (ORIGIN)' },
  {
    name: 'ORIGIN of two octets, NLRI found all the same',
    attributes: `400102 0000 ${PATH} ${HOP} ${PREF}`,
    says: '-10.1.0.0/24 (ORIGIN)',
  },
  { name: 'ORIGIN empty', attributes: `400100 ${PATH} ${HOP} ${PREF}`, says: '-10.1.0.0/24 (ORIGIN)' },
  {
    name: 'AS_PATH segment of type 9',
    attributes: `${ORIGIN} 400206 0901 0000fde9 ${HOP} ${PREF}`,
    says: '-10.1.0.0/24 (AS_PATH)',
  },
  { name: 'AS_PATH segment without members', attributes: `${ORIGIN} 400202 0200 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  { name: 'AS_PATH overrun', attributes: `${ORIGIN} 400206 0202 0000fde9 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  { name: 'AS_PATH stray octet', attributes: `${ORIGIN} 400207 0201 0000fde9 02 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  { name: 'AS 0 in AS_PATH', attributes: `${ORIGIN} 400206 0201 00000000 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  {
    name: 'confederation from outside',
    attributes: `${ORIGIN} 400206 0301 0000fde9 ${HOP}`,
    dialect: EXTERNAL,
    says: '-10.1.0.0/24 (AS_PATH)',
  },
  { name: 'NEXT_HOP of five octets', attributes: `${ORIGIN} ${PATH} 400305 c000020900 ${PREF}`, says: '-10.1.0.0/24 (NEXT_HOP)' },
  { name: 'MED of three octets', attributes: `${BASE} 800403 000000`, says: '-10.1.0.0/24 (MULTI_EXIT_DISC)' },
  { name: 'LOCAL_PREF of two octets', attributes: `${ORIGIN} ${PATH} ${HOP} 400502 0000`, says: '-10.1.0.0/24 (LOCAL_PREF)' },
  {
    name: 'LOCAL_PREF of two octets from outside',
    attributes: `${ORIGIN} ${PATH} ${HOP} 400502 0000`,
    dialect: EXTERNAL,
    says: '+10.1.0.0/24',
  },
  { name: 'ATOMIC_AGGREGATE of one octet', attributes: `${BASE} 400601 00`, says: '+10.1.0.0/24 (ATOMIC_AGGREGATE)' },
  { name: 'AGGREGATOR of six octets', attributes: `${BASE} c00706 fde9 c0000201`, says: '+10.1.0.0/24 (AGGREGATOR)' },
  { name: 'AGGREGATOR AS 0', attributes: `${BASE} c00708 00000000 c0000201`, says: '+10.1.0.0/24 (AGGREGATOR)' },
  { name: 'COMMUNITIES empty', attributes: `${BASE} c00800`, says: '-10.1.0.0/24 (COMMUNITIES)' },
  { name: 'COMMUNITIES of five octets', attributes: `${BASE} c00805 0000000000`, says: '-10.1.0.0/24 (COMMUNITIES)' },
  { name: 'ORIGINATOR_ID of three octets', attributes: `${BASE} 800903 000000`, says: '-10.1.0.0/24 (ORIGINATOR_ID)' },
  {
    name: 'ORIGINATOR_ID of three octets from outside',
    attributes: `${BASE} 800903 000000`,
    dialect: EXTERNAL,
    says: '+10.1.0.0/24',
  },
  { name: 'CLUSTER_LIST empty', attributes: `${BASE} 800a00`, says: '-10.1.0.0/24 (CLUSTER_LIST)' },
  { name: 'AS4_PATH from a four-octet peer', attributes: `${BASE} c01101 ff`, says: '+10.1.0.0/24' },
  {
    name: 'AS4_PATH malformed from a two-octet peer',
    attributes: `${ORIGIN} 400204 0201 fde9 ${HOP} c01101 ff`,
    dialect: OLD,
    says: '+10.1.0.0/24 (AS4_PATH)',
  },
  { name: 'unknown optional', attributes: `${BASE} 80f002 abcd`, says: '+10.1.0.0/24' },
  { name: 'unknown well-known', attributes: `${BASE} 40f002 abcd`, says: 'reset 3/2 40f002abcd' },
  { name: 'bad attribute and nothing announced', attributes: `400101 03`, announced: '', says: 'reset 3/1' },
  {
    name: 'discarded attribute and nothing announced',
    attributes: `400601 00`,
    announced: '',
    withdrawn: NET,
    says: '-10.1.0.0/24 (ATOMIC_AGGREGATE)',
  },
  {
    name: 'explicit withdrawals are kept',
    attributes: `400101 03 ${PATH} ${HOP} ${PREF}`,
    withdrawn: '08 0b',
    says: '-11.0.0.0/8 -10.1.0.0/24 (ORIGIN)',
  },

  {
    name: 'MP_REACH for IPv4',
    attributes: `${ORIGIN} ${PATH} ${PREF} 800e0c 000101 04 c0000209 00 10 0a02`,
    announced: '',
    says: '+10.2.0.0/16',
  },
  { name: 'MP_REACH beside NLRI', attributes: `${BASE} 800e0c 000101 04 c0000207 00 10 0a02`, says: '+10.1.0.0/24 +10.2.0.0/16' },
  { name: 'MP_REACH for IPv6 is not read', attributes: `${ORIGIN} ${PATH} ${PREF} 800e05 000201 00 00`, announced: '', says: '' },
  { name: 'MP_REACH of three octets', attributes: `${BASE} 800e03 000101`, says: 'reset 3/9 800e03000101' },
  {
    name: 'MP_REACH next hop of 16 octets',
    attributes: `800e15 000101 10 ${'00'.repeat(16)} 00`,
    announced: '',
    says: `reset 3/9 800e1500010110${'00'.repeat(17)}`,
  },
  {
    name: 'MP_REACH bad prefix',
    attributes: `${BASE} 800e0b 000101 04 c0000209 00 21 00`,
    says: 'reset 3/9 800e0b00010104c0000209002100',
  },
  { name: 'MP_REACH twice', attributes: `${BASE} 800e05 000201 00 00 800e05 000201 00 00`, says: 'reset 3/1 800e050002010000' },
  { name: 'MP_UNREACH for IPv4', attributes: '800f06 000101 10 0a02', announced: '', says: '-10.2.0.0/16' },
  { name: 'MP_REACH for IPv6', attributes: `${OTHERS} ${reach6(HOP6)}`, dialect: BOTH, announced: '', says: '+2001:db8::/32' },
  {
    name: 'MP_REACH for IPv6 with a link-local next hop too',
    attributes: `${OTHERS} ${reach6(HOP6 + LINK6)}`,
    dialect: BOTH,
    announced: '',
    says: '+2001:db8::/32',
  },
  {
    name: 'IPv6 and IPv4 in one message',
    attributes: `${BASE} ${reach6(HOP6)}`,
    dialect: BOTH,
    says: '+10.1.0.0/24 +2001:db8::/32',
  },
  { name: 'IPv6 from a peer without IPv6', attributes: `${BASE} ${reach6(HOP6)}`, says: '+10.1.0.0/24' },
  { name: 'IPv4 from a peer without IPv4', attributes: `${BASE} ${reach6(HOP6)}`, dialect: ONLY_IPV6, says: '+2001:db8::/32' },
  {
    name: 'a spoiled IPv6 route',
    attributes: `400101 07 ${PATH} ${PREF} ${reach6(HOP6)}`,
    dialect: BOTH,
    announced: '',
    says: '-2001:db8::/32 (ORIGIN)',
  },
  {
    name: 'IPv6 without ORIGIN',
    attributes: `${PATH} ${PREF} ${reach6(HOP6)}`,
    dialect: BOTH,
    announced: '',
    says: '-2001:db8::/32 (ORIGIN)',
  },
  {
    name: 'IPv6 next hop of eight octets',
    attributes: `${OTHERS} ${reach6('00'.repeat(8))}`,
    dialect: BOTH,
    announced: '',
    says: /^reset 3\/9 /,
  },
  {
    name: 'IPv6 prefix of 129 bits',
    attributes: `${OTHERS} ${reach6(HOP6, '81 00')}`,
    dialect: BOTH,
    announced: '',
    says: /^reset 3\/9 /,
  },
  {
    name: 'IPv6 prefix cut short',
    attributes: `${OTHERS} ${reach6(HOP6, '40 2001')}`,
    dialect: BOTH,
    announced: '',
    says: /^reset 3\/9 /,
  },
  {
    name: 'IPv6 default and host route',
    attributes: `${OTHERS} ${reach6(HOP6, `00 80 ${HOP6}`)}`,
    dialect: BOTH,
    announced: '',
    says: '+::/0 +2001:db8::9/128',
  },
  {
    name: 'MP_REACH with the Transitive flag',
    attributes: `${OTHERS} ${reach6(HOP6).replace(/^90/, 'd0')}`,
    dialect: BOTH,
    announced: '',
    says: '-2001:db8::/32 (MP_REACH_NLRI)',
  },
  {
    name: 'a spoiled route of a family that is not spoken',
    attributes: `400101 07 ${PATH} ${PREF} ${reach6(HOP6)}`,
    announced: '',
    says: '(ORIGIN)',
  },
  {
    name: 'IPv4 over IPv6',
    attributes: `${OTHERS} ${reach6(HOP6, '10 0a02', '0001')}`,
    dialect: BOTH,
    announced: '',
    says: '+10.2.0.0/16',
  },
  {
    name: 'IPv4 over IPv6, not agreed on',
    attributes: `${OTHERS} ${reach6(HOP6, '10 0a02', '0001')}`,
    announced: '',
    says: /^reset 3\/9 /,
  },
  { name: 'MP_UNREACH for IPv6', attributes: `800f08 000201 ${NET6}`, dialect: BOTH, announced: '', says: '-2001:db8::/32' },
  {
    name: 'IPv6 withdrawn and announced: announced',
    attributes: `${OTHERS} ${reach6(HOP6)} 800f08 000201 ${NET6}`,
    dialect: BOTH,
    announced: '',
    says: '+2001:db8::/32',
  },
  {
    name: 'MP_UNREACH bad IPv6 prefix',
    attributes: '800f05 000201 40 20',
    dialect: BOTH,
    announced: '',
    says: 'reset 3/9 800f050002014020',
  },
  {
    name: 'MP_UNREACH empty, of IPv6 spoken',
    attributes: '800f03 000201',
    dialect: BOTH,
    announced: '',
    says: 'end-of-rib ipv6-unicast',
  },

  { name: 'AS_SET', attributes: `${ORIGIN} 400206 0101 0000fde9 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  {
    name: 'AS_SET where it is accepted',
    attributes: `${ORIGIN} 400206 0101 0000fde9 ${HOP} ${PREF}`,
    dialect: SETS,
    says: '+10.1.0.0/24',
  },
  { name: 'AS_CONFED_SET inside', attributes: `${ORIGIN} 400206 0401 0000fde9 ${HOP} ${PREF}`, says: '-10.1.0.0/24 (AS_PATH)' },
  {
    name: 'AS_SET in AS4_PATH',
    attributes: `${ORIGIN} 400204 0201 5ba0 ${HOP} c01106 0101 00011170`,
    dialect: OLD,
    says: '-10.1.0.0/24 (AS_PATH)',
  },
  { name: 'EXTENDED_COMMUNITIES', attributes: `${BASE} c01008 0002fde900000001`, says: '+10.1.0.0/24' },
  { name: 'EXTENDED_COMMUNITIES empty', attributes: `${BASE} c01000`, says: '-10.1.0.0/24 (EXTENDED_COMMUNITIES)' },
  {
    name: 'EXTENDED_COMMUNITIES of nine octets',
    attributes: `${BASE} c01009 0002fde90000000100`,
    says: '-10.1.0.0/24 (EXTENDED_COMMUNITIES)',
  },
  {
    name: 'EXTENDED_COMMUNITIES without Transitive',
    attributes: `${BASE} 801008 0002fde900000001`,
    says: '-10.1.0.0/24 (EXTENDED_COMMUNITIES)',
  },
  { name: 'IPv6 extended communities', attributes: `${BASE} c01914 ${'00'.repeat(20)}`, says: '+10.1.0.0/24' },
  { name: 'IPv6 extended communities empty', attributes: `${BASE} c01900`, says: '-10.1.0.0/24 (IPV6_EXTENDED_COMMUNITIES)' },
  {
    name: 'IPv6 extended communities of 19 octets',
    attributes: `${BASE} c01913 ${'00'.repeat(19)}`,
    says: '-10.1.0.0/24 (IPV6_EXTENDED_COMMUNITIES)',
  },
  { name: 'LARGE_COMMUNITY', attributes: `${BASE} c0200c 0000fde9 00000001 00000002`, says: '+10.1.0.0/24' },
  { name: 'LARGE_COMMUNITY empty', attributes: `${BASE} c02000`, says: '-10.1.0.0/24 (LARGE_COMMUNITY)' },
  {
    name: 'LARGE_COMMUNITY of eight octets',
    attributes: `${BASE} c02008 0000fde9 00000001`,
    says: '-10.1.0.0/24 (LARGE_COMMUNITY)',
  },
  { name: 'AIGP', attributes: `${BASE} 801a0b 01000b 0000000000000001`, says: '+10.1.0.0/24' },
  { name: 'AIGP with the Transitive flag', attributes: `${BASE} c01a0b 01000b 0000000000000001`, says: '+10.1.0.0/24 (AIGP)' },
  { name: 'AIGP that runs over', attributes: `${BASE} 801a0b 0100ff 0000000000000001`, says: '+10.1.0.0/24 (AIGP)' },
  { name: 'AIGP of TLV length 0', attributes: `${BASE} 801a03 010000`, says: '+10.1.0.0/24 (AIGP)' },
  { name: 'PREFIX_SID', attributes: `${BASE} c0280a 010007 00 0000 00000001`, says: '+10.1.0.0/24' },
  { name: 'PREFIX_SID with a short label index', attributes: `${BASE} c02806 010003 000000`, says: '+10.1.0.0/24 (PREFIX_SID)' },
  {
    name: 'PREFIX_SID with an odd SRGB',
    attributes: `${BASE} c0280c 030009 ${'00'.repeat(9)}`,
    says: '+10.1.0.0/24 (PREFIX_SID)',
  },
  { name: 'PREFIX_SID that runs over', attributes: `${BASE} c02804 0900ff 00`, says: '+10.1.0.0/24 (PREFIX_SID)' },
  { name: 'PREFIX_SID empty', attributes: `${BASE} c02800`, says: '+10.1.0.0/24 (PREFIX_SID)' },
  { name: 'PREFIX_SID broken, from outside', attributes: `${BASE} c02804 0900ff 00`, dialect: EXTERNAL, says: '+10.1.0.0/24' },
  { name: 'ONLY_TO_CUSTOMER', attributes: `${BASE} c02304 0000fde9`, says: '+10.1.0.0/24' },
  { name: 'ONLY_TO_CUSTOMER of five octets', attributes: `${BASE} c02305 0000fde900`, says: '-10.1.0.0/24 (ONLY_TO_CUSTOMER)' },
  { name: 'ONLY_TO_CUSTOMER of three octets', attributes: `${BASE} c02303 0000fd`, says: '-10.1.0.0/24 (ONLY_TO_CUSTOMER)' },
  { name: 'TUNNEL_ENCAP of any kind is handed on', attributes: `${BASE} c01703 ffffff`, says: '+10.1.0.0/24' },
  {
    name: 'AS4_AGGREGATOR of seven octets',
    attributes: `${ORIGIN} 400204 0201 fde9 ${HOP} c01207 00011170c00002`,
    dialect: OLD,
    says: '+10.1.0.0/24 (AS4_AGGREGATOR)',
  },
  {
    name: 'AS4_AGGREGATOR with wrong flags',
    attributes: `${ORIGIN} 400204 0201 fde9 ${HOP} 401208 00011170c0000201`,
    dialect: OLD,
    says: '+10.1.0.0/24 (AS4_AGGREGATOR)',
  },
  {
    name: 'LOCAL_PREF from outside, with IPv6',
    attributes: `${ORIGIN} ${PATH} 400502 0000 ${reach6(HOP6)}`,
    dialect: BOTH_OUTSIDE,
    announced: '',
    says: '+2001:db8::/32',
  },
  { name: 'MP_UNREACH empty', attributes: '800f03 000101', announced: '', says: 'end-of-rib ipv4-unicast' },
  { name: 'MP_UNREACH empty, of IPv6', attributes: '800f03 000201', announced: '', says: '' },
]

describe('the verdict on an UPDATE', () => {
  for (const { name, says, ...fields } of CASES)
    test(`${name}: ${says === '' ? 'nothing' : says}`, () => {
      const verdict = said(decodeUpdate(body(fields), fields.dialect ?? INTERNAL))
      if (typeof says === 'string') assert.equal(verdict, says)
      else assert.match(verdict, says)
    })

  const broken: readonly { name: string; hex: string }[] = [
    { name: 'withdrawn length beyond the message', hex: '0005 0000' },
    { name: 'attribute length beyond the message', hex: '0000 0005 0000' },
  ]
  for (const { name, hex } of broken)
    test(`${name}: reset 3/1`, () => assert.equal(said(decodeUpdate(bytes(hex), INTERNAL)), 'reset 3/1'))

  test('an empty UPDATE is End-of-RIB', () =>
    assert.equal(said(decodeUpdate(encodeEndOfRib().subarray(19), INTERNAL)), 'end-of-rib ipv4-unicast'))

  test('big numbers stay unsigned', () => {
    const verdict = decodeUpdate(
      body({ attributes: `${ORIGIN} 400206 0201 ffffffff 400304 ffffffff 400504 ffffffff 800404 ffffffff` }),
      INTERNAL,
    )
    assert.ok(verdict.is === 'routes')
    const attributes = verdict.announced[0]?.attributes
    assert.deepEqual(
      [attributes?.asPath[0]?.asns[0], attributes?.nextHop, attributes?.med, attributes?.localPref],
      Array(4).fill(4294967295),
    )
  })

  test('from a two-octet peer the real path is put together again', () => {
    const attributes = `${ORIGIN} 400208 0203 fde9 5ba0 5ba0 ${HOP} c0110a 0202 00011170 00011171 c00706 5ba0 c0000201 c01208 00011170 c0000201`
    const verdict = decodeUpdate(body({ attributes }), OLD)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(verdict.announced[0]?.attributes.asPath, [{ kind: 'sequence', asns: [65001, 70000, 70001] }])
    assert.equal(verdict.announced[0]?.attributes.aggregator?.asn, 70000)
  })
})

describe('the codec', () => {
  test('attributes and prefixes survive the wire, with four octets and with two', () => {
    fc.assert(
      fc.property(anyAttributes, fc.array(anyPrefix, { minLength: 1, maxLength: 20 }), (attributes, prefixes) => {
        const wide = decodeUpdate(encodeAnnouncement(encodeAttributes(attributes, SETS), prefixes).subarray(19), SETS)
        const announced = [{ attributes, prefixes }]
        assert.deepEqual(wide, { is: 'routes', withdrawn: [], announced, ipv6: NO_IPV6, remarks: [] })
        const narrow: Dialect = { kind: 'internal', asnOctets: 2, asSets: 'accepted' }
        const old = decodeUpdate(encodeAnnouncement(encodeAttributes(attributes, narrow), prefixes).subarray(19), narrow)
        assert.ok(old.is === 'routes')
        assert.deepEqual(
          old.announced[0]?.attributes.asPath.flatMap(({ asns }) => asns),
          attributes.asPath.flatMap(({ asns }) => asns),
        )
      }),
      { numRuns: 60 },
    )
  })

  test('withdrawals survive the wire', () => {
    fc.assert(
      fc.property(fc.array(anyPrefix, { minLength: 1, maxLength: 50 }), prefixes => {
        const verdict = decodeUpdate(encodeWithdrawal(prefixes).subarray(19), INTERNAL)
        assert.deepEqual(verdict, { is: 'routes', withdrawn: prefixes, announced: [], ipv6: NO_IPV6, remarks: [] })
      }),
    )
  })

  test('IPv6 routes and their next hops survive the wire', () => {
    const far = fc
      .record({ address: anyAddress6, linkLocal: fc.constantFrom(undefined, ipv6('fe80::1')) }, { noNullPrototype: true })
      .filter(({ address, linkLocal }) => address !== 0n || linkLocal === undefined)
    const prefixLists = fc.array(anyPrefix6, { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(anyAttributes, far, prefixLists, (some, nextHop6, prefixes) => {
        const attributes = { ...some, nextHop: ipv4('0.0.0.0'), nextHop6 }
        const block = encodeAttributes(attributes, BOTH)
        const message = encodeReachable(IPV6_UNICAST, { hops: attributes, attributes: block }, prefixes)
        const verdict = decodeUpdate(message.subarray(19), { ...BOTH, asSets: 'accepted' })
        const expected = { withdrawn: [], announced: [{ attributes, prefixes }] }
        assert.deepEqual(verdict, { is: 'routes', withdrawn: [], announced: [], ipv6: expected, remarks: [] })
        const gone = decodeUpdate(encodeUnreachable(IPV6_UNICAST, prefixes).subarray(19), BOTH)
        assert.deepEqual(gone, {
          is: 'routes',
          withdrawn: [],
          announced: [],
          ipv6: { withdrawn: prefixes, announced: [] },
          remarks: [],
        })
      }),
      { numRuns: 60 },
    )
  })

  test('IPv4 over IPv6: the next hop is told in MP_REACH, and NEXT_HOP is not', () => {
    const nextHop6 = { address: ipv6('2001:db8::9'), linkLocal: undefined }
    const attributes = { ...plainAttributes(ipv4('0.0.0.0')), nextHop6, localPref: 100 }
    const block = encodeAttributes(attributes, BOTH)
    assert.doesNotMatch(Buffer.from(block).toString('hex'), /400304/)
    const message = encodeReachable(IPV4_UNICAST, { hops: attributes, attributes: block }, [toPrefix(ipv4('10.2.0.0'), 16)])
    const verdict = decodeUpdate(message.subarray(19), BOTH)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(verdict.announced[0]?.attributes, attributes)
  })

  test('IPv6 next hop with nothing but a link-local address, however it is spelled', () => {
    const NOWHERE6 = '0'.repeat(32)
    for (const hops of [LINK6, LINK6 + LINK6, NOWHERE6 + LINK6, LINK6 + NOWHERE6]) {
      const verdict = decodeUpdate(body({ attributes: `${OTHERS} ${reach6(hops)}`, announced: '' }), BOTH)
      assert.ok(verdict.is === 'routes')
      const said = { address: ipv6('fe80::9'), linkLocal: undefined }
      assert.deepEqual(verdict.ipv6.announced[0]?.attributes.nextHop6, said, hops)
    }
  })

  test('the End-of-RIB of a family names it', () => {
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      assert.deepEqual(decodeUpdate(encodeEndOfRib(family).subarray(19), BOTH), { is: 'end-of-rib', family })
  })

  test('communities are sent in order and once; what may not leave the AS does not', () => {
    const large = (local2: number) => ({ global: 65001, local1: 1, local2 })
    const attributes = {
      ...plainAttributes(ipv4('192.0.2.9')),
      localPref: 100,
      communities: [3, 1, 3, 2],
      extendedCommunities: [0x4004fde900000001n, 0x0002fde900000001n],
      largeCommunities: [large(2), large(1), large(2)],
    }
    const heard = (dialect: Dialect) => {
      const verdict = decodeUpdate(
        encodeAnnouncement(encodeAttributes(attributes, dialect), [toPrefix(ipv4('10.0.0.0'), 8)]).subarray(19),
        dialect,
      )
      assert.ok(verdict.is === 'routes')
      return verdict.announced[0]?.attributes
    }
    assert.deepEqual(heard(INTERNAL)?.communities, [1, 2, 3])
    assert.deepEqual(heard(INTERNAL)?.largeCommunities, [large(1), large(2)])
    assert.deepEqual(heard(INTERNAL)?.extendedCommunities, [0x0002fde900000001n, 0x4004fde900000001n])
    assert.deepEqual(heard(EXTERNAL)?.extendedCommunities, [0x0002fde900000001n])
  })

  test('what is understood but for its content is handed on as it came, Partial or not', () => {
    for (const [hex, back] of [
      [`c02304 0000fde9`, 'c0230400 00fde9'],
      [`e02304 0000fde9`, 'e0230400 00fde9'],
      [`c01914 ${'01'.repeat(20)}`, `c01914${'01'.repeat(20)}`],
      ['c01703 ffffff', 'e01703ffffff'],
    ] as const) {
      const verdict = decodeUpdate(body({ attributes: `${BASE} ${hex}` }), INTERNAL)
      assert.ok(verdict.is === 'routes')
      const attributes = verdict.announced[0]?.attributes
      assert.ok(attributes !== undefined)
      assert.ok(Buffer.from(encodeAttributes(attributes, INTERNAL)).toString('hex').endsWith(back.replaceAll(' ', '')), hex)
    }
  })

  test('any bytes, and any sound message with octets changed, give a verdict', () => {
    const more = `c01008 0002fde900000001 c0200c 0000fde90000000100000002 801a0b 01000b 0000000000000001 c0280a 010007 00 0000 00000001`
    const sound = body({
      attributes: `${reach6(HOP6)} ${BASE} c00804 00000001 800404 00000000 ${more} 800f08 000201 ${NET6}`,
      withdrawn: '08 0b',
    })
    const changes = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 80 }), changes, (junk, edits) => {
        const edited = Uint8Array.from(sound)
        for (const [at, value] of edits) edited[at] = value
        for (const dialect of [INTERNAL, EXTERNAL, OLD, BOTH])
          for (const bytesOf of [junk, edited]) assert.match(decodeUpdate(bytesOf, dialect).is, /^(routes|end-of-rib|reset)$/)
      }),
      { numRuns: 500 },
    )
  })

  test('an unknown transitive attribute is handed on byte for byte, with Partial', () => {
    const verdict = decodeUpdate(body({ attributes: `${BASE} c0f003 abcdef` }), INTERNAL)
    assert.ok(verdict.is === 'routes')
    const attributes = verdict.announced[0]?.attributes
    assert.ok(attributes !== undefined)
    assert.match(Buffer.from(encodeAttributes(attributes, INTERNAL)).toString('hex'), /e0f003abcdef$/)
  })
})

function body(fields: { readonly attributes: string; readonly announced?: string; readonly withdrawn?: string }): Uint8Array {
  const withdrawn = bytes(fields.withdrawn ?? '')
  const attributes = bytes(fields.attributes)
  return bytes([sized(withdrawn), sized(attributes), fields.announced ?? NET].join(''))
}

/** An MP_REACH of any family with this next hop. */
function reach6(hop: string, networks = NET6, afi = '0002'): string {
  const inside = `${afi}01 ${(hop.length / 2).toString(16).padStart(2, '0')} ${hop} 00 ${networks}`.replaceAll(' ', '')
  return `900e${(inside.length / 2).toString(16).padStart(4, '0')} ${inside}`
}

function sized(field: Uint8Array): string {
  return field.length.toString(16).padStart(4, '0') + Buffer.from(field).toString('hex')
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** `-` withdrawn, `+` announced, in brackets the attributes remarked upon. */
function said(verdict: UpdateVerdict): string {
  if (verdict.is === 'end-of-rib') return `${verdict.is} ${nameOfFamily(verdict.family)}`
  if (verdict.is === 'reset') {
    const { code, subcode, data } = verdict.notification
    return `reset ${code}/${subcode} ${Buffer.from(data).toString('hex')}`.trimEnd()
  }
  const list = (sign: string, prefixes: readonly AnyPrefix[]) => prefixes.map(each => `${sign}${formatAnyPrefix(each)}`)
  const names = verdict.remarks.map(({ attribute }) => attribute)
  const routes = [
    ...list('-', [...verdict.withdrawn, ...verdict.ipv6.withdrawn]),
    ...[...verdict.announced, ...verdict.ipv6.announced].flatMap(({ prefixes }) => list('+', prefixes)),
  ]
  return [...routes, ...(names.length > 0 ? [`(${names.join(', ')})`] : [])].join(' ')
}
