/** Which next hops can be reached, and how far they are: what the embedder knows of its kernel or IGP. RFC 4271 §9.1.2.1, §9.1.2.2 e. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import { NOWHERE } from '../attributes/attributes.ts'
import type { AttributeSet } from './attribute-set.ts'

export type Reach = { readonly reachable: true; readonly metric: number } | { readonly reachable: false }
/** The lower metric wins between otherwise equal paths; must answer from memory. `zone`: the interface of a link-local next hop. */
export type ResolveNextHop = (nextHop: AnyAddress, zone?: string) => Reach

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
    const reach: Reach = nextHop === undefined ? { reachable: false } : this.#resolve(nextHop, set.source.zone)
    return reach.reachable ? reach.metric : UNREACHABLE
  }
}
