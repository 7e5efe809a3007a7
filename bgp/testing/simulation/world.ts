/** The speakers of a simulation on one clock and one network, and what a fault does to them. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Millis, millis, type Seconds, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, type Origination, type PeerConfig, type SpeakerOptions } from '../../options.ts'
import { Speaker } from '../../speaker.ts'
import { IPV4_UNICAST } from '../../wire/capabilities.ts'
import { MemoryNetwork } from '../memory-network.ts'
import type { Fault } from './faults.ts'
import { type Originated, pathText } from './model.ts'
import { blockOf, type SimulatedPeer, type SimulatedSpeaker, sharedPrefix, type Topology } from './topology.ts'

export interface Timers {
  readonly holdTime: Seconds
  readonly restartTime: Seconds
  readonly connectRetry: Millis
}

export const TIMERS: Timers = { holdTime: seconds(30), restartTime: seconds(120), connectRetry: millis(2000) }

/** Changes what one speaker is given; for tests that want a speaker with a fault of its own. */
export type Tamper = (speaker: SimulatedSpeaker) => Partial<SpeakerOptions>

interface Place {
  readonly simulated: SimulatedSpeaker
  speaker: Speaker | undefined
  readonly announced: Map<number, number>
  /** How many faults hold its own block back, keep it down, keep it asleep. */
  withheld: number
  down: number
  asleep: number
  /** False while the machine is off; a crashed process leaves its kernel forwarding. */
  isForwarding: boolean
}

export class World {
  readonly clock = new ManualClock()
  readonly network: MemoryNetwork
  readonly topology: Topology
  readonly #timers: Timers
  readonly #places: readonly Place[]
  readonly #random: Random
  readonly #slow = new Map<string, number>()
  /** How many faults keep two apart. */
  readonly #cuts = new Map<string, number>()
  readonly #indices: ReadonlyMap<AnyAddress, number>
  readonly #tamper: Tamper

  constructor(topology: Topology, seed: number, timers: Timers = TIMERS, tamper: Tamper = () => ({})) {
    this.topology = topology
    this.#timers = timers
    this.#tamper = tamper
    this.#random = seededRandom(seed ^ 0x5eed)
    const chance = seededRandom(seed ^ 0x1a7e)
    this.network = new MemoryNetwork(this.clock, (from, to) => millis((this.#slow.get(pairOf(from, to)) ?? 1) * (0.5 + chance())))
    this.#indices = new Map(topology.speakers.map(({ address, index }) => [address, index]))
    this.#places = topology.speakers.map(simulated => ({
      simulated,
      speaker: undefined,
      announced: new Map(),
      withheld: 0,
      down: 0,
      asleep: 0,
      isForwarding: true,
    }))
  }

