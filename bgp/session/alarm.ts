/** One timer for many deadlines. */
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #set: { readonly at: Instant; readonly cancel: Cancel } | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `at` or before: a deadline that moves away leaves the timer alone, as ringing too early is harmless. */
  by(at: Instant | undefined): void {
    if (at === undefined || (this.#set !== undefined && this.#set.at <= at)) return
    this.cancel()
    const cancel = this.#clock.wakeAt(at, () => {
      this.#set = undefined
      this.#ring()
    })
    this.#set = { at, cancel }
  }

  cancel(): void {
    this.#set?.cancel()
    this.#set = undefined
  }
}
