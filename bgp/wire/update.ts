/** UPDATE: bytes → a graded verdict, and routes → bytes. RFC 4271 §4.3, §6.3; RFC 4760; RFC 7606. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Prefix6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Attributes, OpaqueAttribute } from '../attributes/attributes.ts'
import { decodeAttributes, type Remark } from '../attributes/decode.ts'
import { encodeReach, encodeUnreach, type NextHops, speaks } from '../attributes/multiprotocol.ts'
import { EXTENDED_LENGTH, type Heard, OPTIONAL } from '../attributes/rows.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST } from './capabilities.ts'
import { type Dialect, hasPathIds } from './dialect.ts'
import { frame, HEADER_OCTETS, LONGEST_MESSAGE } from './header.ts'
import { type Identified, keyOf, readPrefixes, writePrefix } from './nlri.ts'
import { type Notification, notification, UPDATE_FAULT } from './notification.ts'

export interface Announcement {
  readonly attributes: Attributes
  readonly prefixes: readonly Identified<Prefix>[]
}

export interface Announcement6 {
  readonly attributes: Attributes
  readonly prefixes: readonly Identified<Prefix6>[]
}

export interface Ipv6Routes {
  readonly withdrawn: readonly Identified<Prefix6>[]
  readonly announced: readonly Announcement6[]
}

/** What an UPDATE says of IPv6 when it says nothing. */
export const NO_IPV6: Ipv6Routes = { withdrawn: [], announced: [] }

export type UpdateVerdict =
  /** `withdrawn` never names a path that is also announced. Treat-as-withdraw has happened already; remarks tell why. */
  | {
      readonly is: 'routes'
      readonly withdrawn: readonly Identified<Prefix>[]
      readonly announced: readonly Announcement[]
      readonly ipv6: Ipv6Routes
      readonly remarks: readonly Remark[]
    }
  | { readonly is: 'end-of-rib'; readonly family: Family }
  | { readonly is: 'reset'; readonly notification: Notification; readonly says: string }

interface Fields {
  readonly withdrawn: Uint8Array
  readonly attributes: Uint8Array
  readonly announced: Uint8Array
}

/** Total: any body gives a verdict. */
export function decodeUpdate(body: Uint8Array, dialect: Dialect): UpdateVerdict {
  const fields = splitFields(body)
  if (fields === undefined) return reset(UPDATE_FAULT.malformedAttributes, 'a length runs over the end of the message')
  const withIds = hasPathIds(dialect, 'in', IPV4_UNICAST)
  const withdrawn = readPrefixes(fields.withdrawn, withIds)
  const announced = readPrefixes(fields.announced, withIds)
  if (withdrawn === undefined || announced === undefined) return reset(UPDATE_FAULT.badNetwork, 'a prefix that cannot be')
  if (body.length === 4) return { is: 'end-of-rib', family: IPV4_UNICAST }
  const decoded = decodeAttributes(fields.attributes, dialect)
  if (decoded.is === 'reset') return decoded
  const { heard, opaque } = decoded
  const isPure = decoded.remarks.length === 0 && opaque.length === 0
  const ended = isPure ? endedFamily(heard, fields) : undefined
  if (ended !== undefined) return { is: 'end-of-rib', family: ended }
  const classic = speaks(dialect, IPV4_UNICAST) ? { withdrawn, announced } : NO_CLASSIC
  const remarks = [
    ...decoded.remarks,
    ...missing(heard, classic.announced, dialect).filter(({ attribute }) => !isNamed(decoded.remarks, attribute)),
  ]
  if (remarks.some(remark => remark.reaction === 'treat-as-withdraw')) return spoiled(heard, classic, remarks)
  return sound(heard, opaque, classic, remarks)
}

interface Classic {
  readonly withdrawn: readonly Identified<Prefix>[]
  readonly announced: readonly Identified<Prefix>[]
}

/** Fields of their own in an UPDATE belong to IPv4 unicast: without it they say nothing. */
const NO_CLASSIC: Classic = { withdrawn: [], announced: [] }

