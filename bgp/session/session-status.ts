/** The terms of a session in plain JSON. */
import { formatAddress } from '@network/base/net/any-address.ts'
import { formatIpv6 } from '@network/base/net/ipv6.ts'
import { type Ends, ownHops } from '../attributes/own-hops.ts'
import { roleSaidIn } from '../fsm/negotiate.ts'
import { formatPeer, peerAt } from '../peer-address.ts'
import { ipv4Of } from '../rib/graceful.ts'
import type { SessionStatus } from '../status.ts'
import { type GracefulRestart, nameOfFamily } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Standing } from './peer-session.ts'

/** `untold`: in words, which routes the session has no next hop for. */
export function sessionStatus(
  { terms, local, remote, dialledBy }: Standing,
  ends: Ends,
  untold: readonly string[],
): SessionStatus {
  return {
    localAddress: formatPeer(peerAt(local)),
    remoteAddress: formatPeer(peerAt(remote)),
    nextHops: { ipv4: sayOwnHop(false, ends), ipv6: sayOwnHop(true, ends) },
    untold,
    dialledBy,
    holdTimeSeconds: terms.holdTime,
    keepaliveSeconds: terms.keepalive / 1000,
    fourOctetAs: terms.dialect.asnOctets === 4,
    routeRefresh: terms.routeRefresh,
    peerRole: roleSaidIn(terms.remote) ?? null,
    pathIds: pathIdsOf(terms.dialect),
    gracefulRestart: terms.gracefulRestart === undefined ? null : restartStatus(terms.gracefulRestart),
  }
}

function sayOwnHop(six: boolean, ends: Ends): string | null {
  const hops = ownHops(six, ends)
  if (hops === undefined) return null
  const { nextHop, nextHop6 } = hops
  if (nextHop6 === undefined) return formatAddress(nextHop)
  const { address, linkLocal } = nextHop6
  return linkLocal === undefined ? formatIpv6(address) : `${formatIpv6(address)} ${formatIpv6(linkLocal)}`
}

function pathIdsOf({ addPath }: Dialect): SessionStatus['pathIds'] {
  return { heard: (addPath?.in ?? []).map(nameOfFamily), told: (addPath?.out ?? []).map(nameOfFamily) }
}

function restartStatus(restart: GracefulRestart): SessionStatus['gracefulRestart'] {
  const ipv4 = sayForwarding(ipv4Of(restart)?.forwarding)
  return { restarting: restart.restarting, restartTimeSeconds: restart.restartTime, ipv4 }
}

function sayForwarding(forwarding: boolean | undefined): 'absent' | 'forwarding-kept' | 'forwarding-lost' {
  if (forwarding === undefined) return 'absent'
  return forwarding ? 'forwarding-kept' : 'forwarding-lost'
}
