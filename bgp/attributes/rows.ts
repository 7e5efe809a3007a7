/** One row an attribute: its code, flags, bytes both ways and what a malformed one costs. RFC 4271 §5, RFC 7606 §7. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import { IPV4_UNICAST, sameFamily } from '../wire/capabilities.ts'
import { AS_TRANS, type Dialect } from '../wire/dialect.ts'
import { readPrefixes } from '../wire/nlri.ts'
import { encodeAsPath, isConfed, needsFourOctets, readAsPath, withoutConfederation } from './as-path.ts'
import type { Aggregator, AsPath, Attributes, Origin } from './attributes.ts'

export const OPTIONAL = 0x80
export const TRANSITIVE = 0x40
export const PARTIAL = 0x20
export const EXTENDED_LENGTH = 0x10

/** IPv4 unicast carried the multiprotocol way. */
export interface Reach {
  readonly nextHop: Ipv4
  readonly prefixes: readonly Prefix[]
}

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
  unreach?: readonly Prefix[]
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
  /** Dropped unread when it comes from another AS. */
  readonly internalOnly?: true
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
  encode: attributes => u32s([attributes.nextHop]),
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
  encode: attributes => (attributes.communities.length === 0 ? undefined : u32s(attributes.communities)),
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

/** Read for IPv4 unicast; other families are skipped unparsed (RFC 4760 §7). We send classic NLRI only. */
const mpReach: AttributeRow = {
  code: 14,
  name: 'MP_REACH_NLRI',
  flags: OPTIONAL,
  decode(body) {
    const family = { afi: body.u16(), safi: body.u8() }
    const hop = body.sub(body.u8())
    body.skip(1)
    const networks = body.rest()
    if (!sameFamily(family, IPV4_UNICAST)) return {}
    if (hop.left !== 4) return `next hop of ${hop.left} octets`
    const prefixes = readPrefixes(networks)
    return prefixes === undefined ? 'bad prefix' : { reach: { nextHop: toIpv4(hop.u32()), prefixes } }
  },
  encode: nothing,
  onError: 'reset',
}

const mpUnreach: AttributeRow = {
  code: 15,
  name: 'MP_UNREACH_NLRI',
  flags: OPTIONAL,
  decode(body) {
    const family = { afi: body.u16(), safi: body.u8() }
    const networks = body.rest()
    if (!sameFamily(family, IPV4_UNICAST)) return {}
    const prefixes = readPrefixes(networks)
    return prefixes === undefined ? 'bad prefix' : { unreach: prefixes }
  },
  encode: nothing,
  onError: 'reset',
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
  as4Path,
  as4Aggregator,
]

export const ROW_BY_CODE: ReadonlyMap<number, AttributeRow> = new Map(ROWS.map(row => [row.code, row]))

function readU32s(body: Cursor): readonly number[] | string {
  if (body.left === 0 || body.left % 4 !== 0) return `length ${body.left} is no multiple of 4`
  return Array.from({ length: body.left / 4 }, () => body.u32())
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
