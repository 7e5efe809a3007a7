/** One way to a prefix: who told it, what was said, and whether it may be used. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { type Ipv4, isUsableHost } from '@network/base/net/ipv4.ts'
import { type Ipv6, isLinkLocal, isUsableHost6 } from '@network/base/net/ipv6.ts'
import { mentions } from '../attributes/as-path.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { isLeak, type Role } from '../attributes/only-to-customer.ts'
import type { Family } from '../wire/capabilities.ts'

/** Who told the routes: a peer during one session, or ourselves. */
export interface Source {
  /** The peer as text, or `local`. */
  readonly id: string
  readonly kind: 'local' | 'internal' | 'external'
  readonly name: string
  readonly address: AnyAddress
  /** The interface on which its link-local next hops are; left out: they mean nothing. */
  readonly zone?: string
  readonly routerId: Ipv4
  /** Our end of the session. */
  readonly localAddress: AnyAddress
  /** Our other address on the link that we share with it. */
  readonly linkLocal?: Ipv6
  /** An internal peer whose routes are reflected to all. RFC 4456 §6. */
  readonly client?: boolean
  /** How often our own AS may be in a path of this peer; left out: never. */
  readonly allowOwnAs?: number
  /** Families in which it gives each of its paths an id; left out: none. RFC 7911. */
  readonly pathIds?: readonly Family[]
  /** What we are to this external peer, and the AS that it is in. RFC 9234. */
  readonly role?: { readonly ours: Role; readonly remoteAsn: number }
}

export type Standing =
  | { readonly is: 'usable' }
  /** The import filter said no. */
  | { readonly is: 'refused'; readonly why: string }
  /** The protocol says no. */
  | { readonly is: 'ineligible'; readonly why: Ineligible }

export type Ineligible =
  | 'as-path-loop'
  | 'originator-loop'
  | 'cluster-loop'
  | 'route-leak'
  | 'next-hop-is-ours'
  | 'next-hop-unusable'
  | 'next-hop-unreachable'

/** A path as it is looked at from outside; the table itself is flat. */
export interface Path {
  /** The prefix as text. */
  readonly key: string
  readonly prefix: AnyPrefix
  readonly source: Source
  /** What the source calls the path, where it may tell several of one prefix; left out: it tells only one. RFC 7911. */
  readonly pathId?: number
  /** As used: after the import policy. */
  readonly attributes: Attributes
  /** Equal for equal attributes. */
  readonly fingerprint: string
  /** The peer is away, or has not yet repeated the route since it came back. RFC 4724 §4.2. */
  readonly stale: boolean
  readonly standing: Standing
}

export interface Self {
  readonly asn: number
  readonly routerId: Ipv4
  /** RFC 4456 §7; left out: the router id. */
  readonly clusterId?: Ipv4
}

export const USABLE: Standing = { is: 'usable' }

/** RFC 4271 §9.1.2 and §5.1.3, RFC 4456 §8, RFC 9234 §5: loops, leaks and next hops that cannot be; undefined: none of these. */
export function flawOf(attributes: Attributes, source: Source, self: Self): Ineligible | undefined {
  if (source.kind === 'local') return undefined
  if (occurrences(attributes, self.asn) > (source.allowOwnAs ?? 0)) return 'as-path-loop'
  if (attributes.originatorId === self.routerId) return 'originator-loop'
  if (attributes.clusterList.includes(self.clusterId ?? self.routerId)) return 'cluster-loop'
  if (source.role !== undefined && isLeak(attributes, source.role.ours, source.role.remoteAsn)) return 'route-leak'
  if (attributes.nextHop6 === undefined) return nextHopFlaw(attributes.nextHop, source)
  return nextHop6Flaw(attributes.nextHop6.address, source)
}

function nextHop6Flaw(address: Ipv6, { localAddress, linkLocal, zone }: Source): Ineligible | undefined {
  if (address === localAddress || address === linkLocal) return 'next-hop-is-ours'
  return !isUsableHost6(address) || (isLinkLocal(address) && zone === undefined) ? 'next-hop-unusable' : undefined
}

export function nextHopFlaw(nextHop: Ipv4, source: Source): Ineligible | undefined {
  if (nextHop === source.localAddress) return 'next-hop-is-ours'
  return isUsableHost(nextHop) ? undefined : 'next-hop-unusable'
}

function occurrences({ asPath }: Attributes, asn: number): number {
  if (!mentions(asPath, asn)) return 0
  return asPath.reduce((sum, { asns }) => sum + asns.filter(each => each === asn).length, 0)
}
