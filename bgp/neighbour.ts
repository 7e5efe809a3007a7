/** One peer in the speaker: its session, what it told, what it was told, and how long its routes outlive it. */

import { isDeepStrictEqual } from 'node:util'
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import type { Log } from '@network/base/run/log.ts'
import { after, between, type Instant, type Millis, millis, type Seconds, toMillis } from '@network/base/time/units.ts'
import type { Attributes } from './attributes/attributes.ts'
import type { ExportPolicy } from './export/advertise.ts'
import type { Follower } from './export/change-log.ts'
import type { GroupTerms, UpdateGroup } from './export/update-group.ts'
import type { ConnState, DownReason } from './fsm/connection.ts'
import { Intake } from './intake.ts'
import { ACCEPTED, type ImportFilter, type MaxPrefixes, type PeerConfig } from './options.ts'
import { effective, type WithoutPolicy } from './policy/default.ts'
import { changesNothing, type ExportTerms, exported, nameOfTerms } from './policy/export.ts'
import { imported } from './policy/import.ts'
import { loadOf, tooManyPrefixes } from './policy/max-prefixes.ts'
import { awaitedFamilies, hasLostForwarding, keptFamilies } from './rib/graceful.ts'
import type { Source } from './rib/path.ts'
import type { Admission, Rib, Which } from './rib/rib.ts'
import { Alarm } from './session/alarm.ts'
import type { SoundUpdate } from './session/interpret.ts'
import { PeerSession, type SessionListener, type SessionTools, type Standing } from './session/peer-session.ts'
import { errorOf, isCollision, sayReason } from './session/reasons.ts'
import { sessionStatus } from './session/session-status.ts'
import type { DialFailure, Wire, WireListener } from './session/transport.ts'
import type { PeerError, PeerStatus } from './status.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, nameOfFamily, sameFamily } from './wire/capabilities.ts'
import { OTHER_CHANGE, shutdown } from './wire/notification.ts'
import type { RefreshKind } from './wire/route-refresh.ts'
import { encodeEndOfRib, sayRemarks } from './wire/update.ts'

/** What a neighbour needs from the speaker around it. */
export interface Surroundings {
  readonly rib: Rib
  readonly log: Log
  readonly localAsn: number
  readonly clusterId: Ipv4
  readonly withoutPolicy: WithoutPolicy
  /** Undefined: every prefix is let in. */
  readonly importFilter: ImportFilter | undefined
  /** How long we wait for the End-of-RIB of a peer that came back. */
  readonly stalePathTime: Seconds
  /** Something in the RIB changed: choose, tell the peers, tell the user. */
  converge(): void
  /** The group of peers that must hear the same. */
  groupFor(terms: GroupTerms): UpdateGroup
  stateChanged(neighbour: Neighbour): void
  /** No routes of it wait for its return any more. */
  mayLeave(neighbour: Neighbour): void
  /** The peer has told all it knows, or need not. */
  finished(): void
  /** False while routes of others that this peer would hear may still be on their way to us. */
  mayEndRib(neighbour: Neighbour): boolean
}

interface Session {
  readonly standing: Standing
  readonly source: Source
  readonly intake: Intake
  group: UpdateGroup
  follower: Follower
  /** Families whose End-of-RIB is still to come. */
  readonly awaited: Set<string>
  blocked: boolean
  endOfRibSent: boolean
  endOfRibReceived: boolean
  /** Families whose refresh has begun, in what we tell and in what we hear. */
  readonly answering: Family[]
  readonly hearing: Set<string>
  /** It was logged that the limit of prefixes is near. */
  isNearLimit: boolean
}

/** RFC 7313 §4 suggests no number; what has not been repeated by then goes. */
const LONGEST_REFRESH: Millis = millis(600_000)
const QUIET_TIME: Millis = millis(60_000)

export class Neighbour implements SessionListener {
  #config: PeerConfig
  readonly #around: Surroundings
  readonly #tools: Omit<SessionTools, 'open'>
  readonly #driver: PeerSession
  readonly #staleAlarm: Alarm
  readonly #refreshAlarm: Alarm
  readonly #returnAlarm: Alarm
  readonly #repaired = { treatedAsWithdraw: 0, attributesDiscarded: 0 }
  #session: Session | undefined
  #isStarted = false
  /** It told too many prefixes, and is kept away. */
  #overloaded = false
  #staleUntil: Instant | undefined
  #since: { readonly at: Instant; readonly wall: Date }
  #flaps = 0
  #wasUp = false
  #finished = false
  #lastError: PeerError | null = null
  #trouble: string | undefined
  #loggedRepairAt: Instant | undefined

