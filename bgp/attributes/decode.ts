/** The attribute block of an UPDATE → values, with every fault graded as RFC 7606 wants. */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { AS_TRANS, type Dialect } from '../wire/dialect.ts'
import { type Notification, notification, UPDATE_FAULT } from '../wire/notification.ts'
import { hasSet, mergeAs4 } from './as-path.ts'
import type { OpaqueAttribute } from './attributes.ts'
import {
  type AttributeRow,
  EXTENDED_LENGTH,
  type Heard,
  OPTIONAL,
  PARTIAL,
  ROW_BY_CODE,
  type Severity,
  TRANSITIVE,
} from './rows.ts'

/** Something wrong that the session survives. */
export interface Remark {
  readonly attribute: string
  readonly says: string
  readonly reaction: 'discard' | 'treat-as-withdraw'
}

export type DecodedAttributes =
  | {
      readonly is: 'heard'
      readonly heard: Heard
      readonly opaque: readonly OpaqueAttribute[]
      readonly remarks: readonly Remark[]
    }
  | { readonly is: 'reset'; readonly notification: Notification; readonly says: string }

interface RawAttribute {
  readonly flags: number
  readonly code: number
  readonly body: Uint8Array
  /** Header and body as received: the data of a NOTIFICATION. */
  readonly whole: Uint8Array
}

/** RFC 9774 §3, of AS_PATH and AS4_PATH alike. */
const DEPRECATED_SET: Remark = { attribute: 'AS_PATH', says: 'AS_SET', reaction: 'treat-as-withdraw' }

const MP_CODES: ReadonlySet<number> = new Set([14, 15])
const AS4_CODES: ReadonlySet<number> = new Set([17, 18])

/** Total: any block gives a verdict. The strongest reaction wins. */
export function decodeAttributes(block: Uint8Array, dialect: Dialect): DecodedAttributes {
  const { attributes, remarks } = splitBlock(block)
  const heard: Heard = {}
  const opaque: OpaqueAttribute[] = []
  const seen = new Set<number>()
  for (const raw of attributes) {
    if (seen.has(raw.code)) {
      if (MP_CODES.has(raw.code)) return reset(UPDATE_FAULT.malformedAttributes, `attribute ${raw.code} twice`, raw)
      remarks.push({ attribute: nameOf(raw.code), says: 'given twice, the first one counts', reaction: 'discard' })
      continue
    }
    seen.add(raw.code)
    const row = ROW_BY_CODE.get(raw.code)
    if (row === undefined) {
      if ((raw.flags & OPTIONAL) === 0)
        return reset(UPDATE_FAULT.unknownWellKnown, `unknown well-known attribute ${raw.code}`, raw)
      if ((raw.flags & TRANSITIVE) !== 0) opaque.push({ code: raw.code, body: raw.body.slice(), partial: true })
      continue
    }
    if (isUnread(row, dialect)) continue
    const read = readOne(row, raw, dialect)
    if (read.is === 'heard') {
      Object.assign(heard, read.heard)
      remarks.push(...read.remarks)
      if (row.handedOn === true) opaque.push({ code: raw.code, body: raw.body.slice(), partial: (raw.flags & PARTIAL) !== 0 })
    } else if (read.reaction === 'reset') return reset(UPDATE_FAULT.optionalAttribute, `${row.name}: ${read.says}`, raw)
    else remarks.push({ attribute: row.name, says: read.says, reaction: read.reaction })
  }
  const merged = withFourOctets(heard)
  if (dialect.asSets !== 'accepted' && merged.asPath?.some(hasSet) === true) remarks.push(DEPRECATED_SET)
  return { is: 'heard', heard: merged, opaque, remarks }
}

/** RFC 7606 §4: an attribute that overruns the block ends it and costs the routes, not the session. */
function splitBlock(block: Uint8Array): { readonly attributes: readonly RawAttribute[]; readonly remarks: Remark[] } {
  const attributes: RawAttribute[] = []
  const cursor = new Cursor(block)
  while (cursor.left > 0) {
    const from = cursor.at
    try {
      const flags = cursor.u8()
      const code = cursor.u8()
      const body = cursor.take((flags & EXTENDED_LENGTH) === 0 ? cursor.u8() : cursor.u16())
      attributes.push({ flags, code, body, whole: block.subarray(from, cursor.at) })
    } catch (thrown) {
      if (!(thrown instanceof WireFault)) throw thrown
      const says = `attribute runs over the end of the block: ${thrown.message}`
      return { attributes, remarks: [{ attribute: 'attribute list', says, reaction: 'treat-as-withdraw' }] }
    }
  }
  return { attributes, remarks: [] }
}

/** RFC 7606 §7.5, 7.9, 7.10: from outside these are dropped unread; RFC 6793 §4.1: so is AS4_* from a four-octet peer. */
function isUnread(row: AttributeRow, dialect: Dialect): boolean {
  if (AS4_CODES.has(row.code)) return dialect.asnOctets === 4
  return row.internalOnly === true && dialect.kind === 'external'
}

type Read =
  | { readonly is: 'heard'; readonly heard: Heard; readonly remarks: readonly Remark[] }
  | { readonly is: 'malformed'; readonly says: string; readonly reaction: Severity }

/** Wrong flags of a multiprotocol attribute cost its routes: they must be read to be withdrawn. RFC 7606 §3c. */
function readOne(row: AttributeRow, raw: RawAttribute, dialect: Dialect): Read {
  const kindBits = OPTIONAL | TRANSITIVE
  const says = `flags 0x${raw.flags.toString(16)}`
  const wrongFlags = (raw.flags & kindBits) !== (row.flags & kindBits)
  if (wrongFlags && row.onError !== 'reset') return { is: 'malformed', says, reaction: row.onWrongFlags ?? 'treat-as-withdraw' }
  const heard = decodeBody(row, new Cursor(raw.body), dialect)
  if (typeof heard === 'string') return { is: 'malformed', says: heard, reaction: row.onError }
  if (!wrongFlags) return { is: 'heard', heard, remarks: [] }
  return { is: 'heard', heard, remarks: [{ attribute: row.name, says, reaction: 'treat-as-withdraw' }] }
}

function decodeBody(row: AttributeRow, body: Cursor, dialect: Dialect): Heard | string {
  try {
    const heard = row.decode(body, dialect)
    return typeof heard !== 'string' && body.left > 0 ? `${body.left} octets too many` : heard
  } catch (thrown) {
    if (thrown instanceof WireFault) return thrown.message
    throw thrown
  }
}

/** RFC 6793 §4.2.3: from a two-octet peer the real numbers come in AS4_*, unless its AGGREGATOR is not AS_TRANS. */
function withFourOctets(heard: Heard): Heard {
  const { as4Path, as4Aggregator, ...plain } = heard
  if (plain.aggregator !== undefined && as4Aggregator !== undefined && plain.aggregator.asn !== AS_TRANS) return plain
  if (plain.aggregator !== undefined && as4Aggregator !== undefined) plain.aggregator = as4Aggregator
  if (plain.asPath !== undefined && as4Path !== undefined) plain.asPath = mergeAs4(plain.asPath, as4Path)
  return plain
}

function reset(subcode: number, says: string, raw: RawAttribute): DecodedAttributes {
  return { is: 'reset', notification: notification(UPDATE_FAULT.code, subcode, raw.whole.slice()), says }
}

function nameOf(code: number): string {
  return ROW_BY_CODE.get(code)?.name ?? `attribute ${code}`
}
