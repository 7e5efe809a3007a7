/** IPv4 addresses as unsigned 32-bit numbers; text only at the edges. */

declare const ipv4Unit: unique symbol
/** An IPv4 address in host order, 0 to 2^32 − 1. */
export type Ipv4 = number & { readonly [ipv4Unit]: true }

/** Mints an address from any 32-bit number, signed or not. */
export function toIpv4(value: number): Ipv4 {
  return (value >>> 0) as Ipv4
}

const DOTTED_QUAD = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/

/** Reads dotted-quad text; refuses leading zeros, short forms and anything else that tools disagree about. */
export function parseIpv4(text: string): Ipv4 | undefined {
  const found = DOTTED_QUAD.exec(text)
  if (found === null) return undefined
  const [a, b, c, d] = [Number(found[1]), Number(found[2]), Number(found[3]), Number(found[4])]
  return Math.max(a, b, c, d) > 255 ? undefined : toIpv4((a << 24) | (b << 16) | (c << 8) | d)
}

/** Prints dotted-quad text. */
export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** For literals in code and tests: throws on text that is not an address. */
export function ipv4(text: string): Ipv4 {
  const parsed = parseIpv4(text)
  if (parsed === undefined) throw new TypeError(`not an IPv4 address: ${text}`)
  return parsed
}

/** True where a packet may carry the address as a host's own: not 0/8, loopback, multicast, reserved or broadcast. */
export function isUsableHost(address: Ipv4): boolean {
  const top = address >>> 24
  return top !== 0 && top !== 127 && top < 224
}
