/** One speaker with many routes and many peers, and many speakers at once: what it takes, on a network in memory. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { ipv6, toIpv6, toPrefix6 } from '@network/base/net/ipv6.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { between, millis, seconds } from '@network/base/time/units.ts'
import { type Attributes, NOWHERE, plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { acceptAll, type PeerConfig, type SpeakerOptions } from '../options.ts'
import type { Dial, Endpoint, Listening, Transport, Wire, WireListener } from '../session/transport.ts'
import { Speaker } from '../speaker.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import { Framer } from '../wire/framing.ts'
import { encodeOpen } from '../wire/open.ts'
import { decodeUpdate, encodeAnnouncement, encodeReachable, KEEPALIVE } from '../wire/update.ts'
import { MemoryNetwork } from './memory-network.ts'
import { rawOpen } from './raw-peer.ts'

export interface Load {
  readonly ipv4: number
  readonly ipv6: number
  readonly peers: number
  /** Routes with the same attributes. */
  readonly perSet: number
}

export interface Outcome {
  /** Of the first listener, when all was told and when all was taken back. */
  readonly told: number
  readonly left: number
  /** Listeners that heard exactly the octets that the first one heard. */
  readonly alike: number
  /** Milliseconds of a real clock until all had heard all, and from the loss of the teller until all had heard that. */
  readonly tellingMs: number
  readonly losingMs: number
  /** Octets that the process held when all was told, and after the loss. */
  readonly heldBytes: number
}

const SECOND = millis(1000)
const FIRST_SECONDS = 5000
const FAMILIES = [IPV4_UNICAST, IPV6_UNICAST]
const DIALECT: Dialect = { kind: 'internal', asnOctets: 4, multiprotocol: { families: FAMILIES, ipv6NextHop: false } }
const US = toIpv4(0x0a090001)
const TELLER = toIpv4(0x0a090002)
const HOP6 = { nextHop: NOWHERE, nextHop6: { address: ipv6('2001:db8::2'), linkLocal: undefined } }
const PREFIXES_A_MESSAGE = 200

/** One client of a reflector tells it a table, all others hear it; then the teller is lost. `wall` measures, nothing waits for it. */
export async function tellMany({ ipv4, ipv6: six, peers, perSet }: Load, wall: Clock): Promise<Outcome> {
  const clock = new ManualClock()
  const doors = new Doors(clock)
  const listeners = Array.from({ length: peers - 1 }, (_, at) => toIpv4(TELLER + 1 + at))
  const us = new Speaker(speakerOptions(US, clock, doors))
  us.setPeers([TELLER, ...listeners].map(address => ({ ...peerAt(address), passive: true, client: true })))
  await us.start()
  const teller = new Ear('counts octets')
  const ears = listeners.map((_, at) => new Ear(at === 0 ? 'counts routes' : 'counts octets'))
  for (const [at, ear] of [teller, ...ears].entries()) ear.meet(doors, toIpv4(TELLER + at))
  clock.advance(SECOND)
  const began = wall.now()
  for (const message of tableOf(ipv4, six, perSet)) teller.say(message)
  clock.advance(SECOND)
  const told = wall.now()
  const [first] = ears
  const toldRoutes = first?.routes ?? 0
  const heldBytes = process.memoryUsage().rss
  teller.hangUp()
  clock.advance(SECOND)
  const lost = wall.now()
  await us.stop({ graceful: true })
  return {
    told: toldRoutes,
    left: first?.routes ?? 0,
    alike: ears.filter(({ octets }) => octets === first?.octets).length,
    tellingMs: between(began, told),
    losingMs: between(told, lost),
    heldBytes,
  }
}

export interface MeshOutcome {
  /** Pairs with exactly one stream between them. */
  readonly streams: number
  /** Ends of sessions that stand, and the most OPENs that one end sent. */
  readonly established: number
  readonly mostOpens: number
  /** The most sessions that one end lost: of two connections that cross, one end may take for the session what the other end closes (RFC 4271 §6.8). */
  readonly mostFlaps: number
  /** Sessions lost after the first five virtual seconds. */
  readonly lateFlaps: number
  /** Smallest table of all, in routes from others. */
  readonly smallestTable: number
}

/** So many speakers that dial each other at the same moment, each with a route; looked at after so many virtual seconds. */
export async function meshAtOnce(speakers: number, virtualSeconds: number): Promise<MeshOutcome> {
  const clock = new ManualClock()
  const random = seededRandom(speakers)
  const network = new MemoryNetwork(clock, () => millis(0.5 + random()))
  const addresses = Array.from({ length: speakers }, (_, at) => toIpv4(US + at))
  const all = addresses.map(address => new Speaker({ ...speakerOptions(address, clock, network.host(address)), random }))
  for (const [at, speaker] of all.entries()) {
    const prefix = toPrefix(toIpv4(0x0b000000 + 256 * at), 24)
    speaker.originate(new Map([[`${at}`, { prefix }]]))
    speaker.setPeers(addresses.filter((_, other) => other !== at).map(peerAt))
    await speaker.start()
  }
  const statesNow = () => all.flatMap(speaker => speaker.status().peers)
  clock.advance(millis(FIRST_SECONDS))
  const early = sum(statesNow().map(({ flaps }) => flaps))
  clock.advance(millis(virtualSeconds * 1000 - FIRST_SECONDS))
  const states = statesNow()
  const outcome = {
    streams: network.streams,
    established: states.filter(({ state }) => state === 'established').length,
    mostOpens: Math.max(...states.map(({ messages }) => messages.out.open)),
    mostFlaps: Math.max(...states.map(({ flaps }) => flaps)),
    lateFlaps: sum(states.map(({ flaps }) => flaps)) - early,
    smallestTable: Math.min(...all.map(speaker => speaker.learned().size)),
  }
  await Promise.all(all.map(speaker => speaker.stop({ graceful: true })))
  return outcome
}

