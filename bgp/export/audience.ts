/** Who of a group hears a route: everybody but its source, and but the peer that it points at. RFC 4271 §9.1.3, §5.1.3. */

/** Nobody is left out. */
export const EVERYBODY = 0
const NOBODY = -1
const SPAN = 2 ** 24

/** Pairs of peers that are left out, each pair as a small number. */
export class Exclusions {
  readonly #numbers = new Map<number, number>([[keyOf(NOBODY, NOBODY), EVERYBODY]])
  readonly #first: number[] = [NOBODY]
  readonly #second: number[] = [NOBODY]

  /** The number for a source and the peer that the next hop names, or -1. */
  of(source: number, pointedAt: number): number {
    const second = pointedAt === source ? NOBODY : pointedAt
    const key = keyOf(source, second)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.#first.length
    this.#numbers.set(key, number)
    this.#first.push(source)
    this.#second.push(second)
    return number
  }

  get count(): number {
    return this.#first.length
  }

  excludes(number: number, slot: number): boolean {
    return this.#first[number] === slot || this.#second[number] === slot
  }

  /** Those that are left out. */
  slots(number: number): readonly number[] {
    return [this.#first[number] ?? NOBODY, this.#second[number] ?? NOBODY].filter(slot => slot !== NOBODY)
  }

  /** Pairs with one of these in them. */
  naming(slots: ReadonlySet<number>): ReadonlySet<number> {
    const numbers = new Set<number>()
    for (let number = 0; number < this.count; number++) if (this.slots(number).some(slot => slots.has(slot))) numbers.add(number)
    return numbers
  }

  /** Those that one pair leaves out and another does not. */
  difference(number: number, other: number): readonly number[] {
    return this.slots(number).filter(slot => !this.excludes(other, slot))
  }
}

function keyOf(first: number, second: number): number {
  return (first + 1) * SPAN + second + 1
}
