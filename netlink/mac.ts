/** Hardware addresses as text, `ee:ee:ee:ee:ee:ee`: compared as they are printed. */

/** Six octets, lower case, separated by colons. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, octet => octet.toString(16).padStart(2, '0')).join(':')
}

/** Reads six octets, or undefined for anything else. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined
  return Uint8Array.from(text.split(':'), octet => Number.parseInt(octet, 16))
}

/** A hardware address in two small integers: its first four octets, signed, and its last two. */
export interface MacWords {
  readonly high: number
  readonly low: number
}

/** For addresses that the program itself made up, of which there may be many: throws on text that is none. */
export function macWords(text: string): MacWords {
  const octet = (at: number) => (digit(text, at * 3) << 4) | digit(text, at * 3 + 1)
  const high = (octet(0) << 24) | (octet(1) << 16) | (octet(2) << 8) | octet(3)
  const low = (octet(4) << 8) | octet(5)
  if (text.length !== TEXT_LENGTH) throw new TypeError(`not a hardware address: ${text}`)
  return { high, low }
}
const TEXT_LENGTH = 17

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = (code | 0x20) - 0x61
  if (letter >= 0 && letter < 6) return letter + 10
  throw new TypeError(`not a hardware address: ${text}`)
}

/** `ee:ee:ee:ee:ee:ee` of its words. */
export function formatMacWords(high: number, low: number): string {
  const octets = new DataView(new ArrayBuffer(6))
  octets.setInt32(0, high)
  octets.setUint16(4, low)
  return formatMac(new Uint8Array(octets.buffer))
}

/** For addresses that the program itself made up: throws on text that is none. */
export function mac(text: string): Uint8Array {
  const bytes = parseMac(text)
  if (bytes === undefined) throw new TypeError(`not a hardware address: ${text}`)
  return bytes
}
