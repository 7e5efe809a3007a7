/** Routes of a peer that are kept marked: while it is away (RFC 4724), and while it tells all again (RFC 7313). */
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Instant, type Millis, millis, type Seconds, toMillis } from '@network/base/time/units.ts'
import { hasLostForwarding } from '../rib/graceful.ts'
import type { Which } from '../rib/rib.ts'
import { Alarm } from '../session/alarm.ts'
import type { Standing } from '../session/peer-session.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import type { Rules } from './rules.ts'

/** RFC 7313 §4 suggests no number; what has not been repeated by then goes. */
const LONGEST_REFRESH: Millis = millis(600_000)

export class Keeping {
  readonly #id: string
  readonly #rules: Rules
  readonly #clock: Clock
  readonly #expired: () => void
  readonly #alarm: Alarm
  #until: Instant | undefined
  #refreshAlarm: Alarm | undefined
  /** Families that the peer is telling again. */
  #hearing: readonly Family[] = []

  constructor(id: string, rules: Rules, clock: Clock, expired: () => void) {
    this.#id = id
    this.#rules = rules
    this.#clock = clock
    this.#expired = expired
    this.#alarm = new Alarm(clock, () => this.#awayTooLong())
  }

  /** When routes go that the peer has not told again; undefined: it is not waited for. */
  get until(): Instant | undefined {
    return this.#until
  }

  /** The session is lost: routes of these families stay for a while, the others go. */
  keep(kept: readonly Family[], restartTime: Seconds | undefined): void {
    const { rib, stalePathTime } = this.#rules
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      if (!kept.some(each => sameFamily(each, family))) rib.drop(this.#id, whichOf(family))
    rib.markStale(this.#id)
    this.#wait(restartTime ?? stalePathTime)
  }

  /** Back in time: what it does not repeat before End-of-RIB goes, and so does at once all of a family that it forgot how to forward. */
  comeBack(terms: Standing['terms']): void {
    if (this.#until === undefined) return
    const { rib, stalePathTime } = this.#rules
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      if (hasLostForwarding(terms, family)) this.sweep(whichOf(family), 'the peer kept no forwarding state')
    if (rib.counts(this.#id).stale > 0) this.#wait(stalePathTime)
    else this.stop()
  }

  stop(): void {
    this.#alarm.cancel()
    this.#until = undefined
  }

  beginRefresh(family: Family): void {
    this.#rules.rib.markStale(this.#id, whichOf(family))
    if (!this.#isHearing(family)) this.#hearing = [...this.#hearing, family]
    this.#refreshAlarm ??= new Alarm(this.#clock, () => this.#refreshHadNoEnd())
    this.#refreshAlarm.cancel()
    this.#refreshAlarm.by(after(this.#clock.now(), LONGEST_REFRESH))
  }

  endRefresh(family: Family): void {
    if (!this.#isHearing(family)) return
    this.#hearing = this.#hearing.filter(each => !sameFamily(each, family))
    if (this.#hearing.length === 0) this.#refreshAlarm?.cancel()
    this.sweep(whichOf(family), 'not repeated in a refresh')
    this.#rules.converge()
  }

  /** The session in which the peer told again is over. */
  forgetRefreshes(): void {
    this.#hearing = []
    this.#refreshAlarm?.cancel()
  }

  cancelAlarms(): void {
    this.#alarm.cancel()
    this.#refreshAlarm?.cancel()
  }

  sweep(which: Which, why: string): void {
    const { rib, log } = this.#rules
    const gone = rib.sweepStale(this.#id, which)
    if (gone > 0) log.info('stale routes dropped', { peer: this.#id, routes: gone, why })
  }

  #isHearing(family: Family): boolean {
    return this.#hearing.some(each => sameFamily(each, family))
  }

  #refreshHadNoEnd(): void {
    this.#hearing = []
    this.sweep('all', 'a refresh had no end')
    this.#rules.converge()
  }

  #wait(duration: Seconds): void {
    this.#alarm.cancel()
    this.#until = after(this.#clock.now(), toMillis(duration))
    this.#alarm.by(this.#until)
  }

  #awayTooLong(): void {
    this.stop()
    const { rib, log } = this.#rules
    log.warn('stale routes dropped', { peer: this.#id, routes: rib.sweepStale(this.#id), why: 'the restart time ran out' })
    this.#rules.converge()
    this.#expired()
  }
}

export function whichOf(family: Family): Which {
  return sameFamily(family, IPV6_UNICAST) ? 'ipv6' : 'ipv4'
}
