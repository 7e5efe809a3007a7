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

/** For addresses that the program itself made up: throws on text that is none. */
export function mac(text: string): Uint8Array {
  const bytes = parseMac(text)
  if (bytes === undefined) throw new TypeError(`not a hardware address: ${text}`)
  return bytes
}
