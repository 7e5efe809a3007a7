/** Whether a best path is told to a peer, and with which attributes. RFC 4271 §9.2, §5.1; RFC 1997. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { prepend } from '../attributes/as-path.ts'
import { type Attributes, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED } from '../attributes/attributes.ts'
import { DEFAULT_LOCAL_PREF } from '../rib/decide.ts'
import type { Path } from '../rib/path.ts'

/** The session that a route would go to. */
export interface Outlet {
  readonly peerId: string
  readonly peerAddress: Ipv4
  readonly kind: 'internal' | 'external'
  readonly localAddress: Ipv4
  readonly localAsn: number
}

/** The attributes for this peer; undefined: it does not hear of the route. */
export function advertised(path: Path, outlet: Outlet): Attributes | undefined {
  if (path.source.id === outlet.peerId || isHeldBack(path.attributes.communities, outlet)) return undefined
  if (outlet.kind === 'external') return outside(path, outlet)
  if (path.source.kind === 'internal') return undefined
  const attributes = inside(path, outlet)
  return attributes.nextHop === outlet.peerAddress ? undefined : attributes
}

function isHeldBack(communities: readonly number[], outlet: Outlet): boolean {
  if (communities.includes(NO_ADVERTISE)) return true
  return outlet.kind === 'external' && (communities.includes(NO_EXPORT) || communities.includes(NO_EXPORT_SUBCONFED))
}

/** To our own AS: what came from outside keeps its next hop; own routes point at this end of the session. */
function inside(path: Path, outlet: Outlet): Attributes {
  const { attributes, source } = path
  return {
    ...attributes,
    nextHop: source.kind === 'local' ? outlet.localAddress : attributes.nextHop,
    localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF,
  }
}

/** To another AS: our number in front, ourselves as next hop, nothing that is internal; a MED heard from others is not theirs to hear. */
function outside(path: Path, outlet: Outlet): Attributes {
  const { attributes, source } = path
  return {
    ...attributes,
    asPath: prepend(attributes.asPath, outlet.localAsn),
    nextHop: outlet.localAddress,
    med: source.kind === 'local' ? attributes.med : undefined,
    localPref: undefined,
    originatorId: undefined,
    clusterList: [],
  }
}