/** RFC 7606 §5.2: with nothing to withdraw the fault cannot be made good. */
function spoiled({ reach, unreach }: Heard, { withdrawn, announced }: Classic, remarks: readonly Remark[]): UpdateVerdict {
  if (announced.length === 0 && reach === undefined)
    return reset(UPDATE_FAULT.malformedAttributes, `no routes to withdraw for: ${sayRemarks(remarks)}`)
  return {
    is: 'routes',
    withdrawn: [...withdrawn, ...ipv4Of(unreach), ...announced, ...ipv4Of(reach)],
    announced: [],
    ipv6: { withdrawn: [...ipv6Of(unreach), ...ipv6Of(reach)], announced: [] },
    remarks,
  }
}

function sound(heard: Heard, opaque: readonly OpaqueAttribute[], classic: Classic, remarks: readonly Remark[]): UpdateVerdict {
  const { reach, unreach, nextHop } = heard
  const announced = [
    ...(nextHop === undefined ? [] : announcement(heard, opaque, { nextHop, nextHop6: undefined }, classic.announced)),
    ...(reach?.is === 'ipv4' ? announcement(heard, opaque, reach.hops, reach.prefixes) : []),
  ]
  const announced6 = reach?.is === 'ipv6' ? announcement(heard, opaque, reach.hops, reach.prefixes) : []
  return {
    is: 'routes',
    withdrawn: without([...classic.withdrawn, ...ipv4Of(unreach)], announced),
    announced,
    ipv6: { withdrawn: without(ipv6Of(unreach), announced6), announced: announced6 },
    remarks,
  }
}

function ipv4Of(said: Heard['reach'] | Heard['unreach']): readonly Identified<Prefix>[] {
  return said?.is === 'ipv4' ? said.prefixes : []
}

function ipv6Of(said: Heard['reach'] | Heard['unreach']): readonly Identified<Prefix6>[] {
  return said?.is === 'ipv6' ? said.prefixes : []
}

/** The NLRI begins where Total Path Attribute Length says, wherever the reading of attributes stopped. */
function splitFields(body: Uint8Array): Fields | undefined {
  const cursor = new Cursor(body)
  try {
    return { withdrawn: cursor.take(cursor.u16()), attributes: cursor.take(cursor.u16()), announced: cursor.rest() }
  } catch (thrown) {
    if (thrown instanceof WireFault) return undefined
    throw thrown
  }
}

/** RFC 4724 §2: an MP_UNREACH without prefixes and nothing else; some say it so for IPv4 too. */
function endedFamily(heard: Heard, fields: Fields): Family | undefined {
  const { unreach } = heard
  if (fields.withdrawn.length > 0 || fields.announced.length > 0 || unreach === undefined) return undefined
  if (Object.keys(heard).length > 1 || unreach.is === 'foreign' || unreach.prefixes.length > 0) return undefined
  return unreach.is === 'ipv4' ? IPV4_UNICAST : IPV6_UNICAST
}

function missing(heard: Heard, classic: readonly Identified<Prefix>[], dialect: Dialect): readonly Remark[] {
  if (classic.length === 0 && ipv4Of(heard.reach).length === 0 && ipv6Of(heard.reach).length === 0) return []
  const absent: string[] = []
  if (heard.origin === undefined) absent.push('ORIGIN')
  if (heard.asPath === undefined) absent.push('AS_PATH')
  if (heard.nextHop === undefined && classic.length > 0) absent.push('NEXT_HOP')
  if (heard.localPref === undefined && dialect.kind === 'internal') absent.push('LOCAL_PREF')
  return absent.map(attribute => ({ attribute, says: 'missing', reaction: 'treat-as-withdraw' }))
}

function isNamed(remarks: readonly Remark[], name: string): boolean {
  return remarks.some(({ attribute }) => attribute === name)
}

