/** A clock that moves only when told: the fake of base/time/clock. */
import type { Cancel, Clock } from '../time/clock.ts'
import { after, type Instant, type Millis, millis } from '../time/units.ts'

interface Wake {
  readonly at: Instant
  /** Among equals the one asked for first comes first. */
  readonly order: number
  readonly wake: () => void
  cancelled: boolean
}

/** A heap: simulations have tens of thousands of timers. */
export class ManualClock implements Clock {
  #now = 0 as Instant
  #order = 0
  readonly #heap: Wake[] = []

  now(): Instant {
    return this.#now
  }

  wall(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now)
  }

  wakeAt(at: Instant, wake: () => void): Cancel {
    const entry: Wake = { at, order: this.#order++, wake, cancelled: false }
    this.#push(entry)
    return () => {
      entry.cancelled = true
    }
  }

  /** Moves time forward, waking whoever is due, in order of their deadlines. */
  advance(duration: Millis): void {
    const until = after(this.#now, duration)
    for (let due = this.#earliest(); due !== undefined && due.at <= until; due = this.#earliest()) {
      this.#pop()
      if (due.at > this.#now) this.#now = due.at
      due.wake()
    }
    this.#now = until
  }

  /** Time until the next wake-up, if anybody waits. */
  next(): Millis | undefined {
    const due = this.#earliest()
    return due === undefined ? undefined : millis(Math.max(0, due.at - this.#now))
  }

  #earliest(): Wake | undefined {
    while (this.#heap[0]?.cancelled === true) this.#pop()
    return this.#heap[0]
  }

  #push(entry: Wake): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = heap[(at - 1) >> 1]
      if (parent === undefined || !isBefore(entry, parent)) break
      heap[at] = parent
      at = (at - 1) >> 1
    }
    heap[at] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const child = this.#lesserChild(at)
      const below = heap[child]
      if (below === undefined || !isBefore(below, last)) break
      heap[at] = below
      at = child
    }
    heap[at] = last
  }

  #lesserChild(at: number): number {
    const left = this.#heap[2 * at + 1]
    const right = this.#heap[2 * at + 2]
    return left !== undefined && right !== undefined && isBefore(right, left) ? 2 * at + 2 : 2 * at + 1
  }
}

function isBefore(a: Wake, b: Wake): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
