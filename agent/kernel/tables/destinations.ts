/** Wanted routes by the number of their destination: to make and to look up 50,000 texts takes longer than to read the rows. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { RouteIntent } from '@network/model/intent.ts'

export const NOWHERE = -1
/** 2^32 divided by the golden ratio: spreads addresses that are alike in their lowest bits. */
const SPREAD = 0x9e3779b1

/** A hash table in flat arrays: each wanted route has a place, in the order in which they are wanted. */
export class Destinations {
  readonly keys: readonly string[]
  readonly wants: readonly RouteIntent[]
  /** Two words a slot: an address, and the place and length as `tagOf` has them; 0 where there is none. At most half of them are taken. */
  readonly #slots: Int32Array
  readonly #shift: number

  constructor(wanted: ReadonlyMap<string, RouteIntent>) {
    const bits = 33 - Math.clz32(wanted.size)
    this.keys = [...wanted.keys()]
    this.wants = [...wanted.values()]
    this.#slots = new Int32Array(2 ** (bits + 1))
    this.#shift = 32 - bits
    this.wants.forEach(({ destination }, place) => {
      const slot = this.#search(destination.address, destination.length)
      this.#slots[slot] = destination.address
      this.#slots[slot + 1] = tagOf(place, destination.length)
    })
  }

  /** The place of the route that is wanted to so many bits of the address, or NOWHERE. */
  placeOf(address: Ipv4, length: number): number {
    const tag = this.#slots[this.#search(address, length) + 1] ?? 0
    return (tag >>> LENGTH_BITS) - 1
  }

  /**
   * The slot of a destination, or the empty one where it would be put. Every step of the first turn is made for every search: what the
   * compiler has not seen by then would make it begin anew.
   */
  #search(address: Ipv4, length: number): number {
    const slots = this.#slots
    let slot = (Math.imul(address ^ length, SPREAD) >>> this.#shift) * 2 - 2
    for (;;) {
      slot = (slot + 2) & (slots.length - 1)
      const tag = slots[slot + 1] ?? 0
      const differs = ((slots[slot] ?? 0) ^ address) | ((tag & LENGTH_MASK) ^ length)
      if (tag === 0 || differs === 0) return slot
    }
  }
}
const LENGTH_BITS = 6
const LENGTH_MASK = 2 ** LENGTH_BITS - 1

function tagOf(place: number, length: number): number {
  return ((place + 1) << LENGTH_BITS) | length
}
