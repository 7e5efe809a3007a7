/** Which next hops can be reached, and how far they are: what the embedder knows of its kernel or IGP. RFC 4271 §9.1.2.1, §9.1.2.2 e. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { NOWHERE } from '../attributes/attributes.ts'
import type { AttributeSet } from './attribute-set.ts'

export type Reach = { readonly reachable: true; readonly metric: number } | { readonly reachable: false }
/** The lower metric wins between otherwise equal paths; must answer from memory. */
export type ResolveNextHop = (nextHop: Ipv4 | Ipv6) => Reach

const UNREACHABLE = Number.POSITIVE_INFINITY

/** Keeps the distance of every attribute set up to date. */
export class NextHops {
  readonly #resolve: ResolveNextHop

  constructor(resolve: ResolveNextHop) {
    this.#resolve = resolve
  }

  /** Asks for the next hop of a set; true when it is not as far as it was. */
  measure(set: AttributeSet): boolean {
    const before = set.distance
    set.distance = set.source.kind === 'local' ? 0 : this.#distanceTo(set)
    return set.distance !== before
  }

  #distanceTo(set: AttributeSet): number {
    const nextHop = set.nextHop === NOWHERE ? set.attributes.nextHop6?.address : set.nextHop
    const reach: Reach = nextHop === undefined ? { reachable: false } : this.#resolve(nextHop)
    return reach.reachable ? reach.metric : UNREACHABLE
  }
}
