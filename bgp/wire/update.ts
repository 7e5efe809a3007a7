/** UPDATE: bytes → a graded verdict, and routes → bytes. RFC 4271 §4.3, §6.3; RFC 4760; RFC 7606. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import type { Attributes, OpaqueAttribute } from '../attributes/attributes.ts'
import { decodeAttributes, type Remark } from '../attributes/decode.ts'
import type { Heard } from '../attributes/rows.ts'
import type { Dialect } from './dialect.ts'
import { frame, HEADER_OCTETS, LONGEST_MESSAGE } from './header.ts'
import { readPrefixes, writePrefix } from './nlri.ts'
import { type Notification, notification, UPDATE_FAULT } from './notification.ts'

export interface Announcement {
  readonly attributes: Attributes
  readonly prefixes: readonly Prefix[]
}

export type UpdateVerdict =
  /** `withdrawn` never names a prefix that is also announced. Treat-as-withdraw has happened already; remarks tell why. */
  | {
      readonly is: 'routes'
      readonly withdrawn: readonly Prefix[]
      readonly announced: readonly Announcement[]
      readonly remarks: readonly Remark[]
    }
  | { readonly is: 'end-of-rib' }
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
  const withdrawn = readPrefixes(fields.withdrawn)
  const announced = readPrefixes(fields.announced)
  if (withdrawn === undefined || announced === undefined) return reset(UPDATE_FAULT.badNetwork, 'a prefix that cannot be')
  if (body.length === 4) return { is: 'end-of-rib' }
  const decoded = decodeAttributes(fields.attributes, dialect)
  if (decoded.is === 'reset') return decoded
  const { heard, opaque } = decoded
  if (isMultiprotocolEnd(heard, fields)) return { is: 'end-of-rib' }
  const remarks = [
    ...decoded.remarks,
    ...missing(heard, announced, dialect).filter(({ attribute }) => !isNamed(decoded.remarks, attribute)),
  ]
  const reachable = announced.length + (heard.reach?.prefixes.length ?? 0)
  const spoiled = remarks.some(remark => remark.reaction === 'treat-as-withdraw')
  if (spoiled && reachable === 0)
    return reset(UPDATE_FAULT.malformedAttributes, `no routes to withdraw for: ${sayRemarks(remarks)}`)
  const gone = [...withdrawn, ...(heard.unreach ?? [])]
  if (spoiled)
    return { is: 'routes', withdrawn: [...gone, ...announced, ...(heard.reach?.prefixes ?? [])], announced: [], remarks }
  const announcements = [
    ...announcement(heard, opaque, { nextHop: heard.nextHop, prefixes: announced }),
    ...announcement(heard, opaque, { nextHop: heard.reach?.nextHop, prefixes: heard.reach?.prefixes ?? [] }),
  ]
  return { is: 'routes', withdrawn: without(gone, announcements), announced: announcements, remarks }
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

/** RFC 4724 §2 says an empty UPDATE for IPv4; some say it with an empty MP_UNREACH, which means the same. */
function isMultiprotocolEnd(heard: Heard, fields: Fields): boolean {
  if (fields.withdrawn.length > 0 || fields.announced.length > 0) return false
  return heard.unreach?.length === 0 && Object.keys(heard).length === 1
}

function missing(heard: Heard, classic: readonly Prefix[], dialect: Dialect): readonly Remark[] {
  if (classic.length === 0 && (heard.reach?.prefixes ?? []).length === 0) return []
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

function announcement(
  heard: Heard,
  opaque: readonly OpaqueAttribute[],
  via: { readonly nextHop: Ipv4 | undefined; readonly prefixes: readonly Prefix[] },
): readonly Announcement[] {
  const { origin, asPath } = heard
  if (via.prefixes.length === 0 || via.nextHop === undefined || origin === undefined || asPath === undefined) return []
  const attributes: Attributes = {
    origin,
    asPath,
    nextHop: via.nextHop,
    med: heard.med,
    localPref: heard.localPref,
    atomicAggregate: heard.atomicAggregate ?? false,
    aggregator: heard.aggregator,
    communities: heard.communities ?? [],
    originatorId: heard.originatorId,
    clusterList: heard.clusterList ?? [],
    opaque,
  }
  return [{ attributes, prefixes: via.prefixes }]
}

/** RFC 4271 §4.3: a prefix both withdrawn and announced in one message is announced. */
function without(withdrawn: readonly Prefix[], announced: readonly Announcement[]): readonly Prefix[] {
  if (withdrawn.length === 0 || announced.length === 0) return withdrawn
  const kept = new Set(announced.flatMap(({ prefixes }) => prefixes.map(formatPrefix)))
  return withdrawn.filter(prefix => !kept.has(formatPrefix(prefix)))
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

export function encodeWithdrawal(prefixes: readonly Prefix[]): Uint8Array {
  const writer = new Writer('network', LONGEST_MESSAGE).u16(0)
  for (const prefix of prefixes) writePrefix(writer, prefix)
  writer.patchU16(0, writer.length - 2)
  return frame('update', writer.u16(0).finish())
}

export function encodeAnnouncement(attributes: Uint8Array, prefixes: readonly Prefix[]): Uint8Array {
  const writer = new Writer('network', LONGEST_MESSAGE).u16(0).u16(attributes.length).bytes(attributes)
  for (const prefix of prefixes) writePrefix(writer, prefix)
  return frame('update', writer.finish())
}

/** RFC 4724 §2: all that was to say has been said. */
export function encodeEndOfRib(): Uint8Array {
  return frame('update', new Uint8Array(4))
}

export const KEEPALIVE = frame('keepalive', new Uint8Array(0))
