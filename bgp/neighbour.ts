/** One peer in the speaker: its session, what it told, what it was told, and how long its routes outlive it. */

import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { Attributes } from './attributes/attributes.ts'
import type { GroupTerms, UpdateGroup } from './export/update-group.ts'
import type { ConnState, DownReason } from './fsm/connection.ts'
import { Intake } from './intake.ts'
import { Complaints } from './neighbour/complaints.ts'
import { Keeping } from './neighbour/keeping.ts'
import type { Rules } from './neighbour/rules.ts'
import { Telling } from './neighbour/telling.ts'
import {
  admissionOf,
  endsOf,
  groupTermsOf,
  isDraining,
  kindOf,
  remoteAsnOf,
  shownAsn,
  sourceOf,
  untoldOf,
} from './neighbour/terms.ts'
import { Watched } from './neighbour/watched.ts'
import type { PeerConfig } from './options.ts'
import { formatPeer, peerAt, placeOf } from './peer-address.ts'
import { loadOf, TOO_MANY_PATHS, tooManyPrefixes } from './policy/max-prefixes.ts'
import { awaitedFamilies, keptFamilies } from './rib/graceful.ts'
import { Alarm } from './session/alarm.ts'
import type { SoundUpdate } from './session/interpret.ts'
import { PeerSession, type SessionListener, type SessionTools, type Standing } from './session/peer-session.ts'
import { sayProtection } from './session/protection.ts'
import { isCollision, sayReason } from './session/reasons.ts'
import { sessionStatus } from './session/session-status.ts'
import type { DialFailure, Endpoint, Wire, WireListener } from './session/transport.ts'
import type { PeerStatus } from './status.ts'
import type { Seeking } from './unnumbered/discovery.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, nameOfFamily, sameFamily } from './wire/capabilities.ts'
import type { Identified } from './wire/nlri.ts'
import { adminReset, BFD_DOWN, hardReset, OTHER_CHANGE, shutdown } from './wire/notification.ts'
import type { Open } from './wire/open.ts'
import type { RefreshKind } from './wire/route-refresh.ts'

/** What an operator may want of a session that stands: to hear all again, to tell all again, or to begin anew with words for the other operator (RFC 9003). */
export type Clearing = { readonly is: 'in' } | { readonly is: 'out' } | { readonly is: 'hard'; readonly words: string }
/** What was done; a peer without route refresh is not asked, but what it told is judged again. */
export type Cleared = 'asked' | 'judged-again' | 'told-again' | 'reset'

/** What a neighbour needs from the speaker around it. */
export interface Surroundings extends Rules {
  /** The group of peers that must hear the same. */
  groupFor(terms: GroupTerms): UpdateGroup
  /** What to say in OPEN at this moment. */
  open(neighbour: Neighbour): Open
  stateChanged(neighbour: Neighbour): void
  /** No routes of it wait for its return any more. */
  mayLeave(neighbour: Neighbour): void
  /** Somebody was seen at the other end of an interface: those who may come are others than before. */
  met(): void
  /** The peer has told all it knows, or need not. */
  finished(): void
  /** False while routes of others that this peer would hear may still be on their way to us. */
  mayEndRib(neighbour: Neighbour): boolean
}

interface Session {
  readonly standing: Standing
  readonly intake: Intake
  readonly telling: Telling
  /** Families whose End-of-RIB is still to come. */
  awaited: readonly Family[]
  endOfRibReceived: boolean
  /** It was logged that the limit of prefixes is near. */
  isNearLimit: boolean
}

export class Neighbour implements SessionListener {
  /** The name of this peer as a source of routes. */
  readonly id: string
  #config: PeerConfig
  readonly #around: Surroundings
  readonly #tools: SessionTools
  readonly #driver: PeerSession
  /** Made when first needed, like all that a peer without trouble does without. */
  #keeping: Keeping | undefined
  #complaints: Complaints | undefined
  #returnAlarm: Alarm | undefined
  #session: Session | undefined
  /** Of the session that stands or stood last. */
  #standing: Standing | undefined
  /** Who was seen at the other end of an interface, and when last. */
  #seen: { readonly address: Ipv6; readonly at: Instant } | undefined
  #seeking: Seeking | undefined
  readonly #watched: Watched
  #isStarted = false
  /** It told too many prefixes, and is kept away. */
  #overloaded = false
  #since: Instant
  #sinceWall: number
  #flaps = 0
  #wasUp = false
  #finished = false

