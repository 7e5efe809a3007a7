/** Which prefixes a run knows. Each has a slot, a small number, so that a receiver keeps a bit of each instead of trusting a counter. */
import { ipv4 } from '@network/base/net/ipv4.ts'

/** Odd, so that multiplying by it modulo a power of two meets every slot once, in no order that a table could like. */
const STRIDE = 0x5851f42d

export class PrefixPlan {
  readonly slots: number
  readonly #base: number
  readonly #shift: number
  /** Shortest length, and how many lengths there are. */
  readonly #shortest: number
  readonly #lengths: number
  /** The sequence goes through the slots shuffled. */
  readonly #shuffled: boolean

  /** Blocks of 64 addresses side by side, as a cluster cuts them. */
  static blocks(count: number): PrefixPlan {
    return new PrefixPlan(ipv4('10.128.0.0'), 6, { shortest: 26, lengths: 1 }, Math.max(64, count), false)
  }

  /** /24 to /26, one in each /24, shuffled, as a table from outside arrives; room for at least `count`. */
  static table(count: number): PrefixPlan {
    return new PrefixPlan(ipv4('16.0.0.0'), 8, { shortest: 24, lengths: 3 }, 2 ** Math.ceil(Math.log2(Math.max(64, count))), true)
  }

  private constructor(
    base: number,
    shift: number,
    { shortest, lengths }: { readonly shortest: number; readonly lengths: number },
    slots: number,
    shuffled: boolean,
  ) {
    this.#base = base
    this.#shift = shift
    this.#shortest = shortest
    this.#lengths = lengths
    this.slots = slots
    this.#shuffled = shuffled
  }

  /** The slot at a place of the sequence. */
  slotAt(index: number): number {
    return this.#shuffled ? Math.imul(index, STRIDE) & (this.slots - 1) : index
  }

  addressOf(slot: number): number {
    return this.#base + (slot << this.#shift)
  }

  lengthOf(slot: number): number {
    return this.#lengths === 1 ? this.#shortest : this.#shortest + ((Math.imul(slot, 0x2c1b3c6d) >>> 20) % this.#lengths)
  }

  /** The slot of a prefix from the wire; -1 for one that nobody announced. */
  slotOf(address: number, length: number): number {
    const slot = (address - this.#base) >> this.#shift
    return slot >= 0 && slot < this.slots && this.lengthOf(slot) === length ? slot : -1
  }
}
