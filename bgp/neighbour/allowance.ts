/** How much of the trouble with peers is logged: whoever may connect could fill the log otherwise. */
import type { Clock } from '@network/base/time/clock.ts'
import { between, type Instant, type Millis, millis } from '@network/base/time/units.ts'

const MINUTE: Millis = millis(60_000)
/** Lines a minute, of all peers together. */
const MOST_LINES = 100

export class Allowance {
  readonly #clock: Clock
  #began: Instant | undefined
  #taken = 0
  #missed = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** One line: how many were left out since the last one, or undefined where this one is to be left out too. */
  take(): number | undefined {
    const now = this.#clock.now()
    if (this.#began === undefined || between(this.#began, now) >= MINUTE) {
      this.#began = now
      this.#taken = 0
    }
    if (this.#taken >= MOST_LINES) {
      this.#missed++
      return undefined
    }
    this.#taken++
    const missed = this.#missed
    this.#missed = 0
    return missed
  }
}
