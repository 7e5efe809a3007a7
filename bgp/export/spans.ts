/** Since when each prefix is told to whom, and what ended lately: from these follows what a member held at any place of the log. */
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { grownInt32 } from '../rib/byte-table.ts'
import type { Identified } from '../wire/nlri.ts'

/** A prefix was told, to all but these, from one batch on; what says that it ended is beside it in the log. */
export interface Span {
  readonly prefix: Identified<AnyPrefix>
  readonly since: number
  readonly exclusion: number
}

/** Numbers a span of an IPv4 prefix without a path id: address, length, since, exclusion. A table of a million routes may end at once. */
const ROW = 4

/** What ended in a batch, in one array. */
export class Ended {
  /** Batches are counted from here. */
  readonly #base: number
  #rows = new Int32Array(ROW)
  #used = 0
  readonly #others: Span[] = []

  constructor(base: number) {
    this.#base = base
  }

  get size(): number {
    return this.#used / ROW + this.#others.length
  }

  add(prefix: Identified<AnyPrefix>, since: number, exclusion: number): void {
    if (isPrefix6(prefix) || prefix.pathId !== undefined) {
      this.#others.push({ prefix, since, exclusion })
      return
    }
    if (this.#used === this.#rows.length) this.#rows = grownInt32(this.#rows, this.#used * 2)
    this.#rows.set([prefix.address, prefix.length, since - this.#base, exclusion], this.#used)
    this.#used += ROW
  }

  *spans(): Generator<Span, void, void> {
    for (let at = 0; at < this.#used; at += ROW) {
      const [address = 0, length = 0, since = 0, exclusion = 0] = this.#rows.subarray(at, at + ROW)
      yield { prefix: { address: toIpv4(address >>> 0), length }, since: since + this.#base, exclusion }
    }
    yield* this.#others
  }
}

/** Batches are counted without end, in numbers of 31 bits: old ones become equal before they run out. */
const AGE = 2 ** 30

export class Spans {
  /** By number of prefix: the batch, counted from the epoch. */
  #since = new Int32Array(32)
  #epoch = 0
  #ended = new Ended(0)

  makeRoom(prefixes: number): void {
    if (prefixes > this.#since.length) this.#since = grownInt32(this.#since, Math.max(prefixes, this.#since.length * 2))
  }

  sinceOf(id: number): number {
    return (this.#since[id] ?? 0) + this.#epoch
  }

  begin(id: number, batch: number): void {
    this.#since[id] = batch - this.#epoch
  }

  end(id: number, prefix: Identified<AnyPrefix>, exclusion: number): void {
    this.#ended.add(prefix, this.sinceOf(id), exclusion)
  }

  /** What ended since the last call. */
  takeEnded(): Ended {
    const ended = this.#ended
    if (ended.size > 0) this.#ended = new Ended(this.#epoch)
    return ended
  }

  /** Nobody asks for batches before this one any more, other than whether something was told before it. */
  age(oldest: number): void {
    const shift = oldest - 1 - this.#epoch
    if (shift < AGE) return
    for (let id = 0; id < this.#since.length; id++) this.#since[id] = Math.max(0, (this.#since[id] ?? 0) - shift)
    this.#epoch += shift
    if (this.#ended.size === 0) this.#ended = new Ended(this.#epoch)
  }
}
