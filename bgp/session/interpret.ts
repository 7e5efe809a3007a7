/** A message in the light of its connection's state → what the state machine hears, and what the routing side hears if it agrees. */
import type { Conn, ConnEvent } from '../fsm/connection.ts'
import type { Frame } from '../wire/framing.ts'
import { decodeNotification } from '../wire/notification.ts'
import { decodeOpen } from '../wire/open.ts'
import { asksForIpv4 } from '../wire/route-refresh.ts'
import { decodeUpdate, type UpdateVerdict } from '../wire/update.ts'

export type SoundUpdate = Exclude<UpdateVerdict, { readonly is: 'reset' }>

export interface Interpreted {
  readonly event: ConnEvent
  readonly news:
    | { readonly is: 'update'; readonly verdict: SoundUpdate; readonly raw: Uint8Array }
    | { readonly is: 'refresh' }
    | undefined
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
    case 'routeRefresh': {
      const asked = conn.state === 'established' && asksForIpv4(body)
      return { event: { is: 'routeRefresh' }, news: asked ? { is: 'refresh' } : undefined }
    }
    default:
      return kind satisfies never
  }
}

function openEvent(body: Uint8Array): ConnEvent {
  const decoded = decodeOpen(body)
  if (decoded.ok) return { is: 'open', open: decoded.value }
  return { is: 'fault', notification: decoded.notification, says: decoded.says }
}

/** Out of turn, an UPDATE is an error whatever it says, and is not read. */
function interpretUpdate(body: Uint8Array, conn: Conn): Interpreted {
  if (conn.state !== 'established' || conn.terms === undefined) return only({ is: 'update' })
  const verdict = decodeUpdate(body, conn.terms.dialect)
  if (verdict.is === 'reset') return only({ is: 'fault', notification: verdict.notification, says: verdict.says })
  return { event: { is: 'update' }, news: { is: 'update', verdict, raw: body } }
}

function only(event: ConnEvent): Interpreted {
  return { event, news: undefined }
}
