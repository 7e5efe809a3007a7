/** IPv4 prefixes: arithmetic on network address and length. */
import { formatIpv4, type Ipv4, parseIpv4, toIpv4 } from './ipv4.ts'

/** A network: no host bits are set in `address`; `length` is 0 to 32. */
export interface Prefix {
  readonly address: Ipv4
  readonly length: number
}

export type ParsedPrefix = { readonly ok: true; readonly value: Prefix } | { readonly ok: false; readonly says: string }

/** Mints a prefix, masking host bits away. */
export function toPrefix(address: Ipv4, length: number): Prefix {
  return { address: toIpv4(address & maskOf(length)), length }
}

// V8 makes all prefixes over when it first meets an address that is no small integer to it: better now, while there are none.
toPrefix(toIpv4(0xffffffff), 32)

/** Reads `10.1.0.0/16`; host bits are an error that names the network meant. */
export function parsePrefix(text: string): ParsedPrefix {
  const parsed = parseInterfaceAddress(text)
  if (parsed === undefined) return { ok: false, says: `"${text}" is not an IPv4 prefix such as 10.244.0.0/16` }
  const { address, length } = parsed
  const network = toPrefix(address, length)
  if (network.address !== address) return { ok: false, says: `host bits set in ${text}: write ${formatPrefix(network)}` }
  return { ok: true, value: network }
}

/** Reads `172.16.20.11/24`, an address together with the length of its network. */
export function parseInterfaceAddress(text: string): { address: Ipv4; length: number } | undefined {
  const [host, bits, ...rest] = text.split('/')
  if (host === undefined || bits === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(bits) || Number(bits) > 32)
    return undefined
  const address = parseIpv4(host)
  return address === undefined ? undefined : { address, length: Number(bits) }
}

/** Prints `10.1.0.0/16`: also the key of a prefix in maps. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatIpv4(prefix.address)}/${prefix.length}`
}

/** For literals in code and tests: throws on text that is not a prefix. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (!parsed.ok) throw new TypeError(parsed.says)
  return parsed.value
}

/** The netmask of a length as a 32-bit number; a shift by 32 would be a shift by 0. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
}

/** How many addresses the prefix holds. */
export function sizeOf(prefix: Prefix): number {
  return 2 ** (32 - prefix.length)
}

export function contains(prefix: Prefix, address: Ipv4): boolean {
  return (address & maskOf(prefix.length)) >>> 0 === prefix.address
}

/** True when every address of `inner` is in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && contains(outer, inner.address)
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return covers(a, b) || covers(b, a)
}

export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.address === b.address && a.length === b.length
}

/** Orders by address, then the shorter first: how `ip route` lists them. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return a.address - b.address || a.length - b.length
}