function speakerOptions(address: Ipv4, clock: Clock, transport: Transport): SpeakerOptions {
  return {
    routerId: address,
    asn: 64512,
    listen: { address, port: 179 },
    holdTime: seconds(90),
    connectRetry: millis(2000),
    gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
    importFilter: acceptAll,
    clock,
    random: seededRandom(address),
    log: silentLog,
    transport,
  }
}

function peerAt(address: Ipv4): PeerConfig {
  return { address, name: `${address}`, asn: 64512, port: 179, passive: false, dialAfter: millis(0), families: FAMILIES }
}

/** A table as one who packs well tells it: each block of attributes once, with all its prefixes. */
function* tableOf(ipv4: number, six: number, perSet: number): Generator<Uint8Array, void, void> {
  for (let from = 0; from < ipv4; from += perSet)
    for (const [first, last] of pieces(from, Math.min(ipv4, from + perSet))) {
      const prefixes = numbers(first, last).map(at => toPrefix(toIpv4(0x0b000000 + at * 16), 28))
      yield encodeAnnouncement(encodeAttributes(attributesOf(from / perSet), DIALECT), prefixes)
    }
  for (let from = 0; from < six; from += perSet)
    for (const [first, last] of pieces(from, Math.min(six, from + perSet))) {
      const prefixes = numbers(first, last).map(at => toPrefix6(toIpv6((0x20010db8n << 96n) + (BigInt(at) << 64n)), 64))
      const attributes = encodeAttributes({ ...attributesOf(from / perSet), ...HOP6 }, DIALECT)
      yield encodeReachable(IPV6_UNICAST, { hops: HOP6, attributes }, prefixes)
    }
}

function* pieces(from: number, to: number): Generator<readonly [number, number], void, void> {
  for (let at = from; at < to; at += PREFIXES_A_MESSAGE) yield [at, Math.min(to, at + PREFIXES_A_MESSAGE)]
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

function attributesOf(set: number): Attributes {
  const asns = [65001, 1 + (set % 60_000), 1 + Math.floor(set / 60_000)]
  return { ...plainAttributes(TELLER), localPref: 100, med: set, asPath: [{ kind: 'sequence', asns }] }
}

/** Streams without a network between: what is sent is heard at once, and nothing of it is kept. */
class Doors implements Transport {
  readonly turn: Transport['turn']
  #accept: ((wire: Wire) => WireListener | undefined) | undefined

  constructor(clock: Clock) {
    this.turn = act => void clock.wakeAt(clock.now(), act)
  }

  async listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined): Promise<Listening> {
    this.#accept = accept
    return { endpoint: at, expect: () => undefined, close: async () => undefined }
  }

  dial(): Dial {
    return { cancel: () => undefined }
  }

  /** Who listens behind the door to one who comes from there. */
  enter(from: Ipv4, hear: (bytes: Uint8Array) => void): WireListener | undefined {
    return this.#accept?.({
      local: { address: US, port: 179 },
      remote: { address: from, port: 40_000 },
      send: bytes => {
        hear(bytes)
        return true
      },
      sendAll: slices => {
        for (const slice of slices) hear(slice)
        return true
      },
      guard: () => undefined,
      close: async () => undefined,
    })
  }
}

/** The other end of a session: it keeps numbers, not messages. */
class Ear {
  octets = 0
  /** Told and not taken back. */
  routes = 0
  readonly #framer = new Framer()
  readonly #countsRoutes: boolean
  #speaker: WireListener | undefined

  constructor(how: 'counts routes' | 'counts octets') {
    this.#countsRoutes = how === 'counts routes'
  }

  meet(doors: Doors, from: Ipv4): void {
    const open = rawOpen({ routerId: from, holdTime: seconds(0) }, { families: FAMILIES })
    this.#speaker = doors.enter(from, bytes => this.#hear(bytes))
    this.say(encodeOpen(open))
    this.say(KEEPALIVE)
  }

  say(message: Uint8Array): void {
    this.#speaker?.data(message)
  }

  hangUp(): void {
    this.#speaker?.lost('the peer closed the connection')
  }

  #hear(bytes: Uint8Array): void {
    this.octets += bytes.length
    if (!this.#countsRoutes) return
    for (const framed of this.#framer.push(bytes)) {
      if (framed.is !== 'frame' || framed.frame.kind !== 'update') continue
      const said = decodeUpdate(framed.frame.body, DIALECT)
      if (said.is === 'routes') this.routes += countOf(said.announced) + countOf(said.ipv6.announced)
      if (said.is === 'routes') this.routes -= said.withdrawn.length + said.ipv6.withdrawn.length
    }
  }
}

function countOf(announced: readonly { readonly prefixes: readonly unknown[] }[]): number {
  return sum(announced.map(({ prefixes }) => prefixes.length))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0)
}
