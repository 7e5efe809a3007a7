/** Graceful restart as decisions: when a lost peer's routes stay, and when they go. RFC 4724 §4.2, RFC 8538 §4, RFC 9494 §4. */
import { type Seconds, seconds } from '@network/base/time/units.ts'
import type { DownReason } from '../fsm/connection.ts'
import type { SessionTerms } from '../fsm/negotiate.ts'
import {
  type Family,
  type GracefulRestart,
  IPV4_UNICAST,
  type LongLivedFamily,
  type RestartFamily,
  sameFamily,
} from '../wire/capabilities.ts'
import { endsForGood, isHardReset } from '../wire/notification.ts'

/** Families whose routes stay as stale when a session ends: those that both speak and that the peer keeps over a restart. */
export function keptFamilies(reason: DownReason, terms: SessionTerms): readonly Family[] {
  if (!promisesReturn(reason, terms)) return []
  return terms.families.filter(family => keeps(terms, family))
}

/** How long routes of a family wait for the return of a peer. */
export interface Absence {
  readonly restartTime: Seconds
  /** After that, as the last resort; undefined: not at all. */
  readonly longTime: Seconds | undefined
}

/** RFC 9494 §4.2: a family that only the long-lived capability names has no restart time. */
export function absenceOf(terms: SessionTerms, family: Family): Absence {
  const isRestarted = restartOf(terms, family) !== undefined
  const longTime = longLivedOf(terms, family)?.staleTime
  return {
    restartTime: isRestarted ? (terms.gracefulRestart?.restartTime ?? seconds(0)) : seconds(0),
    longTime: longTime === 0 ? undefined : longTime,
  }
}

/**
 * A TCP connection lost without a NOTIFICATION promises a return. A NOTIFICATION, and
 * so a hold timer that expires, is a normal end unless both said that it is not (RFC 8538): a peer that falls silent is as likely frozen as restarting.
 */
function promisesReturn(reason: DownReason, terms: SessionTerms): boolean {
  switch (reason.is) {
    case 'tcp-lost':
    case 'superseded':
      return true
    case 'sent':
      if (reason.mayReturn !== undefined) return reason.mayReturn
      return terms.keptOverNotification && !endsForGood(reason.notification) && !isHardReset(reason.notification)
    case 'received':
      return terms.keptOverNotification && !isHardReset(reason.notification)
    case 'closed':
      return false
    default:
      return reason satisfies never
  }
}

/** Whether a peer that came back has lost the forwarding state of a family, so that its stale routes go at once; `isLong`: they are the last resort. */
export function hasLostForwarding(terms: SessionTerms, family: Family, isLong = false): boolean {
  const said = isLong ? longLivedOf(terms, family) : restartOf(terms, family)
  return !terms.families.some(each => sameFamily(each, family)) || said?.forwarding !== true
}

/** Families whose End-of-RIB is to come; a peer that names none promises it for all (RFC 4724 §3). */
export function awaitedFamilies(terms: SessionTerms): readonly Family[] {
  const said = terms.gracefulRestart?.families ?? []
  return said.length === 0 ? terms.families : terms.families.filter(family => keeps(terms, family))
}

function keeps(terms: SessionTerms, family: Family): boolean {
  return restartOf(terms, family) !== undefined || longLivedOf(terms, family) !== undefined
}

function longLivedOf({ longLived }: SessionTerms, family: Family): LongLivedFamily | undefined {
  return longLived?.find(each => sameFamily(each, family))
}

function restartOf({ gracefulRestart }: SessionTerms, family: Family): RestartFamily | undefined {
  return gracefulRestart?.families.find(each => sameFamily(each, family))
}

/** What the peer said of IPv4 unicast; undefined: it keeps nothing over a restart. */
export function ipv4Of(restart: GracefulRestart | undefined): RestartFamily | undefined {
  return restart?.families.find(family => sameFamily(family, IPV4_UNICAST))
}
