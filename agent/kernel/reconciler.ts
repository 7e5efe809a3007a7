/** Makes one table of the kernel equal to what is wanted: difference, apply, read back, retry per key. */

import { DeltaMap, type Pair } from '@network/base/state/delta-map.ts'
import { backoff } from '@network/base/time/backoff.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import type { Outcome, Table } from './table.ts'

export type KeyState =
  | { readonly is: 'installed' }
  | { readonly is: 'pending'; readonly says: string | undefined }
  | { readonly is: 'failed'; readonly says: string }
  | { readonly is: 'conflict'; readonly says: string }

/** Something that was right, was changed by somebody else, and is put right. */
export interface Repair {
  readonly object: string
  readonly found: string
}

/** A reconciler, whatever its rows are. */
export interface Reconciliation {
  observe(): Repair[]
  retrySoon(): void
  upsert(): boolean
  remove(): boolean
  settle(): void
  stateOf(key: string): KeyState
  isPresent(key: string): boolean
  isInstalled(key: string): boolean
  readonly unsettled: readonly string[]
  readonly stale: readonly string[]
  /** How many rows are wanted. */
  readonly wanted: number
  readonly nextRetry: Instant | undefined
}

interface Trouble {
  readonly outcome: Exclude<Outcome, { is: 'done' }>
  readonly attempts: number
  readonly retryAt: Instant | undefined
}

/** Steps taken together: of all at once the garbage collector would have to keep much. */
const STEPS_AT_ONCE = 1024
const RETRY = { base: millis(100), cap: millis(30_000) }

export class Reconciler<W, H> implements Reconciliation {
  readonly #table: Table<W, H>
  readonly #clock: Clock
  readonly #random: Random
  readonly #delta: DeltaMap<string, W, H>
  readonly #trouble = new Map<string, Trouble>()
  /** Written since the last look, and not yet seen to be there. */
  readonly #unproven: Pair<string, W, H>[] = []

  constructor(table: Table<W, H>, { clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#table = table
    this.#clock = clock
    this.#random = random
    this.#delta = new DeltaMap((want, have) => table.same(want, have))
  }

  desireAll(wanted: ReadonlyMap<string, W>): void {
    this.#delta.desireAll(wanted)
    for (const key of this.#trouble.keys()) if (!this.#differs(key)) this.#trouble.delete(key)
  }

  /** Reads the table afresh; what was right and no longer is comes back as repairs to make. */
  observe(): Repair[] {
    const upset = this.#delta.observeAll(this.#table.list(this.#delta.desired))
    this.#reviewTrouble()
    return upset.map(({ key, have }) => ({
      object: `${this.#table.name} ${key}`,
      found: have === undefined ? 'missing' : this.#table.describe(have, key),
    }))
  }

  /** Something that may have been in the way has changed: what failed is due at once, and no sooner afterwards than before. */
  retrySoon(): void {
    const now = this.#clock.now()
    for (const [key, trouble] of this.#trouble)
      if (trouble.retryAt !== undefined && trouble.retryAt > now) this.#trouble.set(key, { ...trouble, retryAt: now })
  }

  /** Writes what is missing or different. True when anything was written. */
  upsert(): boolean {
    return this.#apply(this.#due(pair => pair.want !== undefined))
  }

  /** Removes rows of ours that nobody wants. Only to be called when the desired side is complete. */
  remove(): boolean {
    return this.#apply(this.#due(pair => pair.want === undefined))
  }

  stateOf(key: string): KeyState {
    const pair = this.#delta.at(key)
    if (pair === undefined || !pair.differs) return { is: 'installed' }
    const says = this.#foreign(pair)
    if (says !== undefined) return { is: 'conflict', says }
    const trouble = this.#trouble.get(key)
    if (trouble === undefined) return { is: 'pending', says: undefined }
    return trouble.outcome.is === 'waiting'
      ? { is: 'pending', says: trouble.outcome.says }
      : { is: 'failed', says: trouble.outcome.says }
  }

  /** Wanted keys that are not as they should be. */
  get unsettled(): string[] {
    return this.#delta.differing.filter(({ want }) => want !== undefined).map(({ key }) => key)
  }

  get wanted(): number {
    return this.#delta.desired.size
  }

  /** Rows of ours that nobody wants. */
  get stale(): string[] {
    return this.#delta.differing.filter(pair => pair.want === undefined && !this.#isForeign(pair)).map(({ key }) => key)
  }

  /** Wanted, and there as wanted. */
  isInstalled(key: string): boolean {
    const pair = this.#delta.at(key)
    return pair?.want !== undefined && !pair.differs
  }

  isPresent(key: string): boolean {
    return this.#delta.at(key)?.have !== undefined
  }

  get nextRetry(): Instant | undefined {
    const times = [...this.#trouble.values()].flatMap(({ retryAt }) => (retryAt === undefined ? [] : [retryAt]))
    return times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b))
  }

  /** Remembers what is right now, so that a later change by others is seen as such. Call after reading back. */
  settle(): void {
    this.#delta.settle()
  }

  #due(concerns: (pair: Pair<string, W, H>) => boolean): readonly Pair<string, W, H>[] {
    return this.#delta.differing.filter(pair => concerns(pair) && !this.#isForeign(pair) && this.#isDue(pair))
  }

  /** Many at once: what is made for one system call dies young. */
  #apply(due: readonly Pair<string, W, H>[]): boolean {
    let applied = false
    for (let from = 0; from < due.length; from += STEPS_AT_ONCE)
      applied = this.#applySome(due.slice(from, from + STEPS_AT_ONCE)) || applied
    return applied
  }

  #isDue({ key }: Pair<string, W, H>): boolean {
    if (this.#trouble.size === 0) return true
    const retryAt = this.#trouble.get(key)?.retryAt
    return retryAt === undefined || retryAt <= this.#clock.now()
  }

  #applySome(steps: readonly Pair<string, W, H>[]): boolean {
    const outcomes = this.#table.apply(steps)
    const before = this.#unproven.length
    steps.forEach((step, at) => {
      const outcome = outcomes[at] ?? { is: 'failed', says: 'no answer from the kernel' }
      if (outcome.is === 'done') this.#unproven.push(step)
      else this.#note(step.key, outcome)
    })
    return this.#unproven.length > before
  }

  /** Believes only what was read back; forgets the trouble of keys that are right by now, or are somebody else's. */
  #reviewTrouble(): void {
    for (const pair of this.#unproven)
      if (pair.differs && !this.#isForeign(pair))
        this.#note(pair.key, { is: 'failed', says: 'the kernel says that it is done, and it is not' })
    this.#unproven.length = 0
    for (const key of this.#trouble.keys()) {
      const pair = this.#delta.at(key)
      if (pair === undefined || !pair.differs || this.#isForeign(pair)) this.#trouble.delete(key)
    }
  }

  #differs(key: string): boolean {
    return this.#delta.at(key)?.differs ?? false
  }

  #isForeign(pair: Pair<string, W, H>): boolean {
    return this.#foreign(pair) !== undefined
  }

  #foreign({ key, have }: Pair<string, W, H>): string | undefined {
    return have === undefined ? undefined : this.#table.foreign(have, key)
  }

  #note(key: string, outcome: Trouble['outcome']): void {
    const attempts = (this.#trouble.get(key)?.attempts ?? 0) + 1
    const retryAt = outcome.is === 'waiting' ? undefined : after(this.#clock.now(), backoff(attempts, RETRY, this.#random))
    this.#trouble.set(key, { outcome, attempts, retryAt })
  }
}
