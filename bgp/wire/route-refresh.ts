/** ROUTE-REFRESH: asks for everything again, and marks the begin and the end of the answer. RFC 2918, RFC 7313. */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { Family } from './capabilities.ts'
import { frame } from './header.ts'
import { type Notification, notification, REFRESH_FAULT } from './notification.ts'

const SUBTYPES = ['ask', 'begin', 'end'] as const
export type RefreshKind = (typeof SUBTYPES)[number]

export type DecodedRefresh =
  | { readonly is: 'refresh'; readonly kind: RefreshKind; readonly family: Family }
  /** A subtype that nobody has defined, or more than was asked for. */
  | { readonly is: 'unknown' }
  | { readonly is: 'fault'; readonly notification: Notification; readonly says: string }

/** RFC 7313 §5: a wrong length of its own subtypes is answered with the whole message; framing has seen to four octets. */
export function decodeRouteRefresh(body: Uint8Array): DecodedRefresh {
  const cursor = new Cursor(body)
  const [afi, subtype, safi] = [cursor.u16(), cursor.u8(), cursor.u8()]
  const kind = SUBTYPES[subtype]
  if (kind === undefined) return { is: 'unknown' }
  if (cursor.left === 0) return { is: 'refresh', kind, family: { afi, safi } }
  return kind === 'ask' ? { is: 'unknown' } : badLength(body)
}

export function encodeRouteRefresh(family: Family, kind: RefreshKind = 'ask'): Uint8Array {
  return frame('routeRefresh', refreshBody(family, SUBTYPES.indexOf(kind)))
}

function refreshBody(family: Family, subtype: number): Uint8Array {
  return new Writer().u16(family.afi).u8(subtype).u8(family.safi).finish()
}

function badLength(body: Uint8Array): DecodedRefresh {
  const said = notification(REFRESH_FAULT.code, REFRESH_FAULT.badLength, frame('routeRefresh', body))
  return { is: 'fault', notification: said, says: `a ROUTE-REFRESH with ${body.length} octets behind the header` }
}
