/** Wanted routes by the number of their destination. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import { Places } from './places.ts'

/** Each wanted route has a place, in the order in which they are wanted. */
export class Destinations {
  readonly keys: readonly string[]
  readonly wants: readonly RouteIntent[]
  readonly #places: Places

  constructor(wanted: ReadonlyMap<string, RouteIntent>) {
    this.keys = [...wanted.keys()]
    this.wants = [...wanted.values()]
    this.#places = new Places(wanted.size)
    this.wants.forEach(({ destination }, place) => {
      this.#places.put(destination.address, destination.length, place)
    })
  }

  /** The place of the route that is wanted to so many bits of the address, or NOWHERE. */
  placeOf(address: Ipv4, length: number): number {
    return this.#places.find(address, length)
  }
}
