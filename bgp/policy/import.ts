/** What becomes of a route that a peer told: the rules of its session, then the user's. RFC 4271 §6.3, RFC 7705, RFC 7999, RFC 8212, RFC 8326, RFC 9234. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { neighbourAs, prepend } from '../attributes/as-path.ts'
import { type Attributes, BLACKHOLE, GRACEFUL_SHUTDOWN, NO_ADVERTISE, NO_EXPORT } from '../attributes/attributes.ts'
import { markedHeard, type Role } from '../attributes/only-to-customer.ts'
import { evaluate, type PolicyPlace } from './evaluate.ts'
import type { PolicyChain } from './policy.ts'

export interface ImportTerms {
  readonly kind: 'internal' | 'external'
  readonly peerAsn: number
  /** The first AS of the path need not be the peer's. */
  readonly isRouteServer: boolean
  /** The AS that we pretend to be in towards the peer: the path shows it (RFC 7705 §3.1). */
  readonly localAs: number | undefined
  /** Of all routes of the peer, unless a policy says another one. */
  readonly weight?: number
  /** What we are to this external peer. */
  readonly role?: Role
  /** The session is about to end: what came over it is our own last resort too. RFC 8326 §4. */
  readonly draining?: true
  readonly chain: PolicyChain
  readonly place: PolicyPlace
}

export type Imported =
  | { readonly is: 'usable'; readonly attributes: Attributes }
  | { readonly is: 'refused'; readonly why: string }

/** Pure; the attributes come back themselves when nothing changed. */
export function imported(prefix: AnyPrefix, heard: Attributes, terms: ImportTerms): Imported {
  const { kind, chain, place } = terms
  const says = wrongFirstAs(heard, terms)
  if (says !== undefined) return { is: 'refused', why: says }
  const shown = dressed(heard, terms)
  const verdict = evaluate(chain, { prefix, attributes: shown, source: kind }, place)
  if (verdict.is === 'rejected') return { is: 'refused', why: `rejected by ${verdict.by}` }
  const judged = kind === 'external' ? obeyed(verdict.attributes) : verdict.attributes
  return { is: 'usable', attributes: terms.draining === true && kind === 'external' ? { ...judged, localPref: 0 } : judged }
}

function dressed(told: Attributes, { localAs, weight, role, peerAsn }: ImportTerms): Attributes {
  const heard = role === undefined ? told : markedHeard(told, role, peerAsn)
  if (localAs === undefined && weight === undefined) return heard
  const asPath = localAs === undefined ? heard.asPath : prepend(heard.asPath, localAs)
  return weight === undefined ? { ...heard, asPath } : { ...heard, asPath, weight }
}

function wrongFirstAs({ asPath }: Attributes, { kind, peerAsn, isRouteServer }: ImportTerms): string | undefined {
  if (kind === 'internal' || isRouteServer) return undefined
  const first = neighbourAs(asPath)
  return first === peerAsn ? undefined : `the path begins with AS ${first ?? 'nothing'}, the peer is in AS ${peerAsn}`
}

/** Well-known communities of those outside: GRACEFUL_SHUTDOWN makes the route the last resort, BLACKHOLE does not leave our AS. */
function obeyed(attributes: Attributes): Attributes {
  const { communities } = attributes
  if (communities.length === 0) return attributes
  const leaving = communities.includes(GRACEFUL_SHUTDOWN) ? { ...attributes, localPref: 0 } : attributes
  const isHeldBack = communities.includes(NO_EXPORT) || communities.includes(NO_ADVERTISE)
  if (!communities.includes(BLACKHOLE) || isHeldBack) return leaving
  return { ...leaving, communities: [...communities, NO_EXPORT] }
}