  constructor(config: PeerConfig, around: Surroundings, tools: SessionTools) {
    const { clock } = tools
    this.id = formatPeer(config.address)
    this.#config = config
    this.#around = around
    this.#tools = tools
    this.#driver = new PeerSession(config, tools, this)
    this.#watched = new Watched(around.bfd, tools.from, this)
    this.#since = clock.now()
    this.#sinceWall = clock.wall().getTime()
  }

  get config(): PeerConfig {
    return this.#config
  }

  get kind(): 'internal' | 'external' {
    return kindOf(this.#config, this.#around)
  }

  /** The AS that the peer sees us in. RFC 7705. */
  get shownAsn(): number {
    return shownAsn(this.#config, this.#around)
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
    return this.#keeping?.until === undefined && (this.state === 'idle' || this.state === 'active')
  }

  start(): void {
    this.#isStarted = true
    this.#begin()
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
    session.telling.moveTo(this.#groupFor(session.standing), session.standing.remote.address)
  }

  #follow(before: PeerConfig, config: PeerConfig): void {
    if (isDeepStrictEqual(before, config)) return
    if (config.shutdown !== undefined) {
      this.#watched.stop()
      if (before.shutdown === undefined)
        this.#halt({ is: 'sent', notification: shutdown(config.shutdown), says: 'shut down by us' })
      return
    }
    const isHalted = before.shutdown !== undefined || this.#overloaded
    const reset = changedInOpen(before, config)
    this.#watched.follow(config, this.where())
    if (!isHalted && reset.length === 0) return
    if (!isHalted) this.#halt({ is: 'sent', notification: OTHER_CHANGE, says: `other settings: ${reset.join(', ')}` })
    this.#overloaded = false
    this.#returnAlarm?.cancel()
    this.#begin()
  }

  /** Where the peer is; undefined: nobody was seen at the other end of its interface. */
  where(): Endpoint | undefined {
    const { address, port } = this.#config
    const place = placeOf(address)
    if (place === undefined) return typeof address === 'string' ? undefined : { address, port }
    const found = place.address ?? this.#seen?.address
    return found === undefined ? undefined : { address: found, port, zone: place.device }
  }

  /** Somebody is at the other end of the interface: a second one counts only when the first has been silent for long. */
  meet(address: Ipv6): void {
    const at = this.#tools.clock.now()
    const before = this.#seen
    const isSame = before?.address === address
    if (before !== undefined && !isSame && (this.#session !== undefined || between(before.at, at) < SILENT)) return
    this.#seen = { address, at }
    if (isSame) return
    this.#around.log.info('peer seen on its interface', { ...this.#named, address: formatAddress(address) })
    this.#watched.stop()
    this.#around.met()
    if (this.#isStarted && !this.#overloaded) this.#begin()
  }

  /** Looks for whoever is at the other end of the interface. */
  #seek(device: string): void {
    if (this.#seeking !== undefined) return
    try {
      const { links } = this.#tools.transport
      if (links === undefined) throw new Fault('bgp.router-advertisements', NO_LINKS)
      this.#note().blameDial({ code: 'unseen', says: `no router has advertised itself on ${device} yet` })
      this.#seeking = links.watch(device, address => this.meet(address))
    } catch (reason) {
      const says = reasonOf(reason)
      this.#note().blameDial({ code: 'unseen', says })
      this.#note().complain('peer cannot be found', says, this.#named)
    }
  }

  /** Where BFD is insisted on, it comes first. */
  #begin(): void {
    if (this.#config.shutdown !== undefined) return
    const place = placeOf(this.#config.address)
    if (place !== undefined && place.address === undefined) this.#seek(place.device)
    const at = this.where()
    if (at === undefined) return
    this.#watched.follow(this.#config, at)
    if (this.#watched.mayMeet) this.#driver.start()
  }

  /** Called by BFD. */
  pathUp(): void {
    if (this.#config.bfd?.strict === true && !this.#overloaded) this.#begin()
  }

  /** Called by BFD. A peer whose BFD ends with its control plane may only be restarting (RFC 5882 §4.3.2). */
  pathDown(why: string, independent: boolean): void {
    this.#around.log.warn('BFD down', { ...this.#named, why })
    const isHopeless = independent && this.#keeping?.until !== undefined
    if (this.#session !== undefined) {
      this.#halt({ is: 'sent', notification: BFD_DOWN, says: why, mayReturn: !independent })
      this.#begin()
    } else if (isHopeless) {
      this.#dropRoutes()
      this.#around.converge()
    } else if (this.#config.bfd?.strict === true) this.#halt({ is: 'closed', why })
  }

  #halt(reason: DownReason): void {
    this.#driver.halt(reason)
  }

  /** Another rule holds for all: tells and judges by it. */
  followRules(): void {
    this.judgeAgain()
    const session = this.#session
    if (session !== undefined) session.telling.moveTo(this.#groupFor(session.standing), session.standing.remote.address)
  }

  /** What may come in has changed. */
  judgeAgain(): void {
    const standing = this.#standing
    if (standing !== undefined) this.#around.rib.setAdmission(this.id, admissionOf(this.#config, this.#around, standing))
  }

  /** The operator wants everything again, in one way or another; undefined: there is no session. */
  clear(how: Clearing): Cleared | undefined {
    const session = this.#session
    if (session === undefined) return undefined
    const { families, routeRefresh, keptOverNotification } = session.standing.terms
    switch (how.is) {
      case 'in':
        this.judgeAgain()
        if (routeRefresh) for (const family of families) this.#driver.sendRefresh('ask', family)
        return routeRefresh ? 'asked' : 'judged-again'
      case 'out':
        for (const family of families) this.#tellAgain(session, family)
        return 'told-again'
      case 'hard': {
        const words = adminReset(how.words)
        this.#halt({ is: 'sent', notification: keptOverNotification ? hardReset(words) : words, says: 'reset by us' })
        this.#begin()
        return 'reset'
      }
      default:
        return how satisfies never
    }
  }

  accept(wire: Wire): WireListener {
    return this.#driver.accept(wire)
  }

  /** Ends the session for good; its routes go at once, stale or not. */
  async leave(reason: DownReason): Promise<void> {
    const closing = this.#driver.stop(reason)
    this.#keeping?.stop()
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
    this.#seeking?.close()
    this.#seeking = undefined
    this.#watched.stop()
    this.#keeping?.cancelAlarms()
    this.#returnAlarm?.cancel()
  }

  /** Says what waits, as far as the stream takes it; then End-of-RIB, once a session. Hot. */
  flush(): void {
    this.#session?.telling.flush(() => this.#around.mayEndRib(this))
  }

  /** What it was told last of all prefixes. */
  *told(): Generator<{ readonly prefix: Identified<AnyPrefix>; readonly attributes: Attributes }, void, void> {
    yield* this.#session?.telling.told() ?? []
  }

  keepAlive(now: Instant): void {
    this.#driver.keepAlive(now)
  }

  open(): Open {
    return this.#around.open(this)
  }

  stateChanged(): void {
    this.#since = this.#tools.clock.now()
    this.#sinceWall = this.#tools.clock.wall().getTime()
    this.#around.stateChanged(this)
  }

  up(standing: Standing): void {
    const { terms, local, dialledBy } = standing
    this.#standing = standing
    this.#session = this.#openSession(standing)
    this.#wasUp = true
    this.#complaints?.settle()
    const { holdTime } = terms
    this.#around.log.info('peer up', { ...this.#named, dialledBy, holdTime, local: formatPeer(peerAt(local)) })
    for (const says of untoldOf(this.#config, standing))
      this.#around.log.warn('routes cannot be told', { ...this.#named, why: says })
    this.#keeping?.comeBack(terms)
    if (terms.gracefulRestart === undefined) this.#finish()
    this.#around.converge()
  }

  down(reason: DownReason): void {
    const terms = this.#session?.standing.terms
    this.#session?.telling.leave()
    this.#session = undefined
    this.#keeping?.forgetRefreshes()
    this.#seeking?.again()
    if (reason.is === 'closed') return
    this.#flaps++
    this.#note().blame(reason)
    const kept = terms === undefined ? [] : keptFamilies(reason, terms)
    if (kept.length > 0 && terms !== undefined) this.#keep().keep(kept, terms)
    else this.#dropRoutes()
    const routes = kept.length > 0 ? 'kept' : 'dropped'
    this.#around.log.warn('peer down', { ...this.#named, why: sayReason(reason), routes })
    this.#around.converge()
  }

  failed(reason: DownReason): void {
    if (isCollision(reason)) return
    this.#note().blame(reason)
    this.#note().complain('session failed', sayReason(reason), this.#named)
  }

  /** A refused connection is the daily life of a peer that is not there yet: it is not logged. */
  dialFailed(failure: DialFailure): void {
    this.#note().blameDial(failure)
    if (failure.code !== 'ECONNREFUSED') this.#note().complain('dial failed', failure.says, this.#named)
  }

  update(verdict: SoundUpdate, raw: Uint8Array): void {
    const session = this.#session
    if (session === undefined) return
    if (verdict.is === 'end-of-rib') {
      this.#endOfRib(session, verdict.family)
      return
    }
    if (verdict.remarks.length > 0) this.#note().repair(verdict, raw, this.id)
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
    const { maxPrefixes, maxPaths = MOST_PATHS } = this.#config
    if (this.#around.rib.mostPathsOf(this.id) > maxPaths) {
      const says = `more than ${maxPaths} paths of one prefix`
      this.#sendAway({ is: 'sent', notification: TOO_MANY_PATHS, says }, maxPrefixes?.restartAfter)
      return
    }
    if (maxPrefixes === undefined) return
    const { received, six } = this.#around.rib.counts(this.id)
    for (const { family, count } of [
      { family: IPV4_UNICAST, count: received - six },
      { family: IPV6_UNICAST, count: six },
    ]) {
      const load = loadOf(count, maxPrefixes)
      if (load === 'over') {
        const says = `more than ${maxPrefixes.limit} prefixes of ${nameOfFamily(family)}`
        const notification = tooManyPrefixes(family, maxPrefixes.limit)
        this.#sendAway({ is: 'sent', notification, says }, maxPrefixes.restartAfter)
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

  #sendAway(reason: DownReason, restartAfter: Millis | undefined): void {
    this.#overloaded = true
    this.#halt(reason)
    if (restartAfter === undefined) return
    this.#returnAlarm ??= new Alarm(this.#tools.clock, () => this.#mayReturn())
    this.#returnAlarm.by(after(this.#tools.clock.now(), restartAfter))
  }

  #mayReturn(): void {
    this.#overloaded = false
    this.#begin()
  }

  refresh(kind: RefreshKind, family: Family): void {
    const session = this.#session
    if (session === undefined) return
    if (kind === 'ask') this.#tellAgain(session, family)
    else if (kind === 'begin') this.#keep().beginRefresh(family)
    else this.#keeping?.endRefresh(family)
  }

  /** Once a turn: a storm of requests gets one answer. */
  #tellAgain({ telling }: Session, family: Family): void {
    telling.again(family)
    this.#around.converge()
  }

  drained(): void {
    this.#session?.telling.unblock()
    this.flush()
  }

  status(): PeerStatus {
    const { received, accepted, stale } = this.#around.rib.counts(this.id)
    const { clock } = this.#tools
    const session = this.#session
    const standing = session?.standing
    const until = this.#keeping?.until
    const inTime = until === undefined ? null : new Date(clock.wall().getTime() + between(clock.now(), until))
    return {
      address: this.id,
      name: this.#config.name,
      remoteAsn: this.#remoteAsn,
      kind: this.kind,
      routerId: standing === undefined ? null : formatIpv4(standing.terms.remote.routerId),
      state: this.state,
      since: new Date(this.#sinceWall).toISOString(),
      sinceMillis: Math.round(between(this.#since, clock.now())),
      prefixes: { received, accepted, advertised: session?.telling.count ?? 0, stale },
      messages: this.#driver.messages,
      repaired: this.#complaints?.repaired ?? { treatedAsWithdraw: 0, attributesDiscarded: 0, byAttribute: {} },
      flaps: this.#flaps,
      lastError: this.#complaints?.lastError ?? null,
      protection: sayProtection(this.#config),
      bfd: this.#watched.status(),
      unnumbered: this.#unnumbered(),
      draining: isDraining(this.#config, this.#around),
      session: standing === undefined ? null : this.#sessionStatus(standing),
      gracefulRestart: {
        helping: until !== undefined,
        staleUntil: inTime?.toISOString() ?? null,
        longLived: this.#keeping?.isLong ?? false,
        endOfRibReceived: session?.endOfRibReceived ?? false,
        endOfRibSent: session?.telling.endOfRibSent ?? false,
      },
    }
  }

  get #remoteAsn(): number | null {
    const { asn } = this.#config
    if (typeof asn === 'number') return asn
    return this.#standing === undefined ? null : remoteAsnOf(this.#config, this.#standing)
  }

  #unnumbered(): PeerStatus['unnumbered'] {
    const place = placeOf(this.#config.address)
    if (place === undefined || place.address !== undefined) return null
    return { device: place.device, seen: this.#seen === undefined ? null : formatAddress(this.#seen.address) }
  }

  #sessionStatus(standing: Standing): PeerStatus['session'] {
    return sessionStatus(standing, endsOf(this.#config, standing), untoldOf(this.#config, standing))
  }

  get #named(): { readonly peer: string; readonly name: string } {
    return { peer: this.id, name: this.#config.name }
  }

  #openSession(standing: Standing): Session {
    const { rib } = this.#around
    const { terms } = standing
    this.judgeAgain()
    const group = this.#groupFor(standing)
    const follower = group.join(rib.slotOf(this.id), standing.remote.address)
    return {
      standing,
      intake: new Intake(rib, sourceOf(this.#config, this.#around, standing), terms.dialect),
      telling: new Telling(this.#driver, terms, group, follower),
      awaited: awaitedFamilies(terms),
      endOfRibReceived: false,
      isNearLimit: false,
    }
  }

  #groupFor(standing: Standing): UpdateGroup {
    return this.#around.groupFor(groupTermsOf(this.#config, this.#around, standing))
  }

  #endOfRib(session: Session, family: Family): void {
    session.awaited = session.awaited.filter(each => !sameFamily(each, family))
    this.#keeping?.endOfRib(family)
    if (session.awaited.length === 0) {
      session.endOfRibReceived = true
      this.#keeping?.stop()
      this.#finish()
    }
    this.#around.converge()
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#around.finished()
  }

  #keep(): Keeping {
    this.#keeping ??= new Keeping(this.id, this.#around, this.#tools.clock, () => this.#around.mayLeave(this))
    return this.#keeping
  }

  #note(): Complaints {
    this.#complaints ??= new Complaints(this.#around.log, this.#tools.clock, this.#around.allowance)
    return this.#complaints
  }

  #dropRoutes(): void {
    this.#keeping?.stop()
    this.#around.rib.drop(this.id)
  }
}

/** So long after the last advertisement of one somebody else may take its place at the other end of an interface. */
const SILENT: Millis = millis(30_000)

const NO_LINKS = {
  doing: 'hear',
  on: 'router advertisements',
  says: 'this speaker has no link to hear them on',
  mend: 'name the peer as fe80::…%eth1',
}

/** A peer that tells more paths of one prefix is broken, or wants to break us: each one costs time in every choice. */
const MOST_PATHS = 256

/** What OPEN or the rules of the session rest on: a change of it needs another session. */
const IN_OPEN = [
  'families',
  'localAddress',
  'device',
  'ttlSecurity',
  'holdTime',
  'minHoldTime',
  'ipv4OverIpv6',
  'acceptAsSets',
  'role',
  'strictRole',
  'client',
  'allowOwnAs',
  'localAs',
  'addPath',
] as const

function changedInOpen(before: PeerConfig, after: PeerConfig): readonly string[] {
  return IN_OPEN.filter(name => !isDeepStrictEqual(before[name], after[name]))
}
