/** Makes one table of the kernel equal to what is wanted: difference, apply, read back, retry per key. */

import { DeltaMap } from '@network/base/state/delta-map.ts'
import { backoff } from '@network/base/time/backoff.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import type { Outcome, Step, Table } from './table.ts'

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

/** What is made for one system call dies young; of all at once the garbage collector would have to keep much. */
const STEPS_AT_ONCE = 1024
const RETRY = { base: millis(100), cap: millis(30_000) }

export class Reconciler<W, H> implements Reconciliation {
  readonly #table: Table<W, H>
  readonly #clock: Clock
  readonly #random: Random
  readonly #delta: DeltaMap<string, W, H>
  readonly #settled = new Set<string>()
  readonly #trouble = new Map<string, Trouble>()
  /** Written since the last look, and not yet seen to be there. */
  readonly #unproven: string[] = []

  constructor(table: Table<W, H>, { clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#table = table
    this.#clock = clock
    this.#random = random
    this.#delta = new DeltaMap((want, have) => table.same(want, have))
  }

  desireAll(wanted: ReadonlyMap<string, W>): void {
    const former = new Map([...this.#settled].map(key => [key, this.#delta.wanted(key)]))
    this.#delta.desireAll(wanted)
    for (const [key, value] of former) if (wanted.get(key) !== value && this.#delta.dirty.has(key)) this.#settled.delete(key)
    for (const key of this.#trouble.keys()) if (!this.#delta.dirty.has(key)) this.#trouble.delete(key)
  }

  /** Reads the table afresh; what was right and no longer is comes back as repairs to make. */
  observe(): Repair[] {
    this.#delta.observeAll(this.#table.list(this.#delta.desired))
    this.#reviewTrouble()
    const repairs: Repair[] = []
    for (const key of this.#settled) {
      if (!this.#delta.dirty.has(key)) continue
      this.#settled.delete(key)
      const have = this.#delta.seen(key)
      if (this.#delta.wanted(key) !== undefined)
        repairs.push({ object: `${this.#table.name} ${key}`, found: have === undefined ? 'missing' : this.#table.describe(have) })
    }
    return repairs
  }

  /** Something that may have been in the way has changed: what failed is due at once, and no sooner afterwards than before. */
  retrySoon(): void {
    const now = this.#clock.now()
    for (const [key, trouble] of this.#trouble)
      if (trouble.retryAt !== undefined && trouble.retryAt > now) this.#trouble.set(key, { ...trouble, retryAt: now })
  }

  /** Writes what is missing or different. True when anything was written. */
  upsert(): boolean {
    return this.#apply(this.#due(want => want !== undefined))
  }

  /** Removes rows of ours that nobody wants. Only to be called when the desired side is complete. */
  remove(): boolean {
    return this.#apply(this.#due(want => want === undefined))
  }

  stateOf(key: string): KeyState {
    const have = this.#delta.seen(key)
    const says = have === undefined ? undefined : this.#table.foreign(have)
    if (!this.#delta.dirty.has(key)) return { is: 'installed' }
    if (says !== undefined) return { is: 'conflict', says }
    const trouble = this.#trouble.get(key)
    if (trouble === undefined) return { is: 'pending', says: undefined }
    return trouble.outcome.is === 'waiting'
      ? { is: 'pending', says: trouble.outcome.says }
      : { is: 'failed', says: trouble.outcome.says }
  }

  /** Wanted keys that are not as they should be. */
  get unsettled(): string[] {
    return [...this.#delta.dirty].filter(key => this.#delta.wanted(key) !== undefined)
  }

  get wanted(): number {
    return this.#delta.desired.size
  }

  /** Rows of ours that nobody wants. */
  get stale(): string[] {
    return [...this.#delta.dirty].filter(key => {
      const have = this.#delta.seen(key)
      return this.#delta.wanted(key) === undefined && have !== undefined && this.#table.foreign(have) === undefined
    })
  }

  /** Wanted, and there as wanted. */
  isInstalled(key: string): boolean {
    return this.#delta.wanted(key) !== undefined && !this.#delta.dirty.has(key)
  }

  isPresent(key: string): boolean {
    return this.#delta.seen(key) !== undefined
  }

  get nextRetry(): Instant | undefined {
    const times = [...this.#trouble.values()].flatMap(({ retryAt }) => (retryAt === undefined ? [] : [retryAt]))
    return times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b))
  }

  *#due(choose: (want: W | undefined) => boolean): Generator<Step<W, H>, void> {
    const now = this.#clock.now()
    for (const key of this.#delta.dirty) {
      const want = this.#delta.wanted(key)
      if (!choose(want)) continue
      if (this.#isForeign(key)) continue
      const have = this.#delta.seen(key)
      const retryAt = this.#trouble.get(key)?.retryAt
      if (retryAt === undefined || retryAt <= now) yield { key, want, have }
    }
  }

  #apply(due: Iterable<Step<W, H>>): boolean {
    let applied = false
    let steps: Step<W, H>[] = []
    for (const step of due) {
      if (steps.push(step) < STEPS_AT_ONCE) continue
      applied = this.#applySome(steps) || applied
      steps = []
    }
    return (steps.length > 0 && this.#applySome(steps)) || applied
  }

  #applySome(steps: readonly Step<W, H>[]): boolean {
    const outcomes = this.#table.apply(steps)
    let applied = false
    steps.forEach(({ key }, at) => {
      const outcome = outcomes[at] ?? { is: 'failed', says: 'no answer from the kernel' }
      if (outcome.is !== 'done') this.#note(key, outcome)
      else {
        applied = true
        this.#unproven.push(key)
      }
    })
    return applied
  }

  /** Believes only what was read back; forgets the trouble of keys that are right by now, or are somebody else's. */
  #reviewTrouble(): void {
    for (const key of this.#unproven) {
      if (!this.#delta.dirty.has(key)) this.#trouble.delete(key)
      else if (!this.#isForeign(key)) this.#note(key, { is: 'failed', says: 'the kernel says that it is done, and it is not' })
    }
    this.#unproven.length = 0
    for (const key of this.#trouble.keys()) if (!this.#delta.dirty.has(key) || this.#isForeign(key)) this.#trouble.delete(key)
  }

  #isForeign(key: string): boolean {
    const have = this.#delta.seen(key)
    return have !== undefined && this.#table.foreign(have) !== undefined
  }

  #note(key: string, outcome: Trouble['outcome']): void {
    const attempts = (this.#trouble.get(key)?.attempts ?? 0) + 1
    const retryAt = outcome.is === 'waiting' ? undefined : after(this.#clock.now(), backoff(attempts, RETRY, this.#random))
    this.#trouble.set(key, { outcome, attempts, retryAt })
  }

  /** Remembers what is right now, so that a later change by others is seen as such. Call after reading back. */
  settle(): void {
    for (const key of this.#delta.desired.keys()) if (!this.#delta.dirty.has(key)) this.#settled.add(key)
    for (const key of this.#settled) if (this.#delta.wanted(key) === undefined) this.#settled.delete(key)
  }
}
