/** One way to a prefix: who told it, what was said, and whether it may be used. */
import { type Ipv4, isUsableHost } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import { mentions } from '../attributes/as-path.ts'
import type { Attributes } from '../attributes/attributes.ts'

/** Who told the routes: a peer during one session, or ourselves. */
export interface Source {
  /** The peer's address as text, or `local`. */
  readonly id: string
  readonly kind: 'local' | 'internal' | 'external'
  readonly name: string
  readonly address: Ipv4
  readonly routerId: Ipv4
  /** Our end of the session. */
  readonly localAddress: Ipv4
}

export type Standing =
  | { readonly is: 'usable' }
  /** The import filter said no. */
  | { readonly is: 'refused'; readonly why: string }
  /** The protocol says no. */
  | { readonly is: 'ineligible'; readonly why: Ineligible }

export type Ineligible = 'as-path-loop' | 'originator-loop' | 'cluster-loop' | 'next-hop-is-ours' | 'next-hop-unusable'

export interface Path {
  /** The prefix as text. */
  readonly key: string
  readonly prefix: Prefix
  readonly source: Source
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
}

export const USABLE: Standing = { is: 'usable' }

/** RFC 4271 §9.1.2 and §5.1.3, RFC 4456 §8: loops and next hops that cannot be. */
export function eligibility(attributes: Attributes, source: Source, self: Self): Standing {
  const why = flaw(attributes, source, self)
  return why === undefined ? USABLE : { is: 'ineligible', why }
}

function flaw(attributes: Attributes, source: Source, self: Self): Ineligible | undefined {
  if (source.kind === 'local') return undefined
  if (mentions(attributes.asPath, self.asn)) return 'as-path-loop'
  if (attributes.originatorId === self.routerId) return 'originator-loop'
  if (attributes.clusterList.includes(self.routerId)) return 'cluster-loop'
  if (attributes.nextHop === source.localAddress) return 'next-hop-is-ours'
  if (!isUsableHost(attributes.nextHop)) return 'next-hop-unusable'
  return undefined
}

/** True when nobody downstream could tell the two apart. */
export function sameRoute(a: Path | undefined, b: Path | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.source.id === b.source.id && a.source.routerId === b.source.routerId && a.fingerprint === b.fingerprint
}
