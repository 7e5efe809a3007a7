/** Graceful restart as decisions: when a lost peer's routes stay, and when they go. RFC 4724 §4.2, RFC 8538 §4. */
import type { DownReason } from '../fsm/connection.ts'
import type { SessionTerms } from '../fsm/negotiate.ts'
import { type GracefulRestart, IPV4_UNICAST, type RestartFamily, sameFamily } from '../wire/capabilities.ts'
import { endsForGood, isHardReset } from '../wire/notification.ts'

/**
 * Whether the routes of a session that ended stay as stale. A TCP connection lost without a NOTIFICATION promises a return. A NOTIFICATION, and
 * so a hold timer that expires, is a normal end unless both said that it is not (RFC 8538): a peer that falls silent is as likely frozen as restarting.
 */
export function keepsRoutes(reason: DownReason, terms: SessionTerms): boolean {
  if (ipv4Of(terms.gracefulRestart) === undefined) return false
  switch (reason.is) {
    case 'tcp-lost':
    case 'superseded':
      return true
    case 'sent':
      return terms.keptOverNotification && !endsForGood(reason.notification) && !isHardReset(reason.notification)
    case 'received':
      return terms.keptOverNotification && !isHardReset(reason.notification)
    case 'closed':
      return false
    default:
      return reason satisfies never
  }
}

/** Whether a peer that came back has lost its forwarding state, so that stale routes go at once. */
export function hasLostForwarding(terms: SessionTerms): boolean {
  return ipv4Of(terms.gracefulRestart)?.forwarding !== true
}

/** What the peer said of IPv4 unicast; undefined: it keeps nothing over a restart. */
export function ipv4Of(restart: GracefulRestart | undefined): RestartFamily | undefined {
  return restart?.families.find(family => sameFamily(family, IPV4_UNICAST))
}