function announcement<P>(
  heard: Heard,
  opaque: readonly OpaqueAttribute[],
  hops: NextHops,
  prefixes: readonly P[],
): readonly { readonly attributes: Attributes; readonly prefixes: readonly P[] }[] {
  const { origin, asPath } = heard
  if (prefixes.length === 0 || origin === undefined || asPath === undefined) return []
  const attributes: Attributes = {
    origin,
    asPath,
    nextHop: hops.nextHop,
    nextHop6: hops.nextHop6,
    med: heard.med,
    localPref: heard.localPref,
    atomicAggregate: heard.atomicAggregate ?? false,
    aggregator: heard.aggregator,
    communities: heard.communities ?? [],
    originatorId: heard.originatorId,
    clusterList: heard.clusterList ?? [],
    extendedCommunities: heard.extendedCommunities ?? [],
    largeCommunities: heard.largeCommunities ?? [],
    opaque,
  }
  return [{ attributes, prefixes }]
}

/** RFC 4271 §4.3: a path both withdrawn and announced in one message is announced. */
function without<P extends Identified<AnyPrefix>>(
  withdrawn: readonly P[],
  announced: readonly { readonly prefixes: readonly P[] }[],
): readonly P[] {
  if (withdrawn.length === 0 || announced.length === 0) return withdrawn
  const kept = new Set(announced.flatMap(({ prefixes }) => prefixes.map(keyOf)))
  return withdrawn.filter(prefix => !kept.has(keyOf(prefix)))
}

function reset(subcode: number, says: string): UpdateVerdict {
  return { is: 'reset', notification: notification(UPDATE_FAULT.code, subcode), says }
}

/** `ORIGIN: value 7; MED: truncated`. */
export function sayRemarks(remarks: readonly Remark[]): string {
  return remarks.map(({ attribute, says }) => `${attribute}: ${says}`).join('; ')
}

/** Octets that withdrawals, or attributes and prefixes together, may take in one message. */
export const UPDATE_ROOM = LONGEST_MESSAGE - HEADER_OCTETS - 4

/** Path ids are written where prefixes have them: all of a message or none. */
export function encodeWithdrawal(prefixes: readonly Identified<Prefix>[]): Uint8Array {
  const writer = new Writer('network', LONGEST_MESSAGE).u16(0)
  for (const prefix of prefixes) writePrefix(writer, prefix)
  writer.patchU16(0, writer.length - 2)
  return frame('update', writer.u16(0).finish())
}

export function encodeAnnouncement(attributes: Uint8Array, prefixes: readonly Identified<Prefix>[]): Uint8Array {
  const writer = new Writer('network', LONGEST_MESSAGE).u16(0).u16(attributes.length).bytes(attributes)
  for (const prefix of prefixes) writePrefix(writer, prefix)
  return frame('update', writer.finish())
}

/** MP_REACH in front of an attribute block without NEXT_HOP. RFC 7606 §5.1. */
export function encodeReachable(
  family: Family,
  route: { readonly hops: NextHops; readonly attributes: Uint8Array },
  prefixes: readonly Identified<AnyPrefix>[],
): Uint8Array {
  const reach = encodeReach(family, route.hops, prefixes)
  const writer = new Writer('network', LONGEST_MESSAGE).u16(0).u16(4 + reach.length + route.attributes.length)
  return frame('update', writer.bytes(wide(14, reach)).bytes(route.attributes).finish())
}

/** Withdrawals by MP_UNREACH. */
export function encodeUnreachable(family: Family, prefixes: readonly Identified<AnyPrefix>[]): Uint8Array {
  const unreach = encodeUnreach(family, prefixes)
  return frame(
    'update',
    new Writer('network', LONGEST_MESSAGE)
      .u16(0)
      .u16(4 + unreach.length)
      .bytes(wide(15, unreach))
      .finish(),
  )
}

/** RFC 4724 §2: all that was to say of a family has been said. */
export function encodeEndOfRib(family: Family = IPV4_UNICAST): Uint8Array {
  return family.afi === IPV4_UNICAST.afi ? frame('update', new Uint8Array(4)) : encodeUnreachable(family, [])
}

function wide(code: number, body: Uint8Array): Uint8Array {
  return new Writer('network', 4 + body.length)
    .u8(OPTIONAL | EXTENDED_LENGTH)
    .u8(code)
    .u16(body.length)
    .bytes(body)
    .finish()
}

export const KEEPALIVE = frame('keepalive', new Uint8Array(0))
