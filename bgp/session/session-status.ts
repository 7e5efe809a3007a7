/** The terms of a session in plain JSON. */
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { roleSaidIn } from '../fsm/negotiate.ts'
import { ipv4Of } from '../rib/graceful.ts'
import type { SessionStatus } from '../status.ts'
import { type GracefulRestart, nameOfFamily } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Standing } from './peer-session.ts'

export function sessionStatus({ terms, local, dialledBy }: Standing): SessionStatus {
  return {
    localAddress: formatIpv4(local.address),
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
