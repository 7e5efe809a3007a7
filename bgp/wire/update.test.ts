/** UPDATE: bytes both ways and the graded verdicts of RFC 7606. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { encodeAttributes } from '../attributes/encode.ts'
import { attributes as anyAttributes, prefix as anyPrefix } from '../testing/arbitrary.ts'
import type { Dialect } from './dialect.ts'
import { decodeUpdate, encodeAnnouncement, encodeEndOfRib, encodeWithdrawal, type UpdateVerdict } from './update.ts'

const INTERNAL: Dialect = { kind: 'internal', asnOctets: 4 }
const EXTERNAL: Dialect = { kind: 'external', asnOctets: 4 }
const OLD: Dialect = { kind: 'external', asnOctets: 2 }

const ORIGIN = '400101 00'
const PATH = '400206 0201 0000fde9'
const HOP = '400304 c0000209'
const PREF = '400504 00000064'
const BASE = `${ORIGIN} ${PATH} ${HOP} ${PREF}`
const NET = '18 0a0100'

interface Case {
  readonly name: string
  readonly attributes: string
  readonly announced?: string
  readonly withdrawn?: string
  readonly dialect?: Dialect
  readonly says: string
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
  { name: 'MP_UNREACH empty', attributes: '800f03 000101', announced: '', says: 'end-of-rib' },
  { name: 'MP_UNREACH empty, of IPv6', attributes: '800f03 000201', announced: '', says: '' },
]

describe('the verdict on an UPDATE', () => {
  for (const { name, says, ...fields } of CASES)
    test(`${name}: ${says === '' ? 'nothing' : says}`, () => {
      assert.equal(said(decodeUpdate(body(fields), fields.dialect ?? INTERNAL)), says)
    })

  const broken: readonly { name: string; hex: string }[] = [
    { name: 'withdrawn length beyond the message', hex: '0005 0000' },
    { name: 'attribute length beyond the message', hex: '0000 0005 0000' },
  ]
  for (const { name, hex } of broken)
    test(`${name}: reset 3/1`, () => assert.equal(said(decodeUpdate(bytes(hex), INTERNAL)), 'reset 3/1'))

  test('an empty UPDATE is End-of-RIB', () =>
    assert.equal(said(decodeUpdate(encodeEndOfRib().subarray(19), INTERNAL)), 'end-of-rib'))

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
        const wide = decodeUpdate(encodeAnnouncement(encodeAttributes(attributes, INTERNAL), prefixes).subarray(19), INTERNAL)
        assert.deepEqual(wide, { is: 'routes', withdrawn: [], announced: [{ attributes, prefixes }], remarks: [] })
        const narrow: Dialect = { kind: 'internal', asnOctets: 2 }
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
        assert.deepEqual(verdict, { is: 'routes', withdrawn: prefixes, announced: [], remarks: [] })
      }),
    )
  })

  test('any bytes, and any sound message with octets changed, give a verdict', () => {
    const sound = body({ attributes: `${BASE} c00804 00000001 800404 00000000`, withdrawn: '08 0b' })
    const changes = fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 80 }), changes, (junk, edits) => {
        const edited = Uint8Array.from(sound)
        for (const [at, value] of edits) edited[at] = value
        for (const dialect of [INTERNAL, EXTERNAL, OLD])
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

function sized(field: Uint8Array): string {
  return field.length.toString(16).padStart(4, '0') + Buffer.from(field).toString('hex')
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

/** `-` withdrawn, `+` announced, in brackets the attributes remarked upon. */
function said(verdict: UpdateVerdict): string {
  if (verdict.is === 'end-of-rib') return verdict.is
  if (verdict.is === 'reset') {
    const { code, subcode, data } = verdict.notification
    return `reset ${code}/${subcode} ${Buffer.from(data).toString('hex')}`.trimEnd()
  }
  const list = (sign: string, prefixes: readonly Prefix[]) => prefixes.map(each => `${sign}${formatPrefix(each)}`)
  const names = verdict.remarks.map(({ attribute }) => attribute)
  const routes = [...list('-', verdict.withdrawn), ...verdict.announced.flatMap(({ prefixes }) => list('+', prefixes))]
  return [...routes, ...(names.length > 0 ? [`(${names.join(', ')})`] : [])].join(' ')
}
