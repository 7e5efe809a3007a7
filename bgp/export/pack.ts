/** Routes → as few UPDATEs as they fit in. RFC 4271 §4.3. */
import type { Prefix } from '@network/base/net/prefix.ts'
import { sizeOfPrefix } from '../wire/nlri.ts'
import { encodeAnnouncement, encodeWithdrawal, UPDATE_ROOM } from '../wire/update.ts'

export function packWithdrawals(prefixes: readonly Prefix[]): readonly Uint8Array[] {
  return chunks(prefixes, UPDATE_ROOM).map(encodeWithdrawal)
}

/** Undefined when the attributes leave no room for even one prefix. */
export function packAnnouncements(attributes: Uint8Array, prefixes: readonly Prefix[]): readonly Uint8Array[] | undefined {
  const room = UPDATE_ROOM - attributes.length
  if (room < Math.max(...prefixes.map(sizeOfPrefix))) return undefined
  return chunks(prefixes, room).map(chunk => encodeAnnouncement(attributes, chunk))
}

function chunks(prefixes: readonly Prefix[], room: number): readonly (readonly Prefix[])[] {
  const all: Prefix[][] = []
  let current: Prefix[] = []
  let used = 0
  for (const prefix of prefixes) {
    const size = sizeOfPrefix(prefix)
    if (used + size > room) {
      all.push(current)
      current = []
      used = 0
    }
    current.push(prefix)
    used += size
  }
  if (current.length > 0) all.push(current)
  return all
}
