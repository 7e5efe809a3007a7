/** The public door: a BGP speaker to which one declares peers and routes, and which tells what it learned. */

import { type AnyPrefix, formatAnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toIpv6 } from '@network/base/net/ipv6.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import { type Attributes, plainAttributes } from './attributes/attributes.ts'
import { type Admittance, DynamicGuests } from './dynamic.ts'
import { explain } from './explain.ts'
import { type GroupTerms, UpdateGroup } from './export/update-group.ts'
import type { DownReason } from './fsm/connection.ts'
import { Neighbour, type Surroundings } from './neighbour.ts'
import {
  acceptAll,
  type DynamicPeers,
  type ImportFilter,
  type Origination,
  type PeerConfig,
  type SpeakerOptions,
} from './options.ts'
import type { Path, Source } from './rib/path.ts'
import { type Changes, Rib } from './rib/rib.ts'
import type { SessionTools } from './session/peer-session.ts'
import { tcpTransport } from './session/tcp.ts'
import type { Listening, Wire, WireListener } from './session/transport.ts'
import { type Settled, Settlement } from './settlement.ts'
import type { Explanation, LearnedRoute, SpeakerChange, SpeakerStatus } from './status.ts'
import { IPV4_UNICAST } from './wire/capabilities.ts'
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
export type * from './status.ts'
export type { Attributes }

const LEAVING: DownReason = { is: 'sent', notification: DECONFIGURED, says: 'the peer is no longer configured' }
const SHUTTING_DOWN: DownReason = { is: 'sent', notification: shutdown(''), says: 'the speaker stops' }
const RESTARTING: DownReason = { is: 'closed', why: 'the speaker stops and may come back' }
/** While sessions come up, changes wait this long to be told together: each one would otherwise be a write to everybody. */
const GATHERING: Millis = millis(5)
/** Under load, keepalives that are due are looked for this often. */
const PULSE: Millis = millis(250)
/** Routes of our own point at whichever end of ours they are told from. */
const NOWHERE6 = { address: toIpv6(0n), linkLocal: undefined }
const STOPPED: Admittance = { is: 'refused', why: 'the speaker stops' }
/** Connections from addresses that nobody configured are logged at most this often. */
const STRANGER_QUIET: Millis = millis(60_000)