  constructor(
    config: PeerConfig,
    around: Surroundings,
    tools: Omit<SessionTools, 'open'>,
    open: (neighbour: Neighbour) => ReturnType<SessionTools['open']>,
  ) {
    this.#config = config
    this.#around = around
    this.#tools = tools
    this.#driver = new PeerSession(config, { ...tools, open: () => open(this) }, this)
    this.#staleAlarm = new Alarm(tools.clock, () => this.#staleExpired())
    this.#refreshAlarm = new Alarm(tools.clock, () => this.#refreshExpired())
    this.#returnAlarm = new Alarm(tools.clock, () => this.#mayReturn())
    this.#since = { at: tools.clock.now(), wall: tools.clock.wall() }
  }

  get config(): PeerConfig {
    return this.#config
  }

  /** The name of this peer as a source of routes. */
  get id(): string {
    return formatIpv4(this.#config.address)
  }

  get kind(): 'internal' | 'external' {
    return this.#config.asn === this.shownAsn ? 'internal' : 'external'
  }

  get state(): ConnState {
    return this.#driver.state
  }

  /** A session with it has stood in this life: forwarding state goes on over a loss. */
  get wasUp(): boolean {
    return this.#wasUp
  }

  /** It has sent End-of-RIB once, takes no part in RFC 4724, or is kept down. */
  get isFinished(): boolean {
    return this.#finished || this.#config.shutdown !== undefined
  }

  /** It is restarting itself, and may wait for us. */
  get isRestarting(): boolean {
    return this.#session?.standing.terms.gracefulRestart?.restarting ?? false
  }

  /** It has no connection, and no routes of it are kept. */
  get isIdle(): boolean {
    return this.#staleUntil === undefined && (this.state === 'idle' || this.state === 'active')
  }

  start(): void {
    this.#isStarted = true
    if (this.#config.shutdown === undefined) this.#driver.start()
  }

  /** What changes nothing that OPEN said takes effect at once; anything else begins the session anew. */
  reconfigure(config: PeerConfig): void {
    const before = this.#config
    this.#config = config
    this.#driver.reconfigure(config)
    this.judgeAgain()
    if (this.#isStarted) this.#follow(before, config)
    const session = this.#session
    if (session === undefined) return
    const group = this.#around.groupFor(this.#groupTerms(session.standing))
    if (group !== session.group) this.#moveTo(group, session)
  }

  #follow(before: PeerConfig, config: PeerConfig): void {
    if (isDeepStrictEqual(before, config)) return
    if (config.shutdown !== undefined) {
      if (before.shutdown === undefined)
        this.#halt({ is: 'sent', notification: shutdown(config.shutdown), says: 'shut down by us' })
      return
    }
    const isHalted = before.shutdown !== undefined || this.#overloaded
    const reset = changedInOpen(before, config)
    if (!isHalted && reset.length === 0) return
    if (!isHalted) this.#halt({ is: 'sent', notification: OTHER_CHANGE, says: `other settings: ${reset.join(', ')}` })
    this.#overloaded = false
    this.#returnAlarm.cancel()
    this.#driver.start()
  }

  #halt(reason: DownReason): void {
    this.#driver.halt(reason)
  }

  /** What may come in has changed. */
  judgeAgain(): void {
    this.#around.rib.setAdmission(this.id, this.#admission())
  }

  accept(wire: Wire): WireListener {
    return this.#driver.accept(wire)
  }

  /** Ends the session for good; its routes go at once, stale or not. */
  async leave(reason: DownReason): Promise<void> {
    const closing = this.#driver.stop(reason)
    this.#staleUntil = undefined
    this.#cancelAlarms()
    this.#around.rib.drop(this.id)
    await closing
  }

  /** Ends the session because the speaker ends. */
  async stop(reason: DownReason): Promise<void> {
    const closing = this.#driver.stop(reason)
    this.#cancelAlarms()
    await closing
  }

  #cancelAlarms(): void {
    for (const alarm of [this.#staleAlarm, this.#refreshAlarm, this.#returnAlarm]) alarm.cancel()
  }

  /** Says what waits, as far as the stream takes it; then End-of-RIB, once a session. */
  flush(): void {
    const session = this.#session
    if (session === undefined) return
    while (!session.blocked) {
      const { slices, messages } = session.group.pull(session.follower)
      if (slices.length === 0) break
      if (!this.#driver.sendUpdates(slices, messages)) session.blocked = true
    }
    if (session.blocked) return
    if (session.endOfRibSent) {
      for (const family of session.answering.splice(0)) this.#driver.sendRefresh('end', family)
      return
    }
    if (!session.group.isCurrent(session.follower) || !this.#around.mayEndRib(this)) return
    session.endOfRibSent = true
    const ends = session.standing.terms.families.map(encodeEndOfRib)
    if (!this.#driver.sendUpdates(ends, ends.length)) session.blocked = true
  }

  /** What it was told last of all prefixes. */
  *told(): Generator<{ readonly prefix: AnyPrefix; readonly attributes: Attributes }, void, void> {
    const session = this.#session
    if (session === undefined) return
    const { group, follower } = session
    for (const id of group.toldIds(follower.slot)) {
      const attributes = group.tells(follower.slot, id)
      if (attributes !== undefined) yield { prefix: this.#around.rib.prefixes.prefix(id), attributes }
    }
  }

  keepAlive(now: Instant): void {
    this.#driver.keepAlive(now)
  }

  stateChanged(): void {
    this.#since = { at: this.#tools.clock.now(), wall: this.#tools.clock.wall() }
    this.#around.stateChanged(this)
  }

  up(standing: Standing): void {
    const { terms, local, dialledBy } = standing
    this.#session = this.#openSession(standing)
    this.#wasUp = true
    this.#trouble = undefined
    this.#around.log.info('peer up', {
      peer: this.id,
      name: this.#config.name,
      dialledBy,
      holdTime: terms.holdTime,
      local: formatIpv4(local.address),
    })
    if (this.#staleUntil !== undefined) this.#comeBack(terms)
    if (terms.gracefulRestart === undefined) this.#finish()
    this.#around.converge()
  }

  down(reason: DownReason): void {
    const terms = this.#session?.standing.terms
    this.#session?.group.leave(this.#session.follower)
    this.#session = undefined
    this.#refreshAlarm.cancel()
    if (reason.is === 'closed') return
    this.#flaps++
    this.#blame(reason)
    const kept = terms === undefined ? [] : keptFamilies(reason, terms)
    if (kept.length > 0) this.#goStale(kept, terms?.gracefulRestart?.restartTime)
    else this.#dropRoutes()
    this.#around.log.warn('peer down', {
      peer: this.id,
      name: this.#config.name,
      why: sayReason(reason),
      routes: kept.length > 0 ? 'kept' : 'dropped',
    })
    this.#around.converge()
  }

  failed(reason: DownReason): void {
    if (isCollision(reason)) return
    this.#blame(reason)
    this.#complain('session failed', sayReason(reason))
  }

  /** A refused connection is the daily life of a peer that is not there yet: it is not logged. */
  dialFailed({ code, says }: DialFailure): void {
    const at = this.#tools.clock.wall().toISOString()
    this.#lastError = { direction: 'local', code: null, subcode: null, text: says, data: null, at }
    if (code !== 'ECONNREFUSED') this.#complain('dial failed', says)
  }

  update(verdict: SoundUpdate, raw: Uint8Array): void {
    const session = this.#session
    if (session === undefined) return
    if (verdict.is === 'end-of-rib') {
      this.#endOfRib(session, verdict.family)
      return
    }
    if (verdict.remarks.length > 0) this.#countRepairs(verdict, raw)
    session.intake.take(verdict, raw)
    this.#weigh(session)
    this.#around.converge()
  }

  recognise(body: Uint8Array): boolean {
    const isKnown = this.#session?.intake.recognise(body) ?? false
    if (isKnown) this.#around.converge()
    if (isKnown && this.#session !== undefined) this.#weigh(this.#session)
    return isKnown
  }

  /** Too many prefixes end the session: 6/1. */
  #weigh(session: Session): void {
    const { maxPrefixes } = this.#config
    if (maxPrefixes === undefined) return
    const { received, six } = this.#around.rib.counts(this.id)
    for (const { family, count } of [
      { family: IPV4_UNICAST, count: received - six },
      { family: IPV6_UNICAST, count: six },
    ]) {
      const load = loadOf(count, maxPrefixes)
      if (load === 'over') {
        this.#sendAway(family, maxPrefixes)
        return
      }
      if (load === 'near' && !session.isNearLimit) {
        session.isNearLimit = true
        const { limit } = maxPrefixes
        this.#around.log.warn('limit of prefixes is near', {
          peer: this.id,
          family: nameOfFamily(family),
          prefixes: count,
          limit,
        })
      }
    }
  }

  #sendAway(family: Family, { limit, restartAfter }: MaxPrefixes): void {
    this.#overloaded = true
    const says = `more than ${limit} prefixes of ${nameOfFamily(family)}`
    this.#halt({ is: 'sent', notification: tooManyPrefixes(family, limit), says })
    if (restartAfter !== undefined) this.#returnAlarm.by(after(this.#tools.clock.now(), restartAfter))
  }

