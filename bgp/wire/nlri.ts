/** Prefixes as UPDATE carries them: a length in bits, then as many octets as that needs. RFC 4271 §4.3. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix6, toPrefix6 } from '@network/base/net/ipv6.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'

/** All prefixes of a field, host bits masked away; undefined when a length is above 32 or runs over the end. */
export function readPrefixes(bytes: Uint8Array): readonly Prefix[] | undefined {
  const cursor = new Cursor(bytes)
  const prefixes: Prefix[] = []
  while (cursor.left > 0) {
    const length = cursor.u8()
    const octets = octetsOf(length)
    if (length > 32 || octets > cursor.left) return undefined
    prefixes.push(toPrefix(readTop(cursor, octets), length))
  }
  return prefixes
}

/** The same for IPv6: undefined when a length is above 128 or runs over the end. */
export function readPrefixes6(bytes: Uint8Array): readonly Prefix6[] | undefined {
  const cursor = new Cursor(bytes)
  const prefixes: Prefix6[] = []
  while (cursor.left > 0) {
    const length = cursor.u8()
    const octets = octetsOf(length)
    if (length > 128 || octets > cursor.left) return undefined
    let address = 0n
    for (let at = 0; at < octets; at++) address |= BigInt(cursor.u8()) << BigInt(120 - 8 * at)
    prefixes.push(toPrefix6(address, length))
  }
  return prefixes
}

export function writeAnyPrefix(writer: Writer, prefix: AnyPrefix): void {
  if (!isPrefix6(prefix)) {
    writePrefix(writer, prefix)
    return
  }
  writer.u8(prefix.length)
  for (let at = 0; at < octetsOf(prefix.length); at++) writer.u8(Number((prefix.address >> BigInt(120 - 8 * at)) & 255n))
}

export function writePrefix(writer: Writer, prefix: Prefix): void {
  writer.u8(prefix.length)
  for (let at = 0; at < octetsOf(prefix.length); at++) writer.u8((prefix.address >>> (24 - 8 * at)) & 255)
}

/** Octets that a prefix takes in a message, its length octet included. */
export function sizeOfPrefix(prefix: AnyPrefix): number {
  return 1 + octetsOf(prefix.length)
}

function octetsOf(bits: number): number {
  return Math.ceil(bits / 8)
}

function readTop(cursor: Cursor, octets: number) {
  let address = 0
  for (let at = 0; at < octets; at++) address += cursor.u8() * 2 ** (24 - 8 * at)
  return toIpv4(address)
}
