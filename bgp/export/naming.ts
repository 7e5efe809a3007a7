/** What a group tells, as small dense numbers: prefixes, or each of their paths where several are told. RFC 7911 §3. */
import { Writer } from '@network/base/bytes/writer.ts'
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { type Identified, keyOf, writeAnyPrefix } from '../wire/nlri.ts'

/** How the numbers are said. */
export interface Naming {
  /** One more than the highest number ever given. */
  readonly limit: number
  /** Octets that an IPv4 prefix takes at most, with its path id. */
  readonly longest4: number
  isSix(number: number): boolean
  prefix(number: number): Identified<AnyPrefix>
  /** Writes an IPv4 prefix as UPDATE carries it, and says where the next one goes. */
  write4(number: number, into: Uint8Array, at: number): number
  /** The number of what is named, or -1. */
  find(named: Identified<AnyPrefix>): number
}

/** What somebody holds from us. */
export interface Held extends Naming {
  take(named: Identified<AnyPrefix>): number
  free(number: number): void
  isFree(number: number): boolean
}

/** What a peer holds that hears several paths of a prefix; kept for those only that lag behind. */
export class HeldPaths implements Held {
  readonly longest4 = 9
  readonly #numbers = new Map<string, number>()
  readonly #named: (Identified<AnyPrefix> | undefined)[] = []
  readonly #free: number[] = []

  get limit(): number {
    return this.#named.length
  }

  take(named: Identified<AnyPrefix>): number {
    const key = keyOf(named)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.#free.pop() ?? this.#named.length
    this.#named[number] = named
    this.#numbers.set(key, number)
    return number
  }

  find(named: Identified<AnyPrefix>): number {
    return this.#numbers.get(keyOf(named)) ?? -1
  }

  free(number: number): void {
    const named = this.#named[number]
    if (named === undefined) return
    this.#numbers.delete(keyOf(named))
    this.#named[number] = undefined
    this.#free.push(number)
  }

  isFree(number: number): boolean {
    return this.#named[number] === undefined
  }

  isSix(number: number): boolean {
    const named = this.#named[number]
    return named !== undefined && isPrefix6(named)
  }

  prefix(number: number): Identified<AnyPrefix> {
    const named = this.#named[number]
    if (named === undefined) throw new RangeError(`nothing is held under ${number}`)
    return named
  }

  write4(number: number, into: Uint8Array, at: number): number {
    const writer = new Writer()
    writeAnyPrefix(writer, this.prefix(number))
    into.set(writer.finish(), at)
    return at + writer.length
  }
}
