/** Messages that clients send, written here and not by the speaker under test: it must not judge itself. */
import { Writer } from '@network/base/bytes/writer.ts'
import type { PrefixPlan } from './prefix-plan.ts'

const HEADER_LENGTH = 19
const LONGEST_MESSAGE = 4096
export const OPEN = 1
export const UPDATE = 2
export const NOTIFICATION = 3
export const KEEPALIVE = 4

const HOLD_TIME = 240
const AS_TRANS = 23456

export const KEEPALIVE_MESSAGE = message(KEEPALIVE, new Uint8Array())
export const END_OF_RIB = message(UPDATE, new Uint8Array(4))

/** IPv4 unicast, route refresh, four-octet AS. */
export function openMessage(asn: number, identifier: number): Uint8Array {
  const capabilities = new Writer().u8(1).u8(4).u16(1).u8(0).u8(1).u8(2).u8(0).u8(65).u8(4).u32(asn).finish()
  const body = new Writer()
    .u8(4)
    .u16(asn < 65536 ? asn : AS_TRANS)
    .u16(HOLD_TIME)
    .u32(identifier)
  body
    .u8(capabilities.length + 2)
    .u8(2)
    .u8(capabilities.length)
    .bytes(capabilities)
  return message(OPEN, body.finish())
}

/** What is said of routes: who announces them, in which version, with which of many attribute sets (0: the plain one). */
export interface Dress {
  readonly nextHop: number
  /** MULTI_EXIT_DISC: tells a route from the same one announced before. */
  readonly version: number
  readonly set: number
}

/** The attributes of a dress as they leave a client: ORIGIN, AS_PATH, NEXT_HOP, MED, LOCAL_PREF, communities. */
export function attributesOf({ nextHop, version, set }: Dress): Uint8Array {
  const written = new Writer().u8(0x40).u8(1).u8(1).u8(0)
  written.bytes(asPathOf(set))
  written.u8(0x40).u8(3).u8(4).u32(nextHop)
  written.u8(0x80).u8(4).u8(4).u32(version)
  written.u8(0x40).u8(5).u8(4).u32(100)
  return written.bytes(communitiesOf(set)).finish()
}

/** AS_PATH as an attribute: empty for the plain set, three numbers for each of the others. */
export function asPathOf(set: number): Uint8Array {
  const path = new Writer().u8(0x40).u8(2)
  if (set === 0) return path.u8(0).finish()
  return path
    .u8(14)
    .u8(2)
    .u8(3)
    .u32(64_600 + (set % 11))
    .u32(65_100 + (set % 397))
    .u32(4_200_000_000 + set)
    .finish()
}

/** COMMUNITIES as an attribute, two of them; nothing for the plain set. */
export function communitiesOf(set: number): Uint8Array {
  if (set === 0) return new Uint8Array()
  return new Writer()
    .u8(0xc0)
    .u8(8)
    .u8(8)
    .u16(64_500)
    .u16(set % 65_536)
    .u16(64_501)
    .u16(Math.floor(set / 65_536))
    .finish()
}

/** UPDATEs that announce a stretch of the sequence in one dress, as full as they get. */
export function announcement(plan: PrefixPlan, { from, count }: Stretch, dress: Dress): Uint8Array[] {
  const attributes = attributesOf(dress)
  const updates: Uint8Array[] = []
  for (let at = from; at < from + count; ) {
    const body = new Writer().u16(0).u16(attributes.length).bytes(attributes)
    while (at < from + count && body.length + 5 <= LONGEST_MESSAGE - HEADER_LENGTH) writePrefix(body, plan, plan.slotAt(at++))
    updates.push(message(UPDATE, body.finish()))
  }
  return updates
}

/** One UPDATE that withdraws a stretch, which must fit into it. */
export function withdrawal(plan: PrefixPlan, { from, count }: Stretch): Uint8Array {
  const prefixes = new Writer()
  for (let at = from; at < from + count; at++) writePrefix(prefixes, plan, plan.slotAt(at))
  const bytes = prefixes.finish()
  return message(UPDATE, new Writer().u16(bytes.length).bytes(bytes).u16(0).finish())
}

/** Part of the sequence of a plan. */
export interface Stretch {
  readonly from: number
  readonly count: number
}

function writePrefix(into: Writer, plan: PrefixPlan, slot: number): void {
  const length = plan.lengthOf(slot)
  const address = plan.addressOf(slot)
  into
    .u8(length)
    .u8(address >>> 24)
    .u8((address >>> 16) & 255)
    .u8((address >>> 8) & 255)
  if (length > 24) into.u8(address & 255)
}

function message(type: number, body: Uint8Array): Uint8Array {
  const length = HEADER_LENGTH + body.length
  return new Writer('network', length).bytes(new Uint8Array(16).fill(255)).u16(length).u8(type).bytes(body).finish()
}
