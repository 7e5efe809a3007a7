/** Graceful restart as decisions: when a lost peer's routes stay, and when they go. RFC 4724 §4.2. */
import type { DownReason } from '../fsm/connection.ts'
import type { SessionTerms } from '../fsm/negotiate.ts'
import { type GracefulRestart, IPV4_UNICAST, type RestartFamily, sameFamily } from '../wire/capabilities.ts'

/**
 * Whether the routes of a session that ended stay as stale. Only a TCP connection lost without a NOTIFICATION promises a return; a hold timer
 * that expires sends 4/0 and is a normal end, because a peer that falls silent is as likely to be frozen as restarting.
 */
export function keepsRoutes(reason: DownReason, terms: SessionTerms): boolean {
  const lost = reason.is === 'tcp-lost' || reason.is === 'superseded'
  return lost && ipv4Of(terms.gracefulRestart) !== undefined
}

/** Whether a peer that came back has lost its forwarding state, so that stale routes go at once. */
export function hasLostForwarding(terms: SessionTerms): boolean {
  return ipv4Of(terms.gracefulRestart)?.forwarding !== true
}

/** What the peer said of IPv4 unicast; undefined: it keeps nothing over a restart. */
export function ipv4Of(restart: GracefulRestart | undefined): RestartFamily | undefined {
  return restart?.families.find(family => sameFamily(family, IPV4_UNICAST))
}
