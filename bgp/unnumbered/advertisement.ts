/** Router advertisements and solicitations: how two routers on a link learn each other's address. RFC 4861 §4.1, §4.2, §6.1. */

export const SOLICITATION = 133
export const ADVERTISEMENT = 134

const SOLICITATION_OCTETS = 8
const ADVERTISEMENT_OCTETS = 16

/** Asks whoever routes on the link to say so; the kernel fills in the checksum. */
export function encodeSolicitation(): Uint8Array {
  const message = new Uint8Array(SOLICITATION_OCTETS)
  message[0] = SOLICITATION
  return message
}

/** Says that we are here, and that nobody is to take us for a default router: a lifetime of 0. */
export function encodeAdvertisement(): Uint8Array {
  const message = new Uint8Array(ADVERTISEMENT_OCTETS)
  message[0] = ADVERTISEMENT
  return message
}

/** What a message is; undefined: it is malformed, or of no interest. Checksum, hop limit and source are looked at elsewhere. */
export function kindOf(message: Uint8Array): 'solicitation' | 'advertisement' | undefined {
  const [type, code] = message
  if (code !== 0) return undefined
  if (type === SOLICITATION && hasOptionsFrom(message, SOLICITATION_OCTETS)) return 'solicitation'
  return type === ADVERTISEMENT && hasOptionsFrom(message, ADVERTISEMENT_OCTETS) ? 'advertisement' : undefined
}

/** Whole options to the end, none of them of no length. */
function hasOptionsFrom(message: Uint8Array, from: number): boolean {
  let at = from
  while (at + 1 < message.length) {
    const octets = 8 * (message[at + 1] ?? 0)
    if (octets === 0) return false
    at += octets
  }
  return at === message.length
}
