/** When a speaker that has just begun knows all that its peers know. RFC 4724 §4.1. */
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Millis } from '@network/base/time/units.ts'
import { Alarm } from './session/alarm.ts'

export type Settled = 'all-peers' | 'deadline'

export class Settlement {
  readonly done: Promise<Settled>
  readonly #clock: Clock
  readonly #deferral: Millis
  readonly #alarm: Alarm
  readonly #resolve: (how: Settled) => void
  readonly #told: (how: Settled) => void
  #phase: 'before' | 'waiting' | 'settled' = 'before'

  constructor(clock: Clock, deferral: Millis, told: (how: Settled) => void) {
    const { promise, resolve } = Promise.withResolvers<Settled>()
    this.done = promise
    this.#resolve = resolve
    this.#clock = clock
    this.#deferral = deferral
    this.#told = told
    this.#alarm = new Alarm(clock, () => this.#settle('deadline'))
  }

  get isSettled(): boolean {
    return this.#phase === 'settled'
  }

  /** The peers are known: the deferral runs from here. */
  begin(): void {
    if (this.#phase !== 'before') return
    this.#phase = 'waiting'
    this.#alarm.by(after(this.#clock.now(), this.#deferral))
  }

  /** Call when a peer may have become the last one to finish. */
  review(everyPeerDone: boolean): void {
    if (this.#phase === 'waiting' && everyPeerDone) this.#settle('all-peers')
  }

  cancel(): void {
    this.#alarm.cancel()
  }

  #settle(how: Settled): void {
    this.#phase = 'settled'
    this.#alarm.cancel()
    this.#resolve(how)
    this.#told(how)
  }
}
