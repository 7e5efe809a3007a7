/** A message in the light of its connection's state → what the state machine hears, and what the routing side hears if it agrees. */
import type { Conn, ConnEvent } from '../fsm/connection.ts'
import { type Family, sameFamily } from '../wire/capabilities.ts'
import type { Frame } from '../wire/framing.ts'
import { decodeNotification } from '../wire/notification.ts'
import { decodeOpen } from '../wire/open.ts'
import { decodeRouteRefresh, type RefreshKind } from '../wire/route-refresh.ts'
import { decodeUpdate, type UpdateVerdict } from '../wire/update.ts'

export type SoundUpdate = Exclude<UpdateVerdict, { readonly is: 'reset' }>

export interface Interpreted {
  readonly event: ConnEvent
  readonly news: { readonly is: 'refresh'; readonly kind: RefreshKind; readonly family: Family } | undefined
}

export function interpret({ kind, body }: Frame, conn: Conn): Interpreted {
  switch (kind) {
    case 'open':
      return only(openEvent(body))
    case 'update':
      return interpretUpdate(body, conn)
    case 'notification':
      return only({ is: 'notification', notification: decodeNotification(body) })
    case 'keepalive':
      return only({ is: 'keepalive' })
    case 'routeRefresh':
      return interpretRefresh(body, conn)
    default:
      return kind satisfies never
  }
}

function openEvent(body: Uint8Array): ConnEvent {
  const decoded = decodeOpen(body)
  if (decoded.ok) return { is: 'open', open: decoded.value }
  return { is: 'fault', notification: decoded.notification, says: decoded.says }
}

/** Out of turn, an UPDATE is an error whatever it says, and is not read; in turn, only what is beyond repair comes here. */
function interpretUpdate(body: Uint8Array, conn: Conn): Interpreted {
  if (conn.state !== 'established' || conn.terms === undefined) return only({ is: 'update' })
  const verdict = decodeUpdate(body, conn.terms.dialect)
  if (verdict.is === 'reset') return only({ is: 'fault', notification: verdict.notification, says: verdict.says })
  return only({ is: 'update' })
}

/** What is not agreed on is ignored: other families (RFC 2918 §4), and without RFC 7313 its subtypes. */
function interpretRefresh(body: Uint8Array, { state, terms }: Conn): Interpreted {
  if (state !== 'established' || terms === undefined) return only({ is: 'routeRefresh' })
  const said = decodeRouteRefresh(body)
  if (said.is === 'fault' && terms.enhancedRefresh) return only({ is: 'fault', notification: said.notification, says: said.says })
  const heeded = said.is === 'refresh' && (said.kind === 'ask' || terms.enhancedRefresh)
  if (!heeded || !terms.families.some(family => sameFamily(family, said.family))) return only({ is: 'routeRefresh' })
  return { event: { is: 'routeRefresh' }, news: said }
}

function only(event: ConnEvent): Interpreted {
  return { event, news: undefined }
}
