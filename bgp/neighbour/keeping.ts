/** Routes of a peer that are kept marked: while it is away (RFC 4724), for long (RFC 9494), and while it tells all again (RFC 7313). */
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Instant, type Millis, millis, type Seconds, toMillis } from '@network/base/time/units.ts'
import { type Absence, absenceOf, hasLostForwarding } from '../rib/graceful.ts'
import type { Which } from '../rib/rib.ts'
import { Alarm } from '../session/alarm.ts'
import type { Standing } from '../session/peer-session.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import type { Rules } from './rules.ts'

/** RFC 7313 §4 suggests no number; what has not been repeated by then goes. */
const LONGEST_REFRESH: Millis = millis(600_000)

/** A family whose routes wait for the peer. */
interface Awaited {
  readonly family: Family
  readonly until: Instant
  /** How long its routes stay as the last resort from then on; undefined: they go. */
  readonly longTime: Seconds | undefined
  /** They are the last resort already. */
  readonly isLong: boolean
}

export class Keeping {
  readonly #id: string
  readonly #rules: Rules
  readonly #clock: Clock
  readonly #expired: () => void
  readonly #alarm: Alarm
  #awaited: readonly Awaited[] = []
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

  /** When routes go that the peer has not told again, or become the last resort; undefined: it is not waited for. */
  get until(): Instant | undefined {
    return this.#awaited.reduce<Instant | undefined>(
      (last, { until }) => (last === undefined || until > last ? until : last),
      undefined,
    )
  }

  /** Some of its routes outlived the restart time. */
  get isLong(): boolean {
    return this.#awaited.some(({ isLong }) => isLong)
  }

  /** The session is lost: routes of these families stay for a while, the others go, and so do those that were marked already (RFC 4724 §4.2, consecutive restarts). */
  keep(kept: readonly Family[], terms: Standing['terms']): void {
    const { rib } = this.#rules
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      if (!kept.some(each => sameFamily(each, family))) rib.drop(this.#id, whichOf(family))
    rib.sweepStale(this.#id)
    rib.markStale(this.#id)
    this.#awaited = kept.map(family => this.#awaiting(family, absenceOf(terms, family)))
    this.#goOn()
  }

  #awaiting(family: Family, { restartTime, longTime }: Absence): Awaited {
    return { family, until: after(this.#clock.now(), toMillis(restartTime)), longTime, isLong: false }
  }

  /**
   * Back in time: what it does not repeat before End-of-RIB goes, and so does at once all of a family that it forgot how to forward. The time of the
   * last resort runs on (RFC 9494 §4.2).
   */
  comeBack(terms: Standing['terms']): void {
    if (this.#awaited.length === 0) return
    const { rib, stalePathTime } = this.#rules
    for (const { family, isLong } of this.#awaited)
      if (hasLostForwarding(terms, family, isLong)) this.#sweep(whichOf(family), 'the peer kept no forwarding state')
    if (rib.counts(this.#id).stale === 0) {
      this.stop()
      return
    }
    const until = after(this.#clock.now(), toMillis(stalePathTime))
    this.#awaited = this.#awaited.map(each => (each.isLong ? each : { ...each, until, longTime: undefined }))
    this.#arm()
  }

  stop(): void {
    this.#alarm.cancel()
    this.#awaited = []
  }

  /** What is not repeated after the last begin goes: a begin without an end before it begins anew. */
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
    this.#sweep(whichOf(family), 'not repeated in a refresh')
    this.#rules.converge()
  }

  /** The session in which the peer told again is over: what it had no time to repeat is no worse than the rest. */
  forgetRefreshes(): void {
    for (const family of this.#hearing)
      if (!this.#awaited.some(each => sameFamily(each.family, family))) this.#rules.rib.unmarkStale(this.#id, whichOf(family))
    this.#hearing = []
    this.#refreshAlarm?.cancel()
  }

  /** What a peer that came back did not repeat goes; while it tells all again, the end of that says so. */
  endOfRib(family: Family): void {
    if (!this.#isHearing(family)) this.#sweep(whichOf(family), 'not repeated before End-of-RIB')
  }

  cancelAlarms(): void {
    this.#alarm.cancel()
    this.#refreshAlarm?.cancel()
  }

  #sweep(which: Which, why: string): void {
    const { rib, log } = this.#rules
    const gone = rib.sweepStale(this.#id, which)
    if (gone > 0) log.info('stale routes dropped', { peer: this.#id, routes: gone, why })
  }

  #isHearing(family: Family): boolean {
    return this.#hearing.some(each => sameFamily(each, family))
  }

  #refreshHadNoEnd(): void {
    this.#hearing = []
    this.#sweep('all', 'a refresh had no end')
    this.#rules.converge()
  }

  #awayTooLong(): void {
    this.#goOn()
    this.#rules.converge()
    if (this.#awaited.length === 0) this.#expired()
  }

  /** What is due goes, or stays as the last resort. */
  #goOn(): void {
    const now = this.#clock.now()
    this.#awaited = this.#awaited.flatMap(each => (each.until > now ? [each] : this.#afterwards(each)))
    this.#arm()
  }

  #afterwards({ family, longTime, isLong }: Awaited): readonly Awaited[] {
    const { rib, log } = this.#rules
    const which = whichOf(family)
    if (longTime === undefined || isLong) {
      const why = isLong ? 'the long-lived stale time ran out' : 'the restart time ran out'
      log.warn('stale routes dropped', { peer: this.#id, routes: rib.sweepStale(this.#id, which), why })
      return []
    }
    const dropped = rib.keepLong(this.#id, which)
    log.warn('stale routes are the last resort', { peer: this.#id, seconds: longTime, dropped })
    return [{ family, until: after(this.#clock.now(), toMillis(longTime)), longTime, isLong: true }]
  }

  #arm(): void {
    this.#alarm.cancel()
    for (const { until } of this.#awaited) this.#alarm.by(until)
  }
}

export function whichOf(family: Family): Which {
  return sameFamily(family, IPV6_UNICAST) ? 'ipv6' : 'ipv4'
}