  #mayReturn(): void {
    this.#overloaded = false
    this.#driver.start()
  }

  refresh(kind: RefreshKind, family: Family): void {
    const session = this.#session
    if (session === undefined) return
    if (kind === 'ask') this.#answerRefresh(session, family)
    else if (kind === 'begin') this.#beginRefresh(session, family)
    else this.#endRefresh(session, family)
  }

  /** RFC 7313 §4: begin and end are told, but not before the first End-of-RIB. */
  #answerRefresh(session: Session, family: Family): void {
    const isMarked = session.standing.terms.enhancedRefresh && session.endOfRibSent
    if (isMarked && !session.answering.some(each => sameFamily(each, family))) {
      this.#driver.sendRefresh('begin', family)
      session.answering.push(family)
    }
    session.group.resend(session.follower)
    this.flush()
  }

  #beginRefresh({ hearing }: Session, family: Family): void {
    this.#around.rib.markStale(this.id, whichOf(family))
    hearing.add(nameOfFamily(family))
    this.#refreshAlarm.cancel()
    this.#refreshAlarm.by(after(this.#tools.clock.now(), LONGEST_REFRESH))
  }

  #endRefresh({ hearing }: Session, family: Family): void {
    if (!hearing.delete(nameOfFamily(family))) return
    if (hearing.size === 0) this.#refreshAlarm.cancel()
    this.#sweepRefreshed(whichOf(family), 'not repeated in a refresh')
  }

  /** The end never came. */
  #refreshExpired(): void {
    this.#session?.hearing.clear()
    this.#sweepRefreshed('all', 'a refresh had no end')
  }

  #sweepRefreshed(which: Which, why: string): void {
    this.#sweep(which, why)
    this.#around.converge()
  }

  drained(): void {
    if (this.#session !== undefined) this.#session.blocked = false
    this.flush()
  }

  status(): PeerStatus {
    const { received, accepted, stale } = this.#around.rib.counts(this.id)
    const { clock } = this.#tools
    const standing = this.#session?.standing
    const inTime =
      this.#staleUntil === undefined ? null : new Date(clock.wall().getTime() + between(clock.now(), this.#staleUntil))
    return {
      address: this.id,
      name: this.#config.name,
      remoteAsn: this.#config.asn,
      kind: this.kind,
      routerId: standing === undefined ? null : formatIpv4(standing.terms.remote.routerId),
      state: this.state,
      since: this.#since.wall.toISOString(),
      sinceMillis: Math.round(between(this.#since.at, clock.now())),
      prefixes: { received, accepted, advertised: this.#session?.group.toldTo(this.#session.follower.slot) ?? 0, stale },
      messages: this.#driver.messages,
      repaired: { ...this.#repaired },
      flaps: this.#flaps,
      lastError: this.#lastError,
      session: standing === undefined ? null : sessionStatus(standing),
      gracefulRestart: {
        helping: this.#staleUntil !== undefined,
        staleUntil: inTime?.toISOString() ?? null,
        endOfRibReceived: this.#session?.endOfRibReceived ?? false,
        endOfRibSent: this.#session?.endOfRibSent ?? false,
      },
    }
  }

  #openSession(standing: Standing): Session {
    const { rib } = this.#around
    const { terms } = standing
    const source = this.#sourceOf(standing)
    this.judgeAgain()
    const group = this.#around.groupFor(this.#groupTerms(standing))
    return {
      standing,
      source,
      intake: new Intake(rib, source, terms.dialect),
      group,
      follower: group.join(rib.slotOf(this.id), this.#config.address),
      awaited: new Set(awaitedFamilies(terms).map(nameOfFamily)),
      blocked: false,
      endOfRibSent: false,
      endOfRibReceived: false,
      answering: [],
      hearing: new Set(),
      isNearLimit: false,
    }
  }

  #sourceOf({ terms, local }: Standing): Source {
    const { address, name, client, allowOwnAs } = this.#config
    const { kind } = this
    return {
      id: this.id,
      kind,
      name,
      address,
      routerId: terms.remote.routerId,
      localAddress: local.address,
      ...(client === true && kind === 'internal' ? { client } : {}),
      ...(allowOwnAs === undefined ? {} : { allowOwnAs }),
    }
  }

  #groupTerms(standing: Standing): GroupTerms {
    const { localAddress6, client } = this.#config
    const { terms, local } = standing
    const policy = this.#exportPolicy(standing)
    return {
      outlet: {
        kind: this.kind,
        localAddress: local.address,
        localAsn: this.shownAsn,
        clusterId: this.#around.clusterId,
        client: client === true && this.kind === 'internal',
        ...(localAddress6 === undefined ? {} : { localAddress6 }),
        ...(policy === undefined ? {} : { policy }),
      },
      dialect: terms.dialect,
      longestMessage: terms.longestMessage,
    }
  }

  /** The AS that the peer sees us in. RFC 7705. */
  get shownAsn(): number {
    return this.#config.localAs?.asn ?? this.#around.localAsn
  }

  #place(localAddress: Ipv4): ExportTerms['place'] {
    return { localAsn: this.shownAsn, localAddress, localAddress6: this.#config.localAddress6 }
  }

  #exportPolicy({ local }: Standing): ExportPolicy | undefined {
    const { asn, asOverride, removePrivateAs, localAs, exportPolicy } = this.#config
    const terms: ExportTerms = {
      peerAsn: asn,
      kind: this.kind,
      asOverride: asOverride === true,
      removePrivateAs: removePrivateAs === true,
      shownBehindLocalAs: localAs === undefined || localAs.replace ? undefined : this.#around.localAsn,
      chain: effective(exportPolicy, this.kind, this.#around.withoutPolicy),
      place: this.#place(local.address),
    }
    if (changesNothing(terms)) return undefined
    return {
      name: nameOfTerms(terms),
      apply: (prefix, attributes, source) => {
        const verdict = exported(prefix, attributes, source.kind, terms)
        return verdict.is === 'accepted' ? verdict.attributes : undefined
      },
    }
  }

  /** Undefined where nothing is asked of a route: then nobody looks at it. */
  #admission(): Admission | undefined {
    const { asn, isRouteServer, localAs, importPolicy } = this.#config
    const { importFilter, withoutPolicy } = this.#around
    const chain = effective(importPolicy, this.kind, withoutPolicy)
    if (importFilter === undefined && this.kind === 'internal' && chain.length === 0) return undefined
    const terms = {
      kind: this.kind,
      peerAsn: asn,
      isRouteServer: isRouteServer === true,
      localAs: localAs?.asn,
      chain,
      place: this.#place(this.#session?.standing.local.address ?? this.#config.address),
    }
    return (prefix, attributes) => {
      const filtered = importFilter === undefined || isPrefix6(prefix) ? ACCEPTED : importFilter(prefix, this.#config)
      return filtered.is === 'refused' ? filtered : imported(prefix, attributes, terms)
    }
  }

  /** Another policy, told as the difference: the peer forgets nothing and hears everything that holds now. */
  #moveTo(group: UpdateGroup, session: Session): void {
    const held = session.group.heldBy(session.follower)
    session.group.leave(session.follower)
    session.group = group
    session.follower = group.join(session.follower.slot, this.#config.address)
    group.retract(session.follower, held)
  }

  #endOfRib(session: Session, family: Family): void {
    session.awaited.delete(nameOfFamily(family))
    this.#sweep(whichOf(family), 'not repeated before End-of-RIB')
    if (session.awaited.size === 0) {
      session.endOfRibReceived = true
      this.#stopHelping()
      this.#finish()
    }
    this.#around.converge()
  }

  #sweep(which: Which, why: string): void {
    const gone = this.#around.rib.sweepStale(this.id, which)
    if (gone > 0) this.#around.log.info('stale routes dropped', { peer: this.id, routes: gone, why })
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#around.finished()
  }

  #goStale(kept: readonly Family[], restartTime: Seconds | undefined): void {
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      if (!kept.some(each => sameFamily(each, family))) this.#around.rib.drop(this.id, whichOf(family))
    this.#around.rib.markStale(this.id)
    this.#help(restartTime ?? this.#around.stalePathTime)
  }

  /** Back in time: what it does not repeat before End-of-RIB goes, and so does at once all of a family that it forgot how to forward. */
  #comeBack(terms: Standing['terms']): void {
    for (const family of [IPV4_UNICAST, IPV6_UNICAST])
      if (hasLostForwarding(terms, family)) this.#sweep(whichOf(family), 'the peer kept no forwarding state')
    if (this.#around.rib.counts(this.id).stale > 0) this.#help(this.#around.stalePathTime)
    else this.#stopHelping()
  }

  #help(duration: Seconds): void {
    this.#staleAlarm.cancel()
    this.#staleUntil = after(this.#tools.clock.now(), toMillis(duration))
    this.#staleAlarm.by(this.#staleUntil)
  }

  #stopHelping(): void {
    this.#staleAlarm.cancel()
    this.#staleUntil = undefined
  }

  #staleExpired(): void {
    this.#stopHelping()
    const gone = this.#around.rib.sweepStale(this.id)
    this.#around.log.warn('stale routes dropped', { peer: this.id, routes: gone, why: 'the restart time ran out' })
    this.#around.converge()
    this.#around.mayLeave(this)
  }

  #dropRoutes(): void {
    this.#stopHelping()
    this.#around.rib.drop(this.id)
  }

  #blame(reason: DownReason): void {
    const error = errorOf(reason)
    if (error !== undefined) this.#lastError = { ...error, at: this.#tools.clock.wall().toISOString() }
  }

  /** One line per change of reason: a peer that stays away would fill the log. */
  #complain(message: string, why: string): void {
    if (this.#trouble === why) return
    this.#trouble = why
    this.#around.log.warn(message, { peer: this.id, name: this.#config.name, why })
  }

  #countRepairs(verdict: Extract<SoundUpdate, { readonly is: 'routes' }>, raw: Uint8Array): void {
    const spoiled = verdict.remarks.some(({ reaction }) => reaction === 'treat-as-withdraw')
    if (spoiled) this.#repaired.treatedAsWithdraw++
    this.#repaired.attributesDiscarded += verdict.remarks.filter(({ reaction }) => reaction === 'discard').length
    const now = this.#tools.clock.now()
    if (this.#loggedRepairAt !== undefined && between(this.#loggedRepairAt, now) < QUIET_TIME) return
    this.#loggedRepairAt = now
    const reaction = spoiled ? 'routes withdrawn' : 'attribute dropped'
    this.#around.log.warn('malformed update', {
      peer: this.id,
      why: sayRemarks(verdict.remarks),
      reaction,
      raw: Buffer.from(raw).toString('hex'),
    })
  }
}

/** What OPEN or the rules of the session rest on: a change of it needs another session. */
const IN_OPEN = [
  'families',
  'holdTime',
  'minHoldTime',
  'ipv4OverIpv6',
  'acceptAsSets',
  'client',
  'allowOwnAs',
  'localAs',
] as const

function changedInOpen(before: PeerConfig, after: PeerConfig): readonly string[] {
  return IN_OPEN.filter(name => !isDeepStrictEqual(before[name], after[name]))
}

function whichOf(family: Family): Which {
  return sameFamily(family, IPV6_UNICAST) ? 'ipv6' : 'ipv4'
}
