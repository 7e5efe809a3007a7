/** MRT records: bytes that bgpdump and its like read. RFC 6396, RFC 8050. */
import { Writer } from '@network/base/bytes/writer.ts'
import type { AnyAddress } from '@network/base/net/any-address.ts'
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'

const TABLE_DUMP_V2 = 13
const BGP4MP_ET = 17
const PEER_INDEX_TABLE = 1
const RIB = { ipv4: 2, ipv6: 4, ipv4AddPath: 8, ipv6AddPath: 10 } as const
const MP_REACH = 14
const OPTIONAL = 0x80

/** Subtypes of BGP4MP: [two octets an AS, four octets]. RFC 6396 §4.4, RFC 8050 §3. */
const MESSAGE = { in: [1, 4], out: [6, 7] } as const
const MESSAGE_ADDPATH = { in: [8, 9], out: [10, 11] } as const
const STATE_CHANGE_AS4 = 5

/** FSM states as RFC 6396 §4.4.1 numbers them. */
export const STATE_NUMBERS = { idle: 1, connect: 2, active: 3, 'open-sent': 4, 'open-confirm': 5, established: 6 } as const

/** A peer as a table dump names it. */
export interface IndexedPeer {
  readonly routerId: Ipv4
  readonly address: AnyAddress
  readonly asn: number
}

/** One path of a prefix in a table dump. */
export interface RibEntry {
  /** Place in the peer index table. */
  readonly peer: number
  /** Wall time in seconds since 1970. */
  readonly since: number
  readonly attributes: Attributes
  /** RFC 7911; either all entries of a record have one or none. */
  readonly pathId?: number
}

/** Both ends of a session, for BGP4MP. */
export interface Ends {
  readonly peerAsn: number
  readonly localAsn: number
  readonly peer: AnyAddress
  readonly local: AnyAddress
}

/** RFC 6396 §4.3.1. The name of the view may be empty. */
export function peerIndexTable(at: Date, collector: Ipv4, view: string, peers: readonly IndexedPeer[]): Uint8Array {
  const name = Buffer.from(view, 'utf8')
  const body = new Writer().u32(collector).u16(name.length).bytes(name).u16(peers.length)
  for (const { routerId, address, asn } of peers) {
    const isSix = typeof address === 'bigint'
    body.u8(isSix ? 0b11 : 0b10).u32(routerId)
    writeAddress(body, address).u32(asn)
  }
  return record(at, TABLE_DUMP_V2, PEER_INDEX_TABLE, body.finish())
}

/** All paths of one prefix. RFC 6396 §4.3.2, RFC 8050 §4.2. */
export function ribRecord(at: Date, sequence: number, prefix: AnyPrefix, entries: readonly RibEntry[]): Uint8Array {
  const isSix = isPrefix6(prefix)
  const hasIds = entries.some(({ pathId }) => pathId !== undefined)
  const subtype = isSix ? (hasIds ? RIB.ipv6AddPath : RIB.ipv6) : hasIds ? RIB.ipv4AddPath : RIB.ipv4
  const body = new Writer().u32(sequence)
  writePrefixBits(body, prefix)
  body.u16(entries.length)
  for (const { peer, since, attributes, pathId } of entries) {
    const block = attributeBlock(attributes)
    body.u16(peer).u32(since)
    if (hasIds) body.u32(pathId ?? 0)
    body.u16(block.length).bytes(block)
  }
  return record(at, TABLE_DUMP_V2, subtype, body.finish())
}

/** A message as it was on the wire. RFC 6396 §4.4.2 and §4.4.3. */
export function messageRecord(
  at: Date,
  ends: Ends,
  message: Uint8Array,
  how: { readonly way: 'in' | 'out'; readonly asnOctets: 2 | 4; readonly addPath: boolean },
): Uint8Array {
  const { way, asnOctets, addPath } = how
  const [two, four] = (addPath ? MESSAGE_ADDPATH : MESSAGE)[way]
  const body = writeEnds(new Writer('network', 64 + message.length), ends, asnOctets).bytes(message)
  return recordWithMicroseconds(at, asnOctets === 4 ? four : two, body.finish())
}

/** RFC 6396 §4.4.1. */
export function stateRecord(at: Date, ends: Ends, from: keyof typeof STATE_NUMBERS, to: keyof typeof STATE_NUMBERS): Uint8Array {
  const body = writeEnds(new Writer(), ends, 4).u16(STATE_NUMBERS[from]).u16(STATE_NUMBERS[to])
  return recordWithMicroseconds(at, STATE_CHANGE_AS4, body.finish())
}

/** RFC 6396 §4.3.4: AS numbers take four octets, and of MP_REACH_NLRI only the next hop is there. */
function attributeBlock(attributes: Attributes): Uint8Array {
  const { nextHop6 } = attributes
  const plain = encodeAttributes(attributes, { kind: 'internal', asnOctets: 4 })
  if (nextHop6 === undefined) return plain
  const hops = writeAddress(new Writer(), nextHop6.address)
  if (nextHop6.linkLocal !== undefined) writeAddress(hops, nextHop6.linkLocal)
  return new Writer('network', plain.length + 40)
    .bytes(plain)
    .u8(OPTIONAL)
    .u8(MP_REACH)
    .u8(hops.length + 1)
    .u8(hops.length)
    .bytes(hops.finish())
    .finish()
}

function writeEnds(writer: Writer, { peerAsn, localAsn, peer, local }: Ends, asnOctets: 2 | 4): Writer {
  if (asnOctets === 4) writer.u32(peerAsn).u32(localAsn)
  else writer.u16(peerAsn).u16(localAsn)
  writer.u16(0).u16(typeof peer === 'bigint' ? 2 : 1)
  return writeAddress(writeAddress(writer, peer), local)
}

function writePrefixBits(writer: Writer, prefix: AnyPrefix): void {
  const whole = writeAddress(new Writer(), prefix.address).finish()
  writer.u8(prefix.length).bytes(whole.subarray(0, Math.ceil(prefix.length / 8)))
}

/** Four octets or sixteen. */
export function writeAddress(writer: Writer, address: AnyAddress): Writer {
  if (typeof address === 'number') return writer.u32(address)
  for (let shift = 96n; shift >= 0n; shift -= 32n) writer.u32(Number((address >> shift) & 0xffffffffn))
  return writer
}

function record(at: Date, type: number, subtype: number, body: Uint8Array): Uint8Array {
  const writer = new Writer('network', 12 + body.length)
  return writer
    .u32(Math.floor(at.getTime() / 1000))
    .u16(type)
    .u16(subtype)
    .u32(body.length)
    .bytes(body)
    .finish()
}

/** RFC 6396 §3: the microseconds count as part of the message. */
function recordWithMicroseconds(at: Date, subtype: number, body: Uint8Array): Uint8Array {
  const time = at.getTime()
  return new Writer('network', 16 + body.length)
    .u32(Math.floor(time / 1000))
    .u16(BGP4MP_ET)
    .u16(subtype)
    .u32(body.length + 4)
    .u32(Math.floor(time % 1000) * 1000)
    .bytes(body)
    .finish()
}
