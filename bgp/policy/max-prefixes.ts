/** How close a peer is to telling too many prefixes, and the word with which it is sent away. RFC 4271 §6.7, RFC 4486 §4. */

import type { Family } from '../wire/capabilities.ts'
import { type Notification, notification } from '../wire/notification.ts'

export interface PrefixLimit {
  readonly limit: number
  /** Percent. */
  readonly warnAt: number
}

export type PrefixLoad = 'fine' | 'near' | 'over'

export function loadOf(received: number, { limit, warnAt }: PrefixLimit): PrefixLoad {
  if (received > limit) return 'over'
  return received * 100 >= limit * warnAt ? 'near' : 'fine'
}

/** Cease 6/1 for paths of one prefix, of which RFC 4486 knows no data. */
export const TOO_MANY_PATHS: Notification = notification(6, 1)

/** Cease 6/1 with family and limit as data. */
export function tooManyPrefixes(family: Family, limit: number): Notification {
  const data = new Uint8Array(7)
  const view = new DataView(data.buffer)
  view.setUint16(0, family.afi)
  view.setUint8(2, family.safi)
  view.setUint32(3, limit)
  return notification(6, 1, data)
}
