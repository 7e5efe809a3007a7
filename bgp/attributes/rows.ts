/** One row an attribute: its code, flags, bytes both ways and what a malformed one costs. RFC 4271 §5, RFC 7606 §7. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { AS_TRANS, type Dialect } from '../wire/dialect.ts'
import { encodeAsPath, isConfed, needsFourOctets, readAsPath, withoutConfederation } from './as-path.ts'
import type { Aggregator, AsPath, Attributes, LargeCommunity, Origin } from './attributes.ts'
import {
  encodeExtendedCommunities,
  encodeLargeCommunities,
  inOrder,
  readExtendedCommunities,
  readLargeCommunities,
} from './communities.ts'
import { type Reach, readReach, readUnreach, type Unreach } from './multiprotocol.ts'

export const OPTIONAL = 0x80
export const TRANSITIVE = 0x40
export const PARTIAL = 0x20
export const EXTENDED_LENGTH = 0x10

/** What the attributes of one UPDATE have said so far. */
export interface Heard {
  origin?: Origin
  asPath?: AsPath
  nextHop?: Ipv4
  med?: number
  localPref?: number
  atomicAggregate?: boolean
  aggregator?: Aggregator
  communities?: readonly number[]
  originatorId?: Ipv4
  clusterList?: readonly Ipv4[]
  reach?: Reach
  unreach?: Unreach
  extendedCommunities?: readonly bigint[]
  largeCommunities?: readonly LargeCommunity[]
  as4Path?: AsPath
  as4Aggregator?: Aggregator
}

export type Severity = 'discard' | 'treat-as-withdraw' | 'reset'

export interface AttributeRow {
  readonly code: number
  readonly name: string
  readonly flags: number
  /** What was heard, or in words why it cannot be; may throw WireFault on short bodies. Octets left over are malformed. */
  readonly decode: (body: Cursor, dialect: Dialect) => Heard | string
  /** The body to send; undefined: nothing to say. */
  readonly encode: (attributes: Attributes, dialect: Dialect) => Uint8Array | undefined
  readonly onError: Severity
  /** What a conflict of the Optional and Transitive flags costs, where it is not the routes. RFC 7606 §3c. */
  readonly onWrongFlags?: 'discard'
  /** Dropped unread when it comes from another AS. */
  readonly internalOnly?: true
  /** Checked, and then handed on byte for byte without being understood further. */
  readonly handedOn?: true
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const
const WELL_KNOWN = TRANSITIVE
const nothing = (): undefined => undefined

const origin: AttributeRow = {
  code: 1,
  name: 'ORIGIN',
  flags: WELL_KNOWN,
  decode(body) {
    const value = body.u8()
    const named = ORIGINS[value]
    return named === undefined ? `value ${value}` : { origin: named }
  },
  encode: attributes => Uint8Array.of(ORIGINS.indexOf(attributes.origin)),
  onError: 'treat-as-withdraw',
}

const asPath: AttributeRow = {
  code: 2,
  name: 'AS_PATH',
  flags: WELL_KNOWN,
  decode(body, dialect) {
    const path = readAsPath(body, dialect.asnOctets)
    if (typeof path === 'string') return path
    if (dialect.kind === 'external' && path.some(isConfed)) return 'confederation segment from outside'
    return { asPath: path }
  },
  encode: (attributes, dialect) => encodeAsPath(attributes.asPath, dialect.asnOctets),
  onError: 'treat-as-withdraw',
}

const nextHop: AttributeRow = {
  code: 3,
  name: 'NEXT_HOP',
  flags: WELL_KNOWN,
  decode: body => ({ nextHop: toIpv4(body.u32()) }),
  encode: ({ nextHop: hop, nextHop6 }) => (nextHop6 === undefined ? u32s([hop]) : undefined),
  onError: 'treat-as-withdraw',
}

const med: AttributeRow = {
  code: 4,
  name: 'MULTI_EXIT_DISC',
  flags: OPTIONAL,
  decode: body => ({ med: body.u32() }),
  encode: attributes => (attributes.med === undefined ? undefined : u32s([attributes.med])),
  onError: 'treat-as-withdraw',
}

const localPref: AttributeRow = {
  code: 5,
  name: 'LOCAL_PREF',
  flags: WELL_KNOWN,
  decode: body => ({ localPref: body.u32() }),
  encode: attributes => (attributes.localPref === undefined ? undefined : u32s([attributes.localPref])),
  onError: 'treat-as-withdraw',
  internalOnly: true,
}

const atomicAggregate: AttributeRow = {
  code: 6,
  name: 'ATOMIC_AGGREGATE',
  flags: WELL_KNOWN,
  decode: () => ({ atomicAggregate: true }),
  encode: attributes => (attributes.atomicAggregate ? new Uint8Array(0) : undefined),
  onError: 'discard',
}

const aggregator: AttributeRow = {
  code: 7,
  name: 'AGGREGATOR',
  flags: OPTIONAL | TRANSITIVE,
  decode(body, dialect) {
    const said = readAggregator(body, dialect.asnOctets)
    return typeof said === 'string' ? said : { aggregator: said }
  },
  encode: ({ aggregator: by }, dialect) => (by === undefined ? undefined : encodeAggregator(by, dialect.asnOctets)),
  onError: 'discard',
}

const communities: AttributeRow = {
  code: 8,
  name: 'COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    const list = readU32s(body)
    return typeof list === 'string' ? list : { communities: list }
  },
  encode: ({ communities: list }) => (list.length === 0 ? undefined : u32s(inOrder(list))),
  onError: 'treat-as-withdraw',
}

