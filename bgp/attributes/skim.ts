/**
 * What decisions ask of an attribute block, taken from its bytes without making values of them. Only plain blocks are taken: the common attributes in
 * order, each as our own encoder writes it; anything else is left to the decoder, which knows every fault. RFC 4271 §5, RFC 4456 §8.
 */
import type { Dialect } from '../wire/dialect.ts'
import { LLGR_STALE, NO_EXPORT_SUBCONFED } from './attributes.ts'

/** Numbers only, so that one may serve for every block. */
export interface Skimmed {
  originRank: number
  pathLength: number
  neighbourAs: number
  nextHop: number
  med: number
  localPref: number
  /** 0: there is none. */
  originatorId: number
  clusters: number
  /** How often the AS asked for is in the path. */
  ownAs: number
  ownCluster: boolean
  /** A well-known community is among the communities. */
  wellKnown: boolean
}

export interface Asked {
  readonly asn: number
  readonly clusterId: number
}

const ORIGIN = 1
const AS_PATH = 2
const NEXT_HOP = 3
const MED = 4
const LOCAL_PREF = 5
const COMMUNITIES = 8
const ORIGINATOR_ID = 9
const CLUSTER_LIST = 10
const SEQUENCE = 2
const FIRST_WELL_KNOWN = 0xffff0000
/** Flags as our encoder writes them, by code; 0: not plain. */
const FLAGS: readonly number[] = [0, 0x40, 0x40, 0x40, 0x80, 0x40, 0, 0, 0xc0, 0x80, 0x80]
/** ORIGIN, AS_PATH, NEXT_HOP and LOCAL_PREF, a bit each. */
const NEEDED = (1 << ORIGIN) | (1 << AS_PATH) | (1 << NEXT_HOP) | (1 << LOCAL_PREF)

/** Fills `into`; false: the block is not plain, and `into` means nothing. Hot and therefore long. */
export function skim(bytes: Uint8Array, from: number, to: number, asked: Asked, into: Skimmed): boolean {
  let seen = 0
  let last = 0
  into.med = 0
  into.originatorId = 0
  into.clusters = 0
  into.ownCluster = false
  into.wellKnown = false
  for (let at = from; at < to; ) {
    const code = bytes[at + 1] ?? 0
    const length = bytes[at + 2] ?? 0
    const body = at + 3
    const end = body + length
    if (end > to || code <= last || code > CLUSTER_LIST || FLAGS[code] === 0 || bytes[at] !== FLAGS[code]) return false
    if (code === ORIGIN) {
      into.originRank = bytes[body] ?? 3
      if (length !== 1 || into.originRank > 2) return false
    } else if (code === AS_PATH) {
      if (!skimPath(bytes, body, end, asked, into)) return false
    } else if (code === COMMUNITIES) {
      if (!skimCommunities(bytes, body, end, into)) return false
    } else if (code === CLUSTER_LIST) {
      if (length === 0 || length % 4 !== 0) return false
      into.clusters = length / 4
      for (let each = body; each < end; each += 4) if (u32(bytes, each) === asked.clusterId) into.ownCluster = true
    } else {
      if (length !== 4) return false
      const value = u32(bytes, body)
      if (code === NEXT_HOP) into.nextHop = value
      else if (code === MED) into.med = value
      else if (code === LOCAL_PREF) into.localPref = value
      else if (value === 0) return false
      else into.originatorId = value
    }
    seen |= 1 << code
    last = code
    at = end
  }
  return (seen & NEEDED) === NEEDED
}

/** Whether blocks in this dialect can be plain. */
export function maySkim({ kind, asnOctets }: Dialect): boolean {
  return kind === 'internal' && asnOctets === 4
}

/** Nothing, or one sequence; no AS 0. */
function skimPath(bytes: Uint8Array, from: number, to: number, { asn }: Asked, into: Skimmed): boolean {
  into.pathLength = 0
  into.neighbourAs = 0
  into.ownAs = 0
  if (from === to) return true
  const count = bytes[from + 1] ?? 0
  if (bytes[from] !== SEQUENCE || count === 0 || from + 2 + 4 * count !== to) return false
  for (let at = from + 2; at < to; at += 4) {
    const each = u32(bytes, at)
    if (each === 0) return false
    if (each === asn) into.ownAs++
    if (at === from + 2) into.neighbourAs = each
  }
  into.pathLength = count
  return true
}

/** In ascending order, each once: so we send them. */
function skimCommunities(bytes: Uint8Array, from: number, to: number, into: Skimmed): boolean {
  if (from === to || (to - from) % 4 !== 0) return false
  let last = -1
  for (let at = from; at < to; at += 4) {
    const community = u32(bytes, at)
    if (community <= last) return false
    last = community
    // It changes the choice: the decoder says so.
    if (community === LLGR_STALE) return false
    if (community >= FIRST_WELL_KNOWN && community <= NO_EXPORT_SUBCONFED) into.wellKnown = true
  }
  return true
}

/**
 * Writes a plain block as it is reflected: ORIGINATOR_ID where there is none, and one more cluster in front. What it takes; -1 when it would no
 * longer be plain. RFC 4456 §8.
 */
export function writeReflected(
  block: Uint8Array,
  by: { readonly originatorId: number; readonly clusterId: number },
  into: Uint8Array,
): number {
  let at = 0
  while (at < block.length && (block[at + 1] ?? 0) < ORIGINATOR_ID) at += 3 + (block[at + 2] ?? 0)
  into.set(at === block.length ? block : block.subarray(0, at))
  let put = at
  if (block[at + 1] === ORIGINATOR_ID) {
    into.set(block.subarray(at, at + 7), put)
    at += 7
    put += 7
  } else put = writeU32(into, put, ORIGINATOR_ID, 4, by.originatorId)
  const clusters = at < block.length ? (block[at + 2] ?? 0) : 0
  if (clusters + 4 > 255) return -1
  put = writeU32(into, put, CLUSTER_LIST, clusters + 4, by.clusterId)
  into.set(block.subarray(at + 3, at + 3 + clusters), put)
  return put + clusters
}

/** A header, and the first four octets of what it announces. */
function writeU32(into: Uint8Array, at: number, code: number, length: number, value: number): number {
  into[at] = 0x80
  into[at + 1] = code
  into[at + 2] = length
  into[at + 3] = value >>> 24
  into[at + 4] = value >>> 16
  into[at + 5] = value >>> 8
  into[at + 6] = value
  return at + 7
}

function u32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
}
