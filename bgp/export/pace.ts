/** The pace at which a group announces: what comes too early after the last announcements waits, each prefix once. RFC 4271 §9.2.1.1. */
import { after, type Instant, type Millis } from '@network/base/time/units.ts'
import { jittered, type Moment } from '../fsm/connection.ts'

export class Pace {
  readonly #interval: Millis
  readonly #waiting = new Set<number>()
  #nextAt: Instant | undefined

  /** An interval of 0 lets everything through. */
  constructor(interval: Millis) {
    this.#interval = interval
  }

  /** When those that wait may be announced; undefined: none waits. */
  get dueAt(): Instant | undefined {
    return this.#waiting.size === 0 ? undefined : this.#nextAt
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0
  }

  /** Whether announcements may go now. */
  isOpen(now: Instant): boolean {
    return this.#interval === 0 || this.#nextAt === undefined || now >= this.#nextAt
  }

  /** It is asked about again when the time has come; its state by then is what counts. */
  hold(id: number): void {
    this.#waiting.add(id)
  }

  /** Those that waited. */
  release(): readonly number[] {
    const ids = [...this.#waiting]
    this.#waiting.clear()
    return ids
  }

  /** Announcements went out: the next ones wait. */
  announced({ now, chance }: Moment): void {
    if (this.#interval > 0) this.#nextAt = after(now, jittered(this.#interval, chance))
  }
}
