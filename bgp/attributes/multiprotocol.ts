/** MP_REACH_NLRI and MP_UNREACH_NLRI for IPv4 and IPv6 unicast. RFC 4760 §3, §4; RFC 2545 §3; RFC 8950 §4. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { type Ipv6, isLinkLocal, type Prefix6, toIpv6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import { type Dialect, hasPathIds } from '../wire/dialect.ts'
import { type Identified, readPrefixes, readPrefixes6, writeAnyPrefix } from '../wire/nlri.ts'
import { type Ipv6NextHop, NOWHERE } from './attributes.ts'

export interface NextHops {
  readonly nextHop: Ipv4
  readonly nextHop6: Ipv6NextHop | undefined
}

export type Reach =
  /** Of a family that was not agreed on: its routes are not read (RFC 4760 §7). */
  | { readonly is: 'foreign' }
  | { readonly is: 'ipv4'; readonly hops: NextHops; readonly prefixes: readonly Identified<Prefix>[] }
  | { readonly is: 'ipv6'; readonly hops: NextHops; readonly prefixes: readonly Identified<Prefix6>[] }

export type Unreach =
  | { readonly is: 'foreign' }
  | { readonly is: 'ipv4'; readonly prefixes: readonly Identified<Prefix>[] }
  | { readonly is: 'ipv6'; readonly prefixes: readonly Identified<Prefix6>[] }

const UNSPECIFIED = toIpv6(0n)
const BAD_PREFIX = 'bad prefix'

/** What is reachable, or in words why it cannot be read. */
export function readReach(body: Cursor, dialect: Dialect): Reach | string {
  const family = readFamily(body)
  const hop = body.sub(body.u8())
  body.skip(1)
  const networks = body.rest()
  if (!speaks(dialect, family)) return { is: 'foreign' }
  const withIds = hasPathIds(dialect, 'in', family)
  if (sameFamily(family, IPV4_UNICAST)) {
    const wide = dialect.multiprotocol?.ipv6NextHop === true && hop.left !== 4
    const hops = wide ? readHops6(hop) : readHops4(hop)
    const prefixes = readPrefixes(networks, withIds)
    if (typeof hops === 'string') return hops
    return prefixes === undefined ? BAD_PREFIX : { is: 'ipv4', hops, prefixes }
  }
  const hops = readHops6(hop)
  const prefixes = readPrefixes6(networks, withIds)
  if (typeof hops === 'string') return hops
  return prefixes === undefined ? BAD_PREFIX : { is: 'ipv6', hops, prefixes }
}

export function readUnreach(body: Cursor, dialect: Dialect): Unreach | string {
  const family = readFamily(body)
  const networks = body.rest()
  if (!speaks(dialect, family)) return { is: 'foreign' }
  const withIds = hasPathIds(dialect, 'in', family)
  if (sameFamily(family, IPV4_UNICAST)) {
    const prefixes = readPrefixes(networks, withIds)
    return prefixes === undefined ? BAD_PREFIX : { is: 'ipv4', prefixes }
  }
  const prefixes = readPrefixes6(networks, withIds)
  return prefixes === undefined ? BAD_PREFIX : { is: 'ipv6', prefixes }
}

/** Without a word of families, IPv4 unicast is all that is spoken (RFC 4760 §8). */
export function speaks({ multiprotocol }: Dialect, family: Family): boolean {
  if (multiprotocol === undefined) return sameFamily(family, IPV4_UNICAST)
  const ours = sameFamily(family, IPV4_UNICAST) || sameFamily(family, IPV6_UNICAST)
  return ours && multiprotocol.families.some(each => sameFamily(each, family))
}

/** A body: family, next hop, a reserved octet, and the prefixes. */
export function encodeReach(family: Family, hops: NextHops, prefixes: readonly Identified<AnyPrefix>[]): Uint8Array {
  const writer = new Writer().u16(family.afi).u8(family.safi)
  writeHops(writer, hops)
  writer.u8(0)
  for (const prefix of prefixes) writeAnyPrefix(writer, prefix)
  return writer.finish()
}

/** Octets in front of the prefixes. */
export function sizeOfReachHead({ nextHop6 }: NextHops): number {
  if (nextHop6 === undefined) return 9
  return nextHop6.linkLocal === undefined ? 21 : 37
}

/** Without prefixes it is the End-of-RIB of the family (RFC 4724 §2). */
export function encodeUnreach(family: Family, prefixes: readonly Identified<AnyPrefix>[]): Uint8Array {
  const writer = new Writer().u16(family.afi).u8(family.safi)
  for (const prefix of prefixes) writeAnyPrefix(writer, prefix)
  return writer.finish()
}

function readFamily(body: Cursor): Family {
  return { afi: body.u16(), safi: body.u8() }
}

function readHops4(hop: Cursor): NextHops | string {
  return hop.left === 4 ? { nextHop: toIpv4(hop.u32()), nextHop6: undefined } : `next hop of ${hop.left} octets`
}

/** Some fill one of the halves with `::` or repeat the first: a second one says something only if it is another link-local address. */
function readHops6(hop: Cursor): NextHops | string {
  if (hop.left !== 16 && hop.left !== 32) return `next hop of ${hop.left} octets`
  const first = readIpv6(hop)
  const second = hop.left === 16 ? readIpv6(hop) : undefined
  const linkLocal = second !== undefined && isLinkLocal(second) && second !== first ? second : undefined
  const isAlone = first === UNSPECIFIED && linkLocal !== undefined
  return { nextHop: NOWHERE, nextHop6: isAlone ? { address: linkLocal, linkLocal: undefined } : { address: first, linkLocal } }
}

function readIpv6(cursor: Cursor): Ipv6 {
  let value = 0n
  for (let word = 0; word < 4; word++) value = (value << 32n) | BigInt(cursor.u32())
  return toIpv6(value)
}

function writeHops(writer: Writer, { nextHop, nextHop6 }: NextHops): void {
  if (nextHop6 === undefined) {
    writer.u8(4).u32(nextHop)
    return
  }
  const { address, linkLocal } = nextHop6
  writer.u8(linkLocal === undefined ? 16 : 32)
  writeIpv6(writer, address)
  if (linkLocal !== undefined) writeIpv6(writer, linkLocal)
}

function writeIpv6(writer: Writer, address: Ipv6): void {
  for (let shift = 96n; shift >= 0n; shift -= 32n) writer.u32(Number((address >> shift) & 0xffffffffn))
}
