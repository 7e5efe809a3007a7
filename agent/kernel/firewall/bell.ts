/** Rings at the earliest time that anybody asked for. */

import type { Clock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'

export class Bell {
  readonly #clock: Clock
  #due: Instant | undefined
  #reset: () => void = nobodyWaits

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Asks for a ring at `at` or before. */
  by(at: Instant): void {
    if (this.#due !== undefined && this.#due <= at) return
    this.#due = at
    this.#reset()
  }

  /** Resolves to true at the time, which is asked for no longer then, and to false when the signal aborts. One at a time. */
  async rings(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (this.#due !== undefined && this.#due <= this.#clock.now()) {
        this.#due = undefined
        return true
      }
      await this.#changeOr(signal)
    }
    return false
  }

  async #changeOr(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#reset = resolve
    const wake = () => resolve()
    signal.addEventListener('abort', wake, { once: true })
    const cancel = this.#due === undefined ? nobodyWaits : this.#clock.wakeAt(this.#due, wake)
    await promise
    cancel()
    signal.removeEventListener('abort', wake)
    this.#reset = nobodyWaits
  }
}

function nobodyWaits(): void {
  // The time is kept; who comes next sees it.
}
