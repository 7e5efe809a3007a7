/** Speakers on a network in memory under one manual clock: a day of BGP in milliseconds. */
import { formatIpv4, type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { type Fields, type Log, silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Millis, millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, type Origination, type PeerConfig, type SpeakerOptions } from '../options.ts'
import { Speaker } from '../speaker.ts'
import type { PeerStatus, SpeakerChange } from '../status.ts'
import { MemoryNetwork } from './memory-network.ts'

export interface Member {
  readonly speaker: Speaker
  readonly address: Ipv4
  /** All changes told so far, oldest first. */
  readonly changes: SpeakerChange[]
}

export class Cluster {
  readonly clock = new ManualClock()
  readonly network: MemoryNetwork
  readonly #random: Random

  /** Chance of the speakers comes from the seed; latency is a millisecond unless told. */
  constructor({ seed = 7, latency }: { readonly seed?: number; readonly latency?: () => Millis } = {}) {
    this.network = new MemoryNetwork(this.clock, latency)
    this.#random = seededRandom(seed)
  }

  /** A started speaker on a host of its own; a second one on the same address is its next life. */
  async member(address: string, options: Partial<SpeakerOptions> = {}): Promise<Member> {
    const here = ipv4(address)
    const speaker = new Speaker({
      routerId: here,
      asn: 64512,
      listen: { address: here, port: 179 },
      holdTime: seconds(30),
      connectRetry: millis(2000),
      gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(60_000) },
      importFilter: () => ACCEPTED,
      clock: this.clock,
      random: this.#random,
      log: silentLog,
      transport: this.network.host(here),
      ...options,
    })
    const changes: SpeakerChange[] = []
    speaker.onChange(change => changes.push(change))
    await speaker.start()
    return { speaker, address: here, changes }
  }

  /** Everybody peers with everybody, the lower address dialling first. */
  mesh(...members: readonly Member[]): void {
    for (const member of members) {
      const others = members.filter(other => other !== member)
      member.speaker.setPeers(others.map(other => meshPeer(other.address, member.address)))
    }
  }

  run(durationSeconds: number): void {
    this.clock.advance(millis(durationSeconds * 1000))
  }
}

/** What a mesh node says of another one. */
export function meshPeer(address: Ipv4, self: Ipv4): PeerConfig {
  return {
    address,
    name: `node-${formatIpv4(address)}`,
    asn: 64512,
    port: 179,
    passive: false,
    dialAfter: millis(self < address ? 0 : 2000),
  }
}

export function routes(...texts: readonly string[]): ReadonlyMap<string, Origination> {
  return new Map(texts.map(text => [text, { prefix: prefix(text) }]))
}

export function peerOf(member: Member, other: Member): PeerStatus {
  const wanted = formatIpv4(other.address)
  const found = member.speaker.status().peers.find(peer => peer.address === wanted)
  if (found === undefined) throw new Error(`${formatIpv4(member.address)} has no peer ${wanted}`)
  return found
}

/** `10.0.1.0/24 via 192.0.2.1`, and ` stale` where it is. */
export function learnedText(member: Member): readonly string[] {
  const lines = [...member.speaker.learned()].map(
    ([key, { nextHop, stale }]) => `${key} via ${formatIpv4(nextHop)}${stale ? ' stale' : ''}`,
  )
  return lines.toSorted()
}

/** A log that keeps its lines. */
export function recordingLog(): Log & { readonly lines: { readonly message: string; readonly fields: Fields | undefined }[] } {
  const lines: { readonly message: string; readonly fields: Fields | undefined }[] = []
  const keep = (message: string, fields?: Fields) => {
    lines.push({ message, fields })
  }
  return { lines, debug: keep, info: keep, warn: keep, error: keep }
}