const originatorId: AttributeRow = {
  code: 9,
  name: 'ORIGINATOR_ID',
  flags: OPTIONAL,
  decode: body => ({ originatorId: toIpv4(body.u32()) }),
  encode: attributes => (attributes.originatorId === undefined ? undefined : u32s([attributes.originatorId])),
  onError: 'treat-as-withdraw',
  internalOnly: true,
}

const clusterList: AttributeRow = {
  code: 10,
  name: 'CLUSTER_LIST',
  flags: OPTIONAL,
  decode(body) {
    const list = readU32s(body)
    return typeof list === 'string' ? list : { clusterList: list.map(toIpv4) }
  },
  encode: attributes => (attributes.clusterList.length === 0 ? undefined : u32s(attributes.clusterList)),
  onError: 'treat-as-withdraw',
  internalOnly: true,
}

/** Sent apart, in front of all others: its bytes depend on the prefixes. */
const mpReach: AttributeRow = {
  code: 14,
  name: 'MP_REACH_NLRI',
  flags: OPTIONAL,
  decode(body, dialect) {
    const reach = readReach(body, dialect)
    return typeof reach === 'string' ? reach : { reach }
  },
  encode: nothing,
  onError: 'reset',
}

const mpUnreach: AttributeRow = {
  code: 15,
  name: 'MP_UNREACH_NLRI',
  flags: OPTIONAL,
  decode(body, dialect) {
    const unreach = readUnreach(body, dialect)
    return typeof unreach === 'string' ? unreach : { unreach }
  },
  encode: nothing,
  onError: 'reset',
}

const extendedCommunities: AttributeRow = {
  code: 16,
  name: 'EXTENDED_COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    const list = readExtendedCommunities(body)
    return typeof list === 'string' ? list : { extendedCommunities: list }
  },
  encode: (attributes, dialect) => encodeExtendedCommunities(attributes.extendedCommunities, dialect.kind),
  onError: 'treat-as-withdraw',
}

const as4Path: AttributeRow = {
  code: 17,
  name: 'AS4_PATH',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    const path = readAsPath(body, 4)
    return typeof path === 'string' ? path : { as4Path: path }
  },
  encode({ asPath: path }, dialect) {
    if (dialect.asnOctets === 4 || !needsFourOctets(path)) return undefined
    return encodeAsPath(withoutConfederation(path), 4)
  },
  onError: 'discard',
  onWrongFlags: 'discard',
}

const as4Aggregator: AttributeRow = {
  code: 18,
  name: 'AS4_AGGREGATOR',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    const said = readAggregator(body, 4)
    return typeof said === 'string' ? said : { as4Aggregator: said }
  },
  encode({ aggregator: by }, dialect) {
    if (dialect.asnOctets === 4 || by === undefined || by.asn <= 0xffff) return undefined
    return encodeAggregator(by, 4)
  },
  onError: 'discard',
  onWrongFlags: 'discard',
}

