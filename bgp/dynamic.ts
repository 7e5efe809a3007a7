/** Peers that nobody named: which addresses may come, as what, and how many at a time. */
import { coversAny, hostPrefix } from '@network/base/net/any-prefix.ts'
import { millis } from '@network/base/time/units.ts'
import type { DynamicPeers, PeerConfig } from './options.ts'
import { formatPeer, type PeerAddress, peerAt } from './peer-address.ts'
import type { Endpoint } from './session/transport.ts'

/** Of those who come unnamed, so many may be on their way to a session at a time. */
export const MOST_HALF_OPEN = 1024

export type Admittance =
  | { readonly is: 'welcome'; readonly config: PeerConfig }
  | { readonly is: 'refused'; readonly why: string }

const STRANGER: Admittance = { is: 'refused', why: 'no peer with this address is configured' }
const CROWDED: Admittance = { is: 'refused', why: `${MOST_HALF_OPEN} connections are half open already` }

export class DynamicGuests {
  #ranges: readonly DynamicPeers[]
  readonly #present = new Map<PeerAddress, DynamicPeers>()
  readonly #halfOpen = new Set<PeerAddress>()

  constructor(ranges: readonly DynamicPeers[]) {
    this.#ranges = ranges
  }

  has(address: PeerAddress): boolean {
    return this.#present.has(address)
  }

  /** The smallest range counts. */
  admit(end: Endpoint): Admittance {
    const address = peerAt(end)
    const host = hostPrefix(end.address)
    const ranges = this.#ranges.filter(({ range }) => coversAny(range, host))
    const [first, ...others] = ranges
    if (first === undefined) return STRANGER
    const match = others.reduce((best, each) => (each.range.length > best.range.length ? each : best), first)
    if (this.#halfOpen.size >= MOST_HALF_OPEN) return CROWDED
    if (this.#countOf(match) >= match.limit) return { is: 'refused', why: `${match.limit} peers of the range are here already` }
    this.#present.set(address, match)
    this.#halfOpen.add(address)
    return { is: 'welcome', config: guestOf(address, match) }
  }

  /** Its session stands. */
  established(address: PeerAddress): void {
    this.#halfOpen.delete(address)
  }

  forget(address: PeerAddress): void {
    this.#present.delete(address)
    this.#halfOpen.delete(address)
  }

  /** Other ranges from now on: those present who are no longer welcome, or are to be treated otherwise; and those who stay, perhaps with another password. */
  replace(ranges: readonly DynamicPeers[]): { readonly gone: readonly PeerAddress[]; readonly kept: readonly PeerConfig[] } {
    this.#ranges = ranges
    const bySpelling = new Map(ranges.map(range => [spelled(range), range]))
    const gone: PeerAddress[] = []
    const kept: PeerConfig[] = []
    for (const [address, before] of this.#present) {
      const range = bySpelling.get(spelled(before))
      if (range === undefined) gone.push(address)
      else {
        this.#present.set(address, range)
        kept.push(guestOf(address, range))
      }
    }
    return { gone, kept }
  }

  #countOf(match: DynamicPeers): number {
    let count = 0
    for (const range of this.#present.values()) if (range === match) count++
    return count
  }
}

function guestOf(address: PeerAddress, { peer }: DynamicPeers): PeerConfig {
  return { ...peer, address, name: formatPeer(address), port: 179, passive: true, dialAfter: millis(0) }
}

/** Passwords are hidden in it: they change without a new session. */
function spelled(peers: DynamicPeers): string {
  return JSON.stringify(peers, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
