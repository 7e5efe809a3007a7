/** The public door: a BGP speaker to which one declares peers and routes, and which tells what it learned. */

import { type AnyAddress, formatAddress, isUnspecified } from '@network/base/net/any-address.ts'
import { type AnyPrefix, formatAnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { formatIpv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { isLinkLocal, toIpv6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import { type Attributes, plainAttributes } from './attributes/attributes.ts'
import { BfdMonitor } from './bfd/monitor.ts'
import { type Admittance, DynamicGuests } from './dynamic.ts'
import { explain } from './explain.ts'
import { type GroupTerms, UpdateGroup } from './export/update-group.ts'
import type { DownReason } from './fsm/connection.ts'
import { numberOfRole } from './fsm/negotiate.ts'
import { Allowance } from './neighbour/allowance.ts'
import { type Cleared, type Clearing, Neighbour, type Surroundings } from './neighbour.ts'
import {
  acceptAll,
  type DynamicPeers,
  type ImportFilter,
  type ListenAt,
  type Origination,
  type PeerConfig,
  type SpeakerOptions,
} from './options.ts'
import { formatPeer, onLink, type PeerAddress, peerAt, placeOf } from './peer-address.ts'
import type { Path, Source } from './rib/path.ts'
import { type Changes, Rib } from './rib/rib.ts'
import { Alarm } from './session/alarm.ts'
import type { SessionTools } from './session/peer-session.ts'
import { expectedOf } from './session/protection.ts'
import { tcpTransport } from './session/tcp.ts'
import type { Endpoint, Listening, Wire, WireListener } from './session/transport.ts'
import { type Settled, Settlement } from './settlement.ts'
import type { Explanation, LearnedRoute, SpeakerChange, SpeakerStatus } from './status.ts'
import { IPV4_UNICAST, sameFamily } from './wire/capabilities.ts'
import type { Identified } from './wire/nlri.ts'
import { DECONFIGURED, shutdown } from './wire/notification.ts'
import { myAsOf, type Open } from './wire/open.ts'

export {
  ACCEPTED,
  acceptAll,
  type DynamicPeers,
  type ImportFilter,
  type ImportVerdict,
  type Origination,
  type PeerConfig,
  type SpeakerOptions,
} from './options.ts'
export type { Reach, ResolveNextHop } from './rib/next-hops.ts'
export type * from './status.ts'
export type { Attributes }

const LEAVING: DownReason = { is: 'sent', notification: DECONFIGURED, says: 'the peer is no longer configured' }
const RESTARTING: DownReason = { is: 'closed', why: 'the speaker stops and may come back' }
/** While sessions come up, changes wait this long to be told together: each one would otherwise be a write to everybody. */
const GATHERING: Millis = millis(5)
/** Under load, keepalives that are due are looked for this often. */
const PULSE: Millis = millis(250)
/** Routes of our own point at whichever end of ours they are told from. */
const NOWHERE6 = { address: toIpv6(0n), linkLocal: undefined }
const SEEDS = 2 ** 32
const STOPPED: Admittance = { is: 'refused', why: 'the speaker stops' }
/** Connections from addresses that nobody configured are logged at most this often. */
const STRANGER_QUIET: Millis = millis(60_000)

export class Speaker {
  readonly #options: SpeakerOptions
  readonly #tools: SessionTools
  readonly #rib: Rib
  readonly #neighbours = new Map<PeerAddress, Neighbour>()
  readonly #settlement: Settlement
  readonly #listeners = new Set<(change: SpeakerChange) => void>()
  readonly #leaving = new Set<Promise<void>>()
  /** Sources of routes that are no peers any more. */
  readonly #gone = new Map<PeerAddress, string>()
  readonly #strangers: { refused: number; last: string | null; loggedAt: Instant | undefined } = {
    refused: 0,
    last: null,
    loggedAt: undefined,
  }
  readonly #groups = new Map<string, UpdateGroup>()
  readonly #ourselves: Source
  readonly #guests: DynamicGuests
  /** One for all: a thousand peers share it. */
  readonly #around: Surroundings
  readonly #paceAlarm: Alarm
  readonly #bfd: BfdMonitor | undefined
  readonly #drainAlarm: Alarm
  readonly #drained = Promise.withResolvers<void>()
  #isDraining = false
  #parting = ''
  #importFilter: ImportFilter
  #isDue = false
  #lastGreeting: Instant | undefined
  #lastPulse: Instant
  #originated: readonly string[] = []
  readonly #listening: Listening[] = []
  #expected: { readonly peers: readonly PeerConfig[]; readonly ranges: readonly DynamicPeers[] }
  #phase: 'new' | 'running' | 'stopped' = 'new'

  constructor(options: SpeakerOptions) {
    const { clock, random, connectRetry, transport, gracefulRestart } = options
    this.#options = options
    this.#importFilter = options.importFilter
    this.#tools = {
      clock,
      random,
      connectRetry,
      from: to => this.#from(to),
      transport: transport ?? tcpTransport(clock),
      pulse: () => this.#keepAlive(),
    }
    const { datagrams, turn } = this.#tools.transport
    const { log } = options
    this.#bfd = datagrams === undefined ? undefined : new BfdMonitor({ clock, random, log, datagrams, turn })
    this.#lastPulse = clock.now()
    this.#paceAlarm = new Alarm(clock, () => this.#converge())
    this.#drainAlarm = new Alarm(clock, () => void this.#leave())
    const { routerId } = options
    this.#ourselves = { id: 'local', kind: 'local', name: 'local', address: routerId, routerId, localAddress: routerId }
    this.#rib = new Rib(options, options.decision, options.resolveNextHop, Math.floor(random() * SEEDS))
    this.#around = this.#surroundings()
    this.#expected = { peers: [], ranges: options.dynamicPeers ?? [] }
    this.#guests = new DynamicGuests(this.#expected.ranges)
    this.#settlement = new Settlement(clock, gracefulRestart.deferral, how => this.#hasSettled(how))
  }

  /**
   * Resolves when every peer has told all it knows (End-of-RIB) or takes no part in graceful restart, or when the deferral ran out:
   * before that, nothing may be concluded from the absence of a route. Counts from the first `setPeers`; without peers it is at once.
   */
  get settled(): Promise<Settled> {
    return this.#settlement.done
  }

  /** Binds the listener and begins to dial. Rejects with a Fault that names address and port. */
  async start(): Promise<void> {
    const { listen, alsoListen = [] } = this.#options
    try {
      for (const at of [...(listen === undefined ? [] : [listen]), ...alsoListen])
        this.#listening.push(await this.#tools.transport.listen(at, wire => this.#accept(wire)))
    } catch (reason) {
      await this.#deafen()
      throw reason
    }
    if (this.#phase !== 'new') {
      await this.#deafen()
      return
    }
    this.#expect()
    this.#phase = 'running'
    for (const neighbour of this.#neighbours.values()) neighbour.start()
  }

  /**
   * Makes the peers exactly these; sessions of unchanged peers do not blink. A peer left out gets 6/3 and its routes go at once, stale or not.
   * An external peer listed here is thereby allowed to hear and tell routes (RFC 8212). Call `originate` first: after the first dump
   * each peer is told End-of-RIB, and forgets what we did not repeat.
   */
  setPeers(peers: readonly PeerConfig[]): void {
    const wanted = new Map(peers.map(peer => [peer.address, peer]))
    this.#expected = { ...this.#expected, peers }
    this.#expect()
    for (const [address, neighbour] of [...this.#neighbours]) {
      const config = wanted.get(address)
      if (config === undefined && this.#guests.has(address)) continue
      this.#guests.forget(address)
      if (config?.asn !== neighbour.config.asn) this.#dismiss(address, neighbour)
    }
    for (const [address, config] of wanted) {
      const known = this.#neighbours.get(address)
      if (known === undefined) this.#admitPeer(config)
      else known.reconfigure(config)
    }
    this.#settlement.begin()
    this.#converge()
    this.#reviewSettlement()
  }

  /** Makes the ranges of dynamic peers exactly these; guests of ranges that are gone or changed are sent away, and may come again. */
  setDynamicPeers(ranges: readonly DynamicPeers[]): void {
    this.#expected = { ...this.#expected, ranges }
    this.#expect()
    const { gone, kept } = this.#guests.replace(ranges)
    for (const address of gone) {
      this.#guests.forget(address)
      const neighbour = this.#neighbours.get(address)
      if (neighbour !== undefined) this.#dismiss(address, neighbour)
    }
    for (const config of kept) this.#neighbours.get(config.address)?.reconfigure(config)
    this.#converge()
  }

  /** Makes the routes of our own exactly these, keyed by prefix text. */
  originate(routes: ReadonlyMap<string, Origination>): void {
    const nowhere = toIpv4(0)
    const entries = [...routes.values()].map(({ prefix, med, communities, largeCommunities }) => {
      const attributes: Attributes = {
        ...plainAttributes(nowhere),
        nextHop6: isPrefix6(prefix) ? NOWHERE6 : undefined,
        med,
        communities: communities ?? [],
        largeCommunities: largeCommunities ?? [],
      }
      return { prefix, attributes }
    })
    this.#rib.replace(this.#ourselves, entries)
    this.#originated = [...routes.keys()]
    this.#converge()
  }

  /** Judges all routes heard so far again, without touching a session. */
  setImportFilter(filter: ImportFilter): void {
    this.#importFilter = filter
    for (const neighbour of this.#neighbours.values()) neighbour.judgeAgain()
    this.#converge()
  }

  /** What `resolveNextHop` says has changed: everything is weighed again. */
  nextHopsChanged(): void {
    this.#rib.resolveAgain()
    this.#converge()
  }

  /** Best paths from peers, by prefix text; stale ones included. */
  learned(): ReadonlyMap<string, LearnedRoute> {
    const routes = new Map<string, LearnedRoute>()
    for (const path of this.routes()) {
      const { prefix } = path
      if (path.source.kind !== 'local' && !isPrefix6(prefix)) routes.set(path.key, learnedRoute(path, prefix))
    }
    return routes
  }

  /**
   * Leaves without losing a packet: peers are told that every route is the last resort (RFC 8326), and after the delay hear 6/2 with these words. Resolves
   * when the speaker has stopped. Asked for again, the earlier end counts.
   */
  drain({ delay, words = '' }: { readonly delay: Millis; readonly words?: string }): Promise<void> {
    if (this.#phase === 'stopped') return Promise.resolve()
    this.#isDraining = true
    for (const neighbour of this.#neighbours.values()) neighbour.followRules()
    this.#converge()
    this.#parting = words
    this.#drainAlarm.by(after(this.#options.clock.now(), delay))
    return this.drained
  }

  /** Resolves when a drain has come to its end. */
  get drained(): Promise<void> {
    return this.#drained.promise
  }

  async #leave(): Promise<void> {
    await this.stop({ graceful: false, words: this.#parting })
  }

  /** Every best path, of either family. */
  *routes(): Generator<Path, void, void> {
    for (const id of this.#rib.chosenIds()) {
      const best = this.#rib.bestOf(id)
      if (best !== undefined) yield best
    }
  }

  /** Every path that packets may take, the best one of each prefix first. */
  *ways(): Generator<Path, void, void> {
    const isOne = (this.#options.decision?.multipath ?? 1) <= 1
    for (const best of this.routes())
      if (isOne) yield best
      else yield* this.multipath(best.key)
  }

  /** What a peer told us, before any policy. */
  adjIn(peer: PeerAddress): Iterable<Path> {
    return this.#rib.heardFrom(formatPeer(peer))
  }

  /** What we told a peer, or will have told when it has read all. */
  adjOut(peer: PeerAddress): Iterable<{ readonly prefix: Identified<AnyPrefix>; readonly attributes: Attributes }> {
    return this.#neighbours.get(peer)?.told() ?? []
  }

  /** Has a peer tell all again, tells it all again, or begins its session anew; undefined: there is no session with it. */
  clear(peer: PeerAddress, how: Clearing): Cleared | undefined {
    const done = this.#neighbours.get(peer)?.clear(how)
    this.#converge()
    return done
  }

  /** Calls back with each change once it is taken in, also from inside `setPeers` and its like; the result unsubscribes. */
  onChange(listener: (change: SpeakerChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  status(): SpeakerStatus {
    const { routerId, asn, listen } = this.#options
    return {
      routerId: formatIpv4(routerId),
      asn,
      listen: listen === undefined ? null : sayListen(listen),
      settled: this.#settlement.isSettled,
      originated: this.#originated,
      learned: this.#rib.learnedCount(),
      peers: [...this.#neighbours.values()].map(neighbour => neighbour.status()),
      strangers: { refused: this.#strangers.refused, last: this.#strangers.last },
    }
  }

  /** Paths of a prefix (text) that packets may take, the best one first; one, unless multipath is switched on. */
  multipath(prefix: string): readonly Path[] {
    return this.#rib.multipath(prefix)
  }

  /** Every path of a prefix (text), used or not. */
  paths(prefix: string): readonly Path[] {
    return this.#rib.paths(prefix)
  }

  /** All paths of a prefix (text), with the reason why each but the best is not used. */
  explain(prefix: string): Explanation {
    return explain(prefix, this.#rib.paths(prefix), this.#rib.selection(prefix), this.#rib.multipath(prefix))
  }

  /**
   * Graceful closes TCP without a word, so that peers keep our routes for the restart time; otherwise they hear 6/2 and drop them.
   * No change is told any more. Resolves when all streams are gone, within about a second.
   */
  async stop(how: { readonly graceful: boolean; readonly words?: string }): Promise<void> {
    this.#phase = 'stopped'
    this.#settlement.cancel()
    this.#paceAlarm.cancel()
    this.#drainAlarm.cancel()
    const reason = how.graceful ? RESTARTING : shuttingDown(how.words ?? '')
    const closing = [...this.#neighbours.values()].map(neighbour => neighbour.stop(reason))
    await Promise.all([this.#deafen(), ...closing, ...this.#leaving])
    if (this.#isDraining) this.#drained.resolve()
  }

  /** Who may come, and signed how; without the key of a peer the system drops what that one sends. */
  #expect(): void {
    const named = this.#expected.peers.map(peer => ({ peer, at: this.#whereIs(peer) }))
    const expected = expectedOf(named, this.#expected.ranges)
    try {
      for (const listening of this.#listening) listening.expect(expected)
    } catch (reason) {
      this.#options.log.error('peers cannot be protected as told', { why: reasonOf(reason) })
    }
  }

  async #deafen(): Promise<void> {
    await Promise.all(this.#listening.splice(0).map(listening => listening.close()))
  }

  #admitPeer(config: PeerConfig): Neighbour {
    const neighbour = new Neighbour(config, this.#around, this.#tools)
    this.#neighbours.set(config.address, neighbour)
    if (this.#phase === 'running') neighbour.start()
    return neighbour
  }

  #dismiss(address: PeerAddress, neighbour: Neighbour): void {
    this.#neighbours.delete(address)
    this.#gone.set(address, neighbour.id)
    const leaving = neighbour.leave(LEAVING)
    this.#leaving.add(leaving)
    void leaving.then(() => this.#leaving.delete(leaving))
  }

  #accept(wire: Wire): WireListener | undefined {
    const known = this.#neighbourAt(wire.remote)
    if (known !== undefined) return known.accept(wire)
    const admittance = this.#phase === 'running' ? this.#guests.admit(wire.remote) : STOPPED
    if (admittance.is === 'refused') {
      this.#noteStranger(formatPeer(peerAt(wire.remote)), admittance.why)
      return undefined
    }
    return this.#admitPeer(admittance.config).accept(wire)
  }

  /** By address; who is known by an interface alone may be whoever comes from there. */
  #neighbourAt(end: Endpoint): Neighbour | undefined {
    const named = this.#neighbours.get(peerAt(end))
    if (named !== undefined || end.zone === undefined || typeof end.address === 'number') return named
    const neighbour = this.#neighbours.get(onLink(end.zone))
    if (neighbour?.where() === undefined) neighbour?.meet(end.address)
    return neighbour?.where()?.address === end.address ? neighbour : undefined
  }

  /** A place where peers reach us in the family of `to` is where we start from too. */
  #from({ address }: Endpoint): AnyAddress | undefined {
    if (typeof address === 'bigint' && isLinkLocal(address)) return undefined
    const { listen, alsoListen = [] } = this.#options
    const places = listen === undefined ? alsoListen : [listen, ...alsoListen]
    return places.map(place => place.address).find(each => typeof each === typeof address && !isUnspecified(each))
  }

  #whereIs({ address, port }: PeerConfig): Endpoint | undefined {
    return typeof address === 'string' ? this.#neighbours.get(address)?.where() : { address, port }
  }

  /** A guest without a connection and without routes that wait for its return is forgotten. */
  #dropGuest(neighbour: Neighbour): void {
    const { address } = neighbour.config
    if (!this.#guests.has(address) || this.#neighbours.get(address) !== neighbour || !neighbour.isIdle) return
    this.#guests.forget(address)
    this.#dismiss(address, neighbour)
    this.#convergeSoon()
  }

  #noteStranger(from: string, why: string): void {
    const strangers = this.#strangers
    const now = this.#options.clock.now()
    strangers.refused++
    strangers.last = from
    if (strangers.loggedAt !== undefined && between(strangers.loggedAt, now) < STRANGER_QUIET) return
    strangers.loggedAt = now
    this.#options.log.warn('connection refused', { from, why })
  }

  /** Restart State is said until we have settled; forwarding goes on over a restart of the speaker and over a loss of the session. */
  #open(neighbour: Neighbour): Open {
    const { routerId, gracefulRestart, keepOverNotification } = this.#options
    const { config } = neighbour
    const { longLived } = gracefulRestart
    const asn = config.localAs?.asn ?? this.#options.asn
    const restarting = gracefulRestart.restarting && !this.#settlement.isSettled
    const forwarding = gracefulRestart.restarting || neighbour.wasUp
    const families = config.families ?? [IPV4_UNICAST]
    return {
      myAs: myAsOf(asn),
      holdTime: config.holdTime ?? this.#options.holdTime,
      routerId,
      capabilities: {
        families,
        routeRefresh: true,
        fourOctetAs: asn,
        enhancedRefresh: true,
        extendedMessages: true,
        ipv4OverIpv6: config.ipv4OverIpv6 ?? placeOf(config.address) !== undefined,
        addPath: (config.addPath ?? [])
          .filter(
            ({ family, send, receive }) => (send ?? receive) !== undefined && families.some(each => sameFamily(each, family)),
          )
          .map(({ family, send, receive }) => ({ ...family, send: send !== undefined, receive: receive === true })),
        gracefulRestart: {
          restarting,
          notification: keepOverNotification === true,
          restartTime: config.restartTime ?? gracefulRestart.restartTime,
          families: families.map(family => ({ ...family, forwarding })),
        },
        ...(longLived === undefined
          ? {}
          : { longLived: families.map(family => ({ ...family, forwarding, staleTime: longLived.staleTime })) }),
        ...(config.role === undefined || neighbour.kind === 'internal' ? {} : { roles: [numberOfRole(config.role)] }),
      },
    }
  }

  #surroundings(): Surroundings {
    const { clock, log, asn, gracefulRestart, routerId, clusterId, withoutPolicy, clientToClient } = this.#options
    const filter = () => this.#importFilter
    const draining = () => this.#isDraining
    return {
      rib: this.#rib,
      log,
      allowance: new Allowance(clock),
      localAsn: asn,
      bfd: this.#bfd,
      clusterId: clusterId ?? routerId,
      ...(clientToClient === undefined ? {} : { clientToClient }),
      withoutPolicy: withoutPolicy ?? 'accept',
      get importFilter() {
        return filter() === acceptAll ? undefined : filter()
      },
      stalePathTime: gracefulRestart.restartTime,
      get isDraining() {
        return draining()
      },
      ...(gracefulRestart.longLived === undefined ? {} : { longLived: gracefulRestart.longLived }),
      converge: () => this.#convergeSoon(),
      mayLeave: neighbour => this.#dropGuest(neighbour),
      groupFor: terms => this.#groupFor(terms),
      open: neighbour => this.#open(neighbour),
      stateChanged: neighbour => this.#stateChanged(neighbour),
      met: () => this.#expect(),
      finished: () => this.#reviewSettlement(),
      mayEndRib: neighbour => this.#mayEndRib(neighbour),
    }
  }

  /** Under load the timers wait until all that has arrived is read: keepalives do not. */
  #keepAlive(): void {
    this.#bfd?.pulse()
    const now = this.#options.clock.now()
    if (between(this.#lastPulse, now) < PULSE) return
    this.#lastPulse = now
    for (const neighbour of this.#neighbours.values()) neighbour.keepAlive(now)
  }

  #stateChanged(neighbour: Neighbour): void {
    const { config, state } = neighbour
    if (state === 'established') this.#guests.established(config.address)
    if (this.#guests.has(config.address)) this.#tools.transport.turn(() => this.#dropGuest(neighbour))
    if (state === 'open-confirm' || state === 'established') this.#lastGreeting = this.#options.clock.now()
    this.#tell({ is: 'peer', address: config.address, state })
  }

  #groupFor(terms: GroupTerms): UpdateGroup {
    const name = UpdateGroup.nameOf(terms)
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const group = new UpdateGroup(terms, this.#rib)
    this.#groups.set(name, group)
    return group
  }

  /** Once for all that has arrived by then; a little later while sessions come up. */
  #convergeSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    const run = () => {
      this.#isDue = false
      this.#converge()
    }
    const { clock } = this.#options
    const now = clock.now()
    const isBusy = this.#lastGreeting !== undefined && between(this.#lastGreeting, now) < 2 * GATHERING
    if (isBusy) clock.wakeAt(after(now, GATHERING), run)
    else this.#tools.transport.turn(run)
  }

  /** One pass: choose, encode once a group, send, and tell what changed in what peers taught us. */
  #converge(): void {
    if (this.#phase === 'stopped') return
    const changes = this.#rib.decide()
    const at = { now: this.#options.clock.now(), chance: this.#options.random() }
    for (const [name, group] of this.#groups) {
      if (group.size === 0) this.#groups.delete(name)
      else {
        const { ids, count } = group.concernOf(changes)
        group.absorb(ids, count, at)
      }
      for (const prefix of group.takeOversized())
        this.#options.log.error('route too large to tell', { prefix: formatAnyPrefix(prefix) })
    }
    if (this.#gone.size > 0) this.#releaseGone()
    this.#paceAlarm.cancel()
    this.#paceAlarm.by(this.#nextAnnouncement())
    for (const neighbour of this.#neighbours.values()) neighbour.flush()
    const prefixes = this.#listeners.size === 0 ? [] : this.#taught(changes)
    this.#rib.tidy(set => {
      for (const group of this.#groups.values()) group.forget(set)
    })
    if (prefixes.length > 0) this.#tell({ is: 'routes', prefixes })
  }

  /** Sources are numbered, and whoever is gone for good gives its number back: addresses that come and go would fill the memory. */
  #releaseGone(): void {
    const released = new Map<number, string>()
    for (const [address, id] of this.#gone) {
      const slot = this.#neighbours.has(address) ? undefined : this.#rib.idleSlotOf(id)
      if (slot !== undefined) released.set(slot, id)
    }
    this.#gone.clear()
    if (released.size === 0) return
    const slots = new Set(released.keys())
    for (const group of this.#groups.values()) group.forgetSlots(slots)
    for (const id of released.values()) this.#rib.release(id)
  }

  /** When the first group may announce again what waits for its pace. */
  #nextAnnouncement(): Instant | undefined {
    const due = [...this.#groups.values()].flatMap(({ dueAt }) => (dueAt === undefined ? [] : [dueAt]))
    return due.length === 0 ? undefined : due.reduce((first, each) => (each < first ? each : first))
  }

  /** Changed prefixes that a peer had to do with, as text. */
  #taught({ count, ids, before, after: then }: Changes): readonly string[] {
    const prefixes: string[] = []
    for (let at = 0; at < count; at++) {
      const isTaught = [before[at], then[at]].some(set => {
        const source = this.#rib.sets.get(set ?? -1)?.source
        return source !== undefined && source.kind !== 'local'
      })
      if (isTaught) prefixes.push(formatAnyPrefix(this.#rib.prefixes.prefix(ids[at] ?? 0)))
    }
    return prefixes
  }

  #tell(change: SpeakerChange): void {
    if (this.#phase === 'stopped') return
    for (const listener of this.#listeners) listener(change)
  }

  #reviewSettlement(): void {
    this.#settlement.review([...this.#neighbours.values()].every(neighbour => neighbour.isFinished))
    this.#convergeSoon()
  }

  #hasSettled(how: Settled): void {
    const missing = [...this.#neighbours.values()].filter(neighbour => !neighbour.isFinished).map(neighbour => neighbour.id)
    this.#options.log.info('settled', { how, missing })
    // Who acts upon it takes what is learned by then for all that there is.
    this.#converge()
  }

  /**
   * After a restart, a peer to which we hand on routes of others would drop those that we have not heard again: its End-of-RIB waits for
   * theirs. Own routes wait for nobody. A peer that restarts itself is not waited for, or two would wait for each other (RFC 4724 §4.1).
   */
  #mayEndRib(neighbour: Neighbour): boolean {
    if (!this.#options.gracefulRestart.restarting || this.#settlement.isSettled) return true
    const others = [...this.#neighbours.values()].filter(other => other !== neighbour)
    const heardThrough = neighbour.kind === 'external' ? others : others.filter(other => other.kind === 'external')
    return heardThrough.every(other => other.isFinished || other.isRestarting)
  }
}

function learnedRoute({ source, attributes, stale }: Path, prefix: Prefix): LearnedRoute {
  return { prefix, nextHop: attributes.nextHop, peer: source.address, peerName: source.name, stale, attributes }
}

function sayListen({ address, port }: ListenAt): string {
  return typeof address === 'number' ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`
}

function shuttingDown(words: string): DownReason {
  return { is: 'sent', notification: shutdown(words), says: 'the speaker stops' }
}
