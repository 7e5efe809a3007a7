/** Whether a best path is told to a kind of peer, and with which attributes. RFC 4271 §9.2, §5.1; RFC 4456 §6, §8; RFC 1997. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { prepend } from '../attributes/as-path.ts'
import { type Attributes, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED, NOWHERE } from '../attributes/attributes.ts'
import { DEFAULT_LOCAL_PREF } from '../rib/attribute-set.ts'
import type { Source } from '../rib/path.ts'

/** What all sessions have in common that must hear the same. */
export interface Outlet {
  readonly kind: 'internal' | 'external'
  readonly localAddress: Ipv4
  /** Left out: IPv6 routes of our own, and all towards another AS, cannot be told. */
  readonly localAddress6?: Ipv6
  readonly localAsn: number
  /** RFC 4456 §8. */
  readonly clusterId: Ipv4
  readonly client: boolean
  readonly policy?: ExportPolicy
}

/** What the user lets out, after the rules of the protocol. */
export interface ExportPolicy {
  /** Outlets with equal names have the same policy. */
  readonly name: string
  /** The attributes to tell; undefined: the route stays here. Must be pure. */
  readonly apply: (prefix: AnyPrefix, attributes: Attributes, source: Source) => Attributes | undefined
}

/** The attributes that the protocol lets out, whatever the prefix; undefined: nobody behind this outlet hears of the route. */
export function advertised(attributes: Attributes, source: Source, outlet: Outlet): Attributes | undefined {
  if (isHeldBack(attributes.communities, outlet)) return undefined
  if (outlet.kind === 'external') return outside(attributes, source, outlet)
  if (source.kind !== 'internal') return inside(attributes, source, outlet)
  return source.client === true || outlet.client ? reflected(attributes, source, outlet) : undefined
}

function isHeldBack(communities: readonly number[], outlet: Outlet): boolean {
  if (communities.length === 0) return false
  if (communities.includes(NO_ADVERTISE)) return true
  return outlet.kind === 'external' && (communities.includes(NO_EXPORT) || communities.includes(NO_EXPORT_SUBCONFED))
}

/** To our own AS: what came from outside keeps its next hop; own routes point at this end of the session. */
function inside(attributes: Attributes, source: Source, outlet: Outlet): Attributes | undefined {
  const localPref = attributes.localPref ?? DEFAULT_LOCAL_PREF
  if (source.kind !== 'local') return { ...attributes, localPref }
  const hops = ownHops(attributes, outlet)
  return hops === undefined ? undefined : { ...attributes, ...hops, localPref }
}

/** RFC 4456 §8, §10: who injected it and through whom it came is added; nothing else changes. */
function reflected(attributes: Attributes, source: Source, outlet: Outlet): Attributes {
  return {
    ...attributes,
    originatorId: attributes.originatorId ?? source.routerId,
    clusterList: [outlet.clusterId, ...attributes.clusterList],
  }
}

/** To another AS: our number in front, ourselves as next hop, nothing that is internal; a MED heard from others is not theirs to hear. */
function outside(attributes: Attributes, source: Source, outlet: Outlet): Attributes | undefined {
  const hops = ownHops(attributes, outlet)
  if (hops === undefined) return undefined
  return {
    ...attributes,
    ...hops,
    asPath: prepend(attributes.asPath, outlet.localAsn),
    med: source.kind === 'local' ? attributes.med : undefined,
    localPref: undefined,
    originatorId: undefined,
    clusterList: [],
  }
}

function ownHops({ nextHop6 }: Attributes, { localAddress, localAddress6 }: Outlet): Partial<Attributes> | undefined {
  if (nextHop6 === undefined) return { nextHop: localAddress }
  if (localAddress6 === undefined) return undefined
  return { nextHop: NOWHERE, nextHop6: { address: localAddress6, linkLocal: undefined } }
}