const ipv6ExtendedCommunities: AttributeRow = {
  code: 25,
  name: 'IPV6_EXTENDED_COMMUNITIES',
  flags: OPTIONAL | TRANSITIVE,
  decode: body => multipleOf(20, body),
  encode: nothing,
  onError: 'treat-as-withdraw',
  handedOn: true,
}

/** RFC 7311 §3.1: without a session configured for it, dropped; a broken one costs nothing else (§3.4). */
const aigp: AttributeRow = {
  code: 26,
  name: 'AIGP',
  flags: OPTIONAL,
  decode(body) {
    while (body.left > 0) {
      body.skip(1)
      const length = body.u16()
      if (length < 3) return `TLV of length ${length}`
      body.skip(length - 3)
    }
    return {}
  },
  encode: nothing,
  onError: 'discard',
  onWrongFlags: 'discard',
}

const largeCommunities: AttributeRow = {
  code: 32,
  name: 'LARGE_COMMUNITY',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    const list = readLargeCommunities(body)
    return typeof list === 'string' ? list : { largeCommunities: list }
  },
  encode: attributes => encodeLargeCommunities(attributes.largeCommunities),
  onError: 'treat-as-withdraw',
}

/** Kept as bytes: what roles make of it is in `only-to-customer.ts`. RFC 9234 §5. */
const onlyToCustomer: AttributeRow = {
  code: 35,
  name: 'ONLY_TO_CUSTOMER',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    body.skip(4)
    return {}
  },
  encode: nothing,
  onError: 'treat-as-withdraw',
  handedOn: true,
}

/** RFC 8669 §3, §6: a label index has seven octets, an originator SRGB two and a multiple of six; from other domains it is dropped (§5). */
const prefixSid: AttributeRow = {
  code: 40,
  name: 'PREFIX_SID',
  flags: OPTIONAL | TRANSITIVE,
  decode(body) {
    if (body.left === 0) return 'no TLV'
    while (body.left > 0) {
      const type = body.u8()
      const length = body.u16()
      if (type === 1 && length !== 7) return `label index of ${length} octets`
      if (type === 3 && (length < 8 || length % 6 !== 2)) return `originator SRGB of ${length} octets`
      body.skip(length)
    }
    return {}
  },
  encode: nothing,
  onError: 'discard',
  onWrongFlags: 'discard',
  internalOnly: true,
  handedOn: true,
}

/** In ascending order of code, which is the order of sending (RFC 4271 appendix F.4). */
export const ROWS: readonly AttributeRow[] = [
  origin,
  asPath,
  nextHop,
  med,
  localPref,
  atomicAggregate,
  aggregator,
  communities,
  originatorId,
  clusterList,
  mpReach,
  mpUnreach,
  extendedCommunities,
  as4Path,
  as4Aggregator,
  ipv6ExtendedCommunities,
  aigp,
  largeCommunities,
  onlyToCustomer,
  prefixSid,
]

export const ROW_BY_CODE: ReadonlyMap<number, AttributeRow> = new Map(ROWS.map(row => [row.code, row]))

function readU32s(body: Cursor): readonly number[] | string {
  if (body.left === 0 || body.left % 4 !== 0) return `length ${body.left} is no multiple of 4`
  return Array.from({ length: body.left / 4 }, () => body.u32())
}

function multipleOf(octets: number, body: Cursor): Heard | string {
  if (body.left === 0 || body.left % octets !== 0) return `length ${body.left} is no multiple of ${octets}`
  body.skip(body.left)
  return {}
}

function readAggregator(body: Cursor, asnOctets: 2 | 4): Aggregator | string {
  const asn = asnOctets === 4 ? body.u32() : body.u16()
  return asn === 0 ? 'AS 0' : { asn, address: toIpv4(body.u32()) }
}

function encodeAggregator(by: Aggregator, asnOctets: 2 | 4): Uint8Array {
  const writer = new Writer()
  if (asnOctets === 4) writer.u32(by.asn)
  else writer.u16(by.asn > 0xffff ? AS_TRANS : by.asn)
  return writer.u32(by.address).finish()
}

function u32s(values: readonly number[]): Uint8Array {
  const writer = new Writer('network', 4 * values.length)
  for (const value of values) writer.u32(value)
  return writer.finish()
}
