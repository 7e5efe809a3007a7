/** What went wrong with a peer: the last error, repairs of its messages, and what of it is logged. RFC 7606 §6. */

import type { Fields, Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { DownReason } from '../fsm/connection.ts'
import type { SoundUpdate } from '../session/interpret.ts'
import { errorOf } from '../session/reasons.ts'
import type { DialFailure } from '../session/transport.ts'
import type { PeerError, PeerStatus } from '../status.ts'
import { sayRemarks } from '../wire/update.ts'
import type { Allowance } from './allowance.ts'

const QUIET_TIME: Millis = millis(60_000)

export class Complaints {
  readonly #log: Log
  readonly #clock: Clock
  readonly #allowance: Allowance
  #treatedAsWithdraw = 0
  #attributesDiscarded = 0
  /** No more entries than there are codes of attributes. */
  readonly #byAttribute = new Map<string, number>()
  #lastError: PeerError | null = null
  #trouble: string | undefined
  #loggedRepairAt: Instant | undefined

  constructor(log: Log, clock: Clock, allowance: Allowance) {
    this.#log = log
    this.#clock = clock
    this.#allowance = allowance
  }

  get lastError(): PeerError | null {
    return this.#lastError
  }

  get repaired(): PeerStatus['repaired'] {
    return {
      treatedAsWithdraw: this.#treatedAsWithdraw,
      attributesDiscarded: this.#attributesDiscarded,
      byAttribute: Object.fromEntries(this.#byAttribute),
    }
  }

  /** All is well: the next trouble is news. */
  settle(): void {
    this.#trouble = undefined
  }

  blame(reason: DownReason): void {
    const error = errorOf(reason)
    if (error !== undefined) this.#lastError = { ...error, at: this.#clock.wall().toISOString() }
  }

  blameDial({ says }: DialFailure): void {
    const at = this.#clock.wall().toISOString()
    this.#lastError = { direction: 'local', code: null, subcode: null, text: says, data: null, at }
  }

  /** One line per change of reason: a peer that stays away would fill the log. */
  complain(message: string, why: string, peer: { readonly peer: string; readonly name: string }): void {
    if (this.#trouble === why) return
    this.#trouble = why
    this.#warn(message, { ...peer, why })
  }

  repair({ remarks }: Extract<SoundUpdate, { readonly is: 'routes' }>, raw: Uint8Array, peer: string): void {
    const spoiled = remarks.some(({ reaction }) => reaction === 'treat-as-withdraw')
    if (spoiled) this.#treatedAsWithdraw++
    this.#attributesDiscarded += remarks.filter(({ reaction }) => reaction === 'discard').length
    for (const { attribute } of remarks) this.#byAttribute.set(attribute, (this.#byAttribute.get(attribute) ?? 0) + 1)
    const now = this.#clock.now()
    if (this.#loggedRepairAt !== undefined && between(this.#loggedRepairAt, now) < QUIET_TIME) return
    this.#loggedRepairAt = now
    const reaction = spoiled ? 'routes withdrawn' : 'attribute dropped'
    const hex = Buffer.from(raw).toString('hex')
    this.#warn('malformed update', { peer, why: sayRemarks(remarks), reaction, raw: hex })
  }

  #warn(message: string, fields: Fields): void {
    const leftOut = this.#allowance.take()
    if (leftOut !== undefined) this.#log.warn(message, leftOut === 0 ? fields : { ...fields, leftOut })
  }
}
