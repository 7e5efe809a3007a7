/** A clock that moves only when told: the fake of base/time/clock. */
import type { Cancel, Clock } from '../time/clock.ts'
import { after, type Instant, type Millis, millis } from '../time/units.ts'

export class ManualClock implements Clock {
  #now = 0 as Instant
  #order = 0
  readonly #wakes = new Map<number, { readonly at: Instant; readonly wake: () => void }>()

  now(): Instant {
    return this.#now
  }

  wall(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now)
  }

  wakeAt(at: Instant, wake: () => void): Cancel {
    const id = this.#order++
    this.#wakes.set(id, { at, wake })
    return () => this.#wakes.delete(id)
  }

  /** Moves time forward, waking whoever is due, in order of their deadlines. */
  advance(duration: Millis): void {
    const until = after(this.#now, duration)
    for (let due = this.#earliest(until); due !== undefined; due = this.#earliest(until)) {
      const [id, { at, wake }] = due
      this.#wakes.delete(id)
      if (at > this.#now) this.#now = at
      wake()
    }
    this.#now = until
  }

  /** Time until the next wake-up, if anybody waits. */
  next(): Millis | undefined {
    const due = this.#earliest(Number.POSITIVE_INFINITY as Instant)
    return due === undefined ? undefined : millis(Math.max(0, due[1].at - this.#now))
  }

  #earliest(until: Instant): [number, { readonly at: Instant; readonly wake: () => void }] | undefined {
    let best: [number, { readonly at: Instant; readonly wake: () => void }] | undefined
    for (const entry of this.#wakes) if (entry[1].at <= until && (best === undefined || entry[1].at < best[1].at)) best = entry
    return best
  }
}
