/** Prefixes as UPDATE carries them: a length in bits, then as many octets as that needs; a path id in front with ADD-PATH. RFC 4271 §4.3, RFC 7911 §3. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { type AnyPrefix, formatAnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix6, toPrefix6 } from '@network/base/net/ipv6.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'

/** A prefix, and which of its paths is meant where there may be several; left out: the session knows no path ids. */
export type Identified<P extends AnyPrefix> = P & { readonly pathId?: number }

const PATH_ID_OCTETS = 4

/** All prefixes of a field, host bits masked away; undefined when a length is above 32 or runs over the end. */
export function readPrefixes(bytes: Uint8Array, withIds = false): readonly Identified<Prefix>[] | undefined {
  const cursor = new Cursor(bytes)
  const prefixes: Identified<Prefix>[] = []
  while (cursor.left > 0) {
    if (withIds && cursor.left <= PATH_ID_OCTETS) return undefined
    const pathId = withIds ? cursor.u32() : undefined
    const length = cursor.u8()
    const octets = octetsOf(length)
    if (length > 32 || octets > cursor.left) return undefined
    const prefix = toPrefix(readTop(cursor, octets), length)
    prefixes.push(pathId === undefined ? prefix : { ...prefix, pathId })
  }
  return prefixes
}

/** The same for IPv6: undefined when a length is above 128 or runs over the end. */
export function readPrefixes6(bytes: Uint8Array, withIds = false): readonly Identified<Prefix6>[] | undefined {
  const cursor = new Cursor(bytes)
  const prefixes: Identified<Prefix6>[] = []
  while (cursor.left > 0) {
    if (withIds && cursor.left <= PATH_ID_OCTETS) return undefined
    const pathId = withIds ? cursor.u32() : undefined
    const length = cursor.u8()
    const octets = octetsOf(length)
    if (length > 128 || octets > cursor.left) return undefined
    let address = 0n
    for (let at = 0; at < octets; at++) address |= BigInt(cursor.u8()) << BigInt(120 - 8 * at)
    const prefix = toPrefix6(address, length)
    prefixes.push(pathId === undefined ? prefix : { ...prefix, pathId })
  }
  return prefixes
}

/** With its path id, if it has one. */
export function writeAnyPrefix(writer: Writer, prefix: Identified<AnyPrefix>): void {
  if (!isPrefix6(prefix)) {
    writePrefix(writer, prefix)
    return
  }
  if (prefix.pathId !== undefined) writer.u32(prefix.pathId)
  writer.u8(prefix.length)
  for (let at = 0; at < octetsOf(prefix.length); at++) writer.u8(Number((prefix.address >> BigInt(120 - 8 * at)) & 255n))
}

export function writePrefix(writer: Writer, prefix: Identified<Prefix>): void {
  if (prefix.pathId !== undefined) writer.u32(prefix.pathId)
  writer.u8(prefix.length)
  for (let at = 0; at < octetsOf(prefix.length); at++) writer.u8((prefix.address >>> (24 - 8 * at)) & 255)
}

/** Octets that a prefix takes in a message, its length octet and its path id included. */
export function sizeOfPrefix({ length, pathId }: Identified<AnyPrefix>): number {
  return (pathId === undefined ? 0 : PATH_ID_OCTETS) + 1 + octetsOf(length)
}

/** Equal for the same path of the same prefix, and different otherwise. */
export function keyOf(prefix: Identified<AnyPrefix>): string {
  return prefix.pathId === undefined ? formatAnyPrefix(prefix) : `${formatAnyPrefix(prefix)}#${prefix.pathId}`
}

function octetsOf(bits: number): number {
  return Math.ceil(bits / 8)
}

function readTop(cursor: Cursor, octets: number) {
  let address = 0
  for (let at = 0; at < octets; at++) address += cursor.u8() * 2 ** (24 - 8 * at)
  return toIpv4(address)
}