export class Speaker {
  readonly #options: SpeakerOptions
  readonly #tools: Omit<SessionTools, 'open'>
  readonly #rib: Rib
  readonly #neighbours = new Map<Ipv4, Neighbour>()
  readonly #settlement: Settlement
  readonly #listeners = new Set<(change: SpeakerChange) => void>()
  readonly #leaving = new Set<Promise<void>>()
  readonly #strangers: { refused: number; last: string | null; loggedAt: Instant | undefined } = {
    refused: 0,
    last: null,
    loggedAt: undefined,
  }
  readonly #groups = new Map<string, UpdateGroup>()
  readonly #ourselves: Source
  readonly #guests: DynamicGuests
  #importFilter: ImportFilter
  #isDue = false
  #lastGreeting: Instant | undefined
  #lastPulse: Instant
  #originated: readonly string[] = []
  #listening: Listening | undefined
  #phase: 'new' | 'running' | 'stopped' = 'new'

  constructor(options: SpeakerOptions) {
    const { clock, random, listen, connectRetry, transport, gracefulRestart } = options
    this.#options = options
    this.#importFilter = options.importFilter
    this.#tools = {
      clock,
      random,
      connectRetry,
      from: listen?.address,
      transport: transport ?? tcpTransport(clock),
      pulse: () => this.#keepAlive(),
    }
    this.#lastPulse = clock.now()
    const { routerId } = options
    this.#ourselves = { id: 'local', kind: 'local', name: 'local', address: routerId, routerId, localAddress: routerId }
    this.#rib = new Rib(options, options.decision)
    this.#guests = new DynamicGuests(options.dynamicPeers ?? [])
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
    const { listen } = this.#options
    if (listen !== undefined) this.#listening = await this.#tools.transport.listen(listen, wire => this.#accept(wire))
    if (this.#phase !== 'new') return
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
    for (const address of this.#guests.replace(ranges)) {
      this.#guests.forget(address)
      const neighbour = this.#neighbours.get(address)
      if (neighbour !== undefined) this.#dismiss(address, neighbour)
    }
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

  /** Best paths from peers, by prefix text; stale ones included. */
  learned(): ReadonlyMap<string, LearnedRoute> {
    const routes = new Map<string, LearnedRoute>()
    for (const path of this.routes()) {
      const { prefix } = path
      if (path.source.kind !== 'local' && !isPrefix6(prefix)) routes.set(path.key, learnedRoute(path, prefix))
    }
    return routes
  }

  /** Every best path, of either family. */
  *routes(): Generator<Path, void, void> {
    for (const id of this.#rib.chosenIds()) {
      const best = this.#rib.bestOf(id)
      if (best !== undefined) yield best
    }
  }

  /** What a peer told us, before any policy. */
  adjIn(peer: Ipv4): Iterable<Path> {
    return this.#rib.heardFrom(formatIpv4(peer))
  }

  /** What we told a peer, or will have told when it has read all. */
  adjOut(peer: Ipv4): Iterable<{ readonly prefix: AnyPrefix; readonly attributes: Attributes }> {
    return this.#neighbours.get(peer)?.told() ?? []
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
      listen: listen === undefined ? null : `${formatIpv4(listen.address)}:${listen.port}`,
      settled: this.#settlement.isSettled,
      originated: this.#originated,
      learned: this.learned().size,
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
    return explain(prefix, this.#rib.paths(prefix), this.#rib.selection(prefix))
  }

  /**
   * Graceful closes TCP without a word, so that peers keep our routes for the restart time; otherwise they hear 6/2 and drop them.
   * No change is told any more. Resolves when all streams are gone, within about a second.
   */
  async stop(how: { readonly graceful: boolean }): Promise<void> {
    this.#phase = 'stopped'
    this.#settlement.cancel()
    const reason = how.graceful ? RESTARTING : SHUTTING_DOWN
    const closing = [...this.#neighbours.values()].map(neighbour => neighbour.stop(reason))
    await Promise.all([this.#listening?.close(), ...closing, ...this.#leaving])
  }

  #admitPeer(config: PeerConfig): Neighbour {
    const neighbour = new Neighbour(config, this.#surroundings(), this.#tools, each => this.#open(each))
    this.#neighbours.set(config.address, neighbour)
    if (this.#phase === 'running') neighbour.start()
    return neighbour
  }

  #dismiss(address: Ipv4, neighbour: Neighbour): void {
    this.#neighbours.delete(address)
    const leaving = neighbour.leave(LEAVING)
    this.#leaving.add(leaving)
    void leaving.then(() => this.#leaving.delete(leaving))
  }

  #accept(wire: Wire): WireListener | undefined {
    const { address } = wire.remote
    const known = this.#neighbours.get(address)
    if (known !== undefined) return known.accept(wire)
    const admittance = this.#phase === 'running' ? this.#guests.admit(address) : STOPPED
    if (admittance.is === 'refused') {
      this.#noteStranger(formatIpv4(address), admittance.why)
      return undefined
    }
    return this.#admitPeer(admittance.config).accept(wire)
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
        ipv4OverIpv6: config.ipv4OverIpv6 === true,
        gracefulRestart: {
          restarting,
          notification: keepOverNotification === true,
          restartTime: config.restartTime ?? gracefulRestart.restartTime,
          families: families.map(family => ({ ...family, forwarding })),
        },
      },
    }
  }

  #surroundings(): Surroundings {
    const { log, asn, gracefulRestart, routerId, clusterId, withoutPolicy } = this.#options
    const filter = () => this.#importFilter
    return {
      rib: this.#rib,
      log,
      localAsn: asn,
      clusterId: clusterId ?? routerId,
      withoutPolicy: withoutPolicy ?? 'accept',
      get importFilter() {
        return filter() === acceptAll ? undefined : filter()
      },
      stalePathTime: gracefulRestart.restartTime,
      converge: () => this.#convergeSoon(),
      mayLeave: neighbour => this.#dropGuest(neighbour),
      groupFor: terms => this.#groupFor(terms),
      stateChanged: neighbour => this.#stateChanged(neighbour),
      finished: () => this.#reviewSettlement(),
      mayEndRib: neighbour => this.#mayEndRib(neighbour),
    }
  }

  /** Under load the timers wait until all that has arrived is read: keepalives do not. */
  #keepAlive(): void {
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
    for (const [name, group] of this.#groups) {
      if (group.size === 0) this.#groups.delete(name)
      else group.absorb(changes.ids, changes.count)
      for (const prefix of group.takeOversized())
        this.#options.log.error('route too large to tell', { prefix: formatAnyPrefix(prefix) })
    }
    for (const neighbour of this.#neighbours.values()) neighbour.flush()
    const prefixes = this.#listeners.size === 0 ? [] : this.#taught(changes)
    this.#rib.tidy(set => {
      for (const group of this.#groups.values()) group.forget(set)
    })
    if (prefixes.length > 0) this.#tell({ is: 'routes', prefixes })
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
