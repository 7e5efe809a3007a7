/** Whether a best path is told to a kind of peer, and with which attributes. RFC 4271 §9.2, §5.1; RFC 4456 §6, §8; RFC 1997; RFC 2545; RFC 7947; RFC 9234; RFC 9494. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { isLinkLocal } from '@network/base/net/ipv6.ts'
import { prepend } from '../attributes/as-path.ts'
import { type Attributes, LLGR_STALE, NO_ADVERTISE, NO_EXPORT, NO_EXPORT_SUBCONFED } from '../attributes/attributes.ts'
import { markedTold, type Role } from '../attributes/only-to-customer.ts'
import { type Ends, type Hops, ownHops } from '../attributes/own-hops.ts'
import { DEFAULT_LOCAL_PREF } from '../rib/attribute-set.ts'
import type { Source } from '../rib/path.ts'

/** What all sessions have in common that must hear the same. */
export interface Outlet extends Ends {
  readonly kind: 'internal' | 'external'
  readonly localAsn: number
  /** RFC 4456 §8. */
  readonly clusterId: Ipv4
  readonly client: boolean
  /** False: this client hears the others itself. RFC 4456 §6. */
  readonly hearsClients?: false
  /** A client of this route server: what another client told passes as it was told. RFC 7947 §2.2. */
  readonly transparent?: true
  /** Left out: what RFC 4271 §5.1.3 says. */
  readonly hops?: HopRules
  /** What we are to these external peers. RFC 9234. */
  readonly role?: Role
  /** What becomes of routes kept over a long absence; left out: told as any other. RFC 9494 §4.3, §4.6. */
  readonly longStale?: 'withheld' | 'last-resort'
  readonly policy?: ExportPolicy
}

/** Our own address also where the next hop would stay (`self`; `self-always`: in reflected routes too), or the one that we heard. By family of the next hop. */
export type HopRule = 'self' | 'self-always' | 'unchanged'
export interface HopRules {
  readonly ipv4?: HopRule
  readonly ipv6?: HopRule
}

/** What the user lets out, after the rules of the protocol. */
export interface ExportPolicy {
  /** Outlets with equal names have the same policy. */
  readonly name: string
  /** The attributes to tell; undefined: the route stays here. Must be pure. */
  readonly apply: (prefix: AnyPrefix, attributes: Attributes, source: Source) => Attributes | undefined
}

/** A route of ours or of somebody else, on its way to an outlet. */
interface Route {
  readonly attributes: Attributes
  readonly source: Source
  /** It is an IPv6 route. */
  readonly six: boolean
}

/** The attributes that the protocol lets out, whatever the prefix of its family; undefined: nobody behind this outlet hears of the route. */
export function advertised(attributes: Attributes, source: Source, outlet: Outlet, six: boolean): Attributes | undefined {
  if (isHeldBack(attributes.communities, outlet)) return undefined
  const route: Route = { attributes, source, six }
  if (outlet.kind === 'external') return outside(route, outlet)
  const said = within(route, outlet)
  return said !== undefined && outlet.longStale === 'last-resort' ? lastResort(said) : said
}

function within(route: Route, outlet: Outlet): Attributes | undefined {
  if (route.source.kind !== 'internal') return inside(route, outlet)
  return isReflected(route.source, outlet) ? reflected(route, outlet) : undefined
}

/** Whether what an internal peer told goes to other internal peers. RFC 4456 §6. */
export function isReflected({ client }: Source, outlet: Outlet): boolean {
  if (client === true) return !(outlet.client && outlet.hearsClients === false)
  return outlet.client
}

function isHeldBack(communities: readonly number[], outlet: Outlet): boolean {
  if (communities.length === 0) return false
  if (communities.includes(NO_ADVERTISE)) return true
  if (outlet.longStale === 'withheld' && communities.includes(LLGR_STALE)) return true
  return outlet.kind === 'external' && (communities.includes(NO_EXPORT) || communities.includes(NO_EXPORT_SUBCONFED))
}

/** RFC 9494 §4.6: for peers inside that know nothing of it. */
function lastResort(attributes: Attributes): Attributes {
  const { communities } = attributes
  if (!communities.includes(LLGR_STALE)) return attributes
  return { ...attributes, localPref: 0, communities: communities.includes(NO_EXPORT) ? communities : [...communities, NO_EXPORT] }
}

/** To our own AS: what came from outside keeps its next hop, unless that means something on its own link alone; own routes point at this end of the session. */
function inside({ attributes, source, six }: Route, outlet: Outlet): Attributes | undefined {
  const localPref = attributes.localPref ?? DEFAULT_LOCAL_PREF
  const rule = ruleFor(attributes, outlet)
  const isOwn = source.kind === 'local' || rule === 'self' || rule === 'self-always'
  const hops = (isOwn ? undefined : heardHops(attributes)) ?? ownHops(six, outlet)
  return hops === undefined ? undefined : { ...attributes, ...hops, localPref }
}

/** RFC 4456 §8, §10: who injected it and through whom it came is added; nothing else changes, unless the operator insists. */
function reflected({ attributes, source, six }: Route, outlet: Outlet): Attributes | undefined {
  const hops = ruleFor(attributes, outlet) === 'self-always' ? ownHops(six, outlet) : heardHops(attributes)
  if (hops === undefined) return undefined
  return {
    ...attributes,
    ...hops,
    originatorId: attributes.originatorId ?? source.routerId,
    clusterList: [outlet.clusterId, ...attributes.clusterList],
  }
}

/** To another AS: our number in front, ourselves as next hop, nothing that is internal; a MED heard from others is not theirs to hear. */
function outside({ attributes, source, six }: Route, outlet: Outlet): Attributes | undefined {
  const isPassedOn = outlet.transparent === true && source.kind === 'external'
  const rule = ruleFor(attributes, outlet) ?? (isPassedOn ? 'unchanged' : 'self')
  const keepsHop = rule === 'unchanged' && source.kind !== 'local'
  const hops = keepsHop ? heardHops(attributes) : ownHops(six, outlet)
  const told = outlet.role === undefined ? attributes : markedTold(attributes, outlet.role, outlet.localAsn)
  if (hops === undefined || told === undefined) return undefined
  return {
    ...told,
    ...hops,
    asPath: isPassedOn ? attributes.asPath : prepend(attributes.asPath, outlet.localAsn),
    med: isPassedOn || source.kind === 'local' ? attributes.med : undefined,
    localPref: undefined,
    originatorId: undefined,
    clusterList: [],
  }
}

function ruleFor({ nextHop6 }: Attributes, { hops }: Outlet): HopRule | undefined {
  return nextHop6 === undefined ? hops?.ipv4 : hops?.ipv6
}

/** A link-local address says nothing to a peer that may not share the link (RFC 2545 §3); undefined: nothing else was said. */
function heardHops({ nextHop, nextHop6 }: Attributes): Hops | undefined {
  if (nextHop6 === undefined) return { nextHop, nextHop6 }
  const { address, linkLocal } = nextHop6
  if (isLinkLocal(address)) return undefined
  return { nextHop, nextHop6: linkLocal === undefined ? nextHop6 : { address, linkLocal: undefined } }
}
