/** An address of either family, told apart by the kind of number that it is. */
import { formatIpv4, type Ipv4, parseIpv4, toIpv4 } from './ipv4.ts'
import { formatIpv6, type Ipv6, parseIpv6, toIpv6 } from './ipv6.ts'

export type AnyAddress = Ipv4 | Ipv6

/** `::ffff:0:0/96`, RFC 4291 §2.5.5.2. */
const MAPPED = 0xffffn

/** Reads either family: a colon makes it IPv6. */
export function parseAddress(text: string): AnyAddress | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

export function formatAddress(address: AnyAddress): string {
  return typeof address === 'bigint' ? formatIpv6(address) : formatIpv4(address)
}

/** For literals in code and tests: throws on text that is not an address. */
export function anyAddress(text: string): AnyAddress {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new TypeError(`not an address: ${text}`)
  return parsed
}

/** `0.0.0.0` or `::`, which stand for every address of the machine. */
export function isUnspecified(address: AnyAddress): boolean {
  return address === toIpv4(0) || address === toIpv6(0n)
}

/** An IPv4 address as itself where a socket of both families names it by an IPv6 one. */
export function unmapped(address: AnyAddress): AnyAddress {
  if (typeof address === 'number' || address >> 32n !== MAPPED) return address
  return toIpv4(Number(address & 0xffffffffn))
}