  async start(): Promise<void> {
    for (const place of this.#places) await this.#raise(place, false)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#places.map(({ speaker }) => speaker?.stop({ graceful: true })))
  }

  get originated(): Originated {
    return this.#places.map(place => new Set(this.#routesOf(place).keys()))
  }

  isForwarding(index: number): boolean {
    return this.#places[index]?.isForwarding === true
  }

  /** Learned routes of a speaker: prefix text to index of the next hop, -1 where it is nobody of ours; undefined while its process is gone. */
  tableOf(index: number): ReadonlyMap<string, { readonly nextHop: number; readonly stale: boolean }> | undefined {
    const speaker = this.#places[index]?.speaker
    if (speaker === undefined) return undefined
    const table = new Map<string, { readonly nextHop: number; readonly stale: boolean }>()
    for (const [key, { nextHop, stale }] of speaker.learned())
      table.set(key, { nextHop: this.#indices.get(nextHop) ?? -1, stale })
    return table
  }

  /** All paths of a prefix that a speaker may use, as the model writes them. */
  pathsOf(index: number, prefixText: string): readonly string[] {
    const usable = this.#places[index]?.speaker?.paths(prefixText).filter(({ standing }) => standing.is === 'usable') ?? []
    return usable
      .map(({ source, attributes }) => pathText(this.#indexOf(source.address), this.#indexOf(attributes.nextHop)))
      .toSorted()
  }

  #indexOf(address: AnyAddress): number {
    return this.#indices.get(address) ?? -1
  }

  /** UPDATE messages sent by all that are up now, and sessions that stand, both ends counted. */
  totals(): { readonly updates: number; readonly established: number } {
    let updates = 0
    let established = 0
    for (const { speaker } of this.#places)
      for (const { messages, state } of speaker?.status().peers ?? []) {
        updates += messages.out.update
        if (state === 'established') established++
      }
    return { updates, established }
  }

  async begin(fault: Fault): Promise<void> {
    if (fault.is === 'reset') this.#reset(fault.a, fault.b)
    else await this.#change(fault, 1)
  }

  async end(fault: Fault): Promise<void> {
    if (fault.is !== 'reset') await this.#change(fault, -1)
  }

  async #change(fault: Exclude<Fault, { readonly is: 'reset' }>, by: 1 | -1): Promise<void> {
    switch (fault.is) {
      case 'slow':
        return this.#slowDown(fault.a, fault.b, by === 1 ? fault.latency : undefined)
      case 'cut':
        return this.#cut(fault.a, fault.b, by)
      case 'partition':
        return this.#part(fault.side, by)
      case 'asleep':
        return this.#sleep(this.#place(fault.speaker), by)
      case 'announced':
        return this.#announce(this.#place(fault.speaker), fault.shared, by)
      case 'withdrawn':
        return this.#withhold(this.#place(fault.speaker), by)
      default:
        return this.#down(this.#place(fault.speaker), by, fault.is)
    }
  }

  #place(index: number): Place {
    const place = this.#places[index]
    if (place === undefined) throw new Error(`no speaker ${index}`)
    return place
  }

  #slowDown(a: number, b: number, latency: number | undefined): void {
    const pair = pairOf(this.#place(a).simulated.address, this.#place(b).simulated.address)
    if (latency === undefined) this.#slow.delete(pair)
    else this.#slow.set(pair, latency)
  }

  #cut(a: number, b: number, by: 1 | -1): void {
    const [here, there] = [this.#place(a).simulated.address, this.#place(b).simulated.address]
    const pair = pairOf(here, there)
    const count = (this.#cuts.get(pair) ?? 0) + by
    this.#cuts.set(pair, count)
    if (count > 0) this.network.cut(here, there)
    else this.network.mend(here, there)
  }

  #part(side: readonly number[], by: 1 | -1): void {
    const inside = new Set(side)
    for (const { index, peers } of this.topology.speakers)
      for (const peer of peers) if (inside.has(index) && !inside.has(peer.index)) this.#cut(index, peer.index, by)
  }

  #reset(a: number, b: number): void {
    this.network.lose(this.#place(a).simulated.address, this.#place(b).simulated.address, 'both')
  }

  #sleep(place: Place, by: 1 | -1): void {
    place.asleep += by
    if (place.asleep === 1 && by === 1) this.network.sleep(place.simulated.address)
    if (place.asleep === 0) this.network.wake(place.simulated.address)
  }

  #announce(place: Place, shared: number, by: 1 | -1): void {
    place.announced.set(shared, (place.announced.get(shared) ?? 0) + by)
    place.speaker?.originate(this.#routesOf(place))
  }

  #withhold(place: Place, by: 1 | -1): void {
    place.withheld += by
    place.speaker?.originate(this.#routesOf(place))
  }

  async #down(place: Place, by: 1 | -1, how: 'crash' | 'power-off'): Promise<void> {
    place.down += by
    if (by === 1) {
      this.#fell(place, how)
      if (how === 'power-off') place.isForwarding = false
    } else if (place.down === 0) {
      const keptForwarding = place.isForwarding
      place.isForwarding = true
      await this.#raise(place, keptForwarding)
    }
  }

  #fell(place: Place, how: 'crash' | 'power-off'): void {
    const { speaker, simulated } = place
    place.speaker = undefined
    if (how === 'crash') this.network.crash(simulated.address)
    else this.network.powerOff(simulated.address)
    // Its host is silent by now: this only ends its timers.
    void speaker?.stop({ graceful: true })
  }

  async #raise(place: Place, restarting: boolean): Promise<void> {
    const { simulated } = place
    const { address, asn, peers } = simulated
    const { holdTime, restartTime, connectRetry } = this.#timers
    const speaker = new Speaker({
      routerId: address,
      asn,
      listen: { address, port: 179 },
      holdTime,
      connectRetry,
      gracefulRestart: { restartTime, restarting, deferral: millis(60_000) },
      importFilter: () => ACCEPTED,
      clock: this.clock,
      random: this.#random,
      log: silentLog,
      transport: this.network.host(address),
      ...this.#tamper(simulated),
    })
    place.speaker = speaker
    speaker.originate(this.#routesOf(place))
    speaker.setPeers(peers.map(peer => this.#peerConfig(simulated, this.#place(peer.index).simulated, peer)))
    await speaker.start()
  }

  /** Everybody takes several paths of a prefix from who wants to tell them. */
  #peerConfig(self: SimulatedSpeaker, other: SimulatedSpeaker, { isClient, paths }: SimulatedPeer): PeerConfig {
    return {
      address: other.address,
      name: `speaker-${other.index}`,
      asn: other.asn,
      port: 179,
      passive: false,
      dialAfter: millis(self.index < other.index ? 0 : 2000),
      ...(isClient ? { client: true } : {}),
      addPath: [{ family: IPV4_UNICAST, receive: true, ...(paths === undefined ? {} : { send: paths }) }],
    }
  }

  #routesOf({ simulated, announced, withheld }: Place): ReadonlyMap<string, Origination> {
    const shared = [...announced].filter(([, count]) => count > 0).map(([number]) => sharedPrefix(number))
    const own = withheld > 0 ? [] : [blockOf(simulated.index)]
    return new Map([...own, ...shared].map(text => [text, { prefix: prefix(text) }]))
  }
}

function pairOf(a: AnyAddress, b: AnyAddress): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
