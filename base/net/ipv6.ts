/** IPv6 addresses as 128-bit bigints and prefixes of them; text only at the edges. */
import { Address6 } from 'ip-address'

declare const ipv6Unit: unique symbol
/** An IPv6 address, 0 to 2^128 − 1. */
export type Ipv6 = bigint & { readonly [ipv6Unit]: true }

/** A network: no host bits are set in `address`; `length` is 0 to 128. */
export interface Prefix6 {
  readonly address: Ipv6
  readonly length: number
}

export type ParsedPrefix6 = { readonly ok: true; readonly value: Prefix6 } | { readonly ok: false; readonly says: string }

const ALL_ONES = (1n << 128n) - 1n

/** Mints an address from the low 128 bits of a number. */
export function toIpv6(value: bigint): Ipv6 {
  return (value & ALL_ONES) as Ipv6
}

/** Reads an address without zone and without prefix length. */
export function parseIpv6(text: string): Ipv6 | undefined {
  if (/[/%]/.test(text) || !Address6.isValid(text)) return undefined
  return toIpv6(new Address6(text).bigInt())
}

/** Prints the short form of RFC 5952: `2001:db8::1`. */
export function formatIpv6(address: Ipv6): string {
  return Address6.fromBigInt(address).correctForm()
}

/** For literals in code and tests: throws on text that is not an address. */
export function ipv6(text: string): Ipv6 {
  const parsed = parseIpv6(text)
  if (parsed === undefined) throw new TypeError(`not an IPv6 address: ${text}`)
  return parsed
}

/** fe80::/10, RFC 4291 §2.4. */
export function isLinkLocal(address: Ipv6): boolean {
  return address >> 118n === 0x3fan
}

/** True where a packet may carry the address as a host's own: neither unspecified nor loopback nor multicast. */
export function isUsableHost6(address: Ipv6): boolean {
  return address > 1n && address >> 120n !== 0xffn
}

/** Mints a prefix, masking host bits away. */
export function toPrefix6(address: bigint, length: number): Prefix6 {
  const hostBits = BigInt(128 - length)
  return { address: toIpv6((address >> hostBits) << hostBits), length }
}

/** Reads `2001:db8::/32`; host bits are an error that names the network meant. */
export function parsePrefix6(text: string): ParsedPrefix6 {
  const [host, bits, ...rest] = text.split('/')
  const address = host === undefined ? undefined : parseIpv6(host)
  if (address === undefined || bits === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > 128)
    return { ok: false, says: `"${text}" is not an IPv6 prefix such as 2001:db8::/32` }
  const network = toPrefix6(address, Number(bits))
  if (network.address !== address) return { ok: false, says: `host bits set in ${text}: write ${formatPrefix6(network)}` }
  return { ok: true, value: network }
}

/** Prints `2001:db8::/32`: also the key of a prefix in maps. */
export function formatPrefix6(prefix: Prefix6): string {
  return `${formatIpv6(prefix.address)}/${prefix.length}`
}

/** For literals in code and tests: throws on text that is not a prefix. */
export function prefix6(text: string): Prefix6 {
  const parsed = parsePrefix6(text)
  if (!parsed.ok) throw new TypeError(parsed.says)
  return parsed.value
}

/** True when every address of `inner` is in `outer`. */
export function covers6(outer: Prefix6, inner: Prefix6): boolean {
  return inner.length >= outer.length && toPrefix6(inner.address, outer.length).address === outer.address
}
