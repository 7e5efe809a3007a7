/** Where something is in a list, by two numbers: to make and to look up 50,000 texts takes longer than to read the rows of the kernel. */

export const NOWHERE = -1
/** 2^32 divided by the golden ratio: spreads numbers that are alike in their lowest bits. */
const SPREAD = 0x9e3779b1
/** Two numbers, and the place and one more: 0 where there is none. */
const CELLS = 3

/** A hash table in one flat array. */
export class Places {
  readonly #slots: Int32Array
  readonly #mask: number
  readonly #shift: number

  /** For at most so many: of its slots at most half are taken. */
  constructor(most: number) {
    const bits = 33 - Math.clz32(most)
    this.#slots = new Int32Array(CELLS * 2 ** bits)
    this.#mask = 2 ** bits - 1
    this.#shift = 32 - bits
  }

  /** Both are taken as signed integers of 32 bits. Whoever was there before stays. */
  put(one: number, other: number, place: number): void {
    const slot = this.#search(one | 0, other | 0)
    if ((this.#slots[slot + 2] ?? 0) !== 0) return
    this.#slots[slot] = one
    this.#slots[slot + 1] = other
    this.#slots[slot + 2] = place + 1
  }

  /** The place, or NOWHERE. */
  find(one: number, other: number): number {
    return (this.#slots[this.#search(one | 0, other | 0) + 2] ?? 0) - 1
  }

  /**
   * The slot where they are, or the empty one where they would be put. Each search does all that any search does, however soon it ends:
   * what the compiler has not seen by then would make it begin anew.
   */
  #search(one: number, other: number): number {
    const slots = this.#slots
    let at = (Math.imul(one ^ other, SPREAD) >>> this.#shift) - 1
    for (;;) {
      at = (at + 1) & this.#mask
      const slot = at * CELLS
      const differs = ((slots[slot] ?? 0) ^ one) | ((slots[slot + 1] ?? 0) ^ other)
      const isTaken = (slots[slot + 2] ?? 0) !== 0
      if ((isTaken ? differs : 0) === 0) return slot
    }
  }
}
