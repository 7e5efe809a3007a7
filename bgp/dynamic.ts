/** Peers that nobody named: which addresses may come, as what, and how many at a time. */
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { contains } from '@network/base/net/prefix.ts'
import { millis } from '@network/base/time/units.ts'
import type { DynamicPeers, PeerConfig } from './options.ts'

/** Of those who come unnamed, so many may be on their way to a session at a time. */
export const MOST_HALF_OPEN = 1024

export type Admittance =
  | { readonly is: 'welcome'; readonly config: PeerConfig }
  | { readonly is: 'refused'; readonly why: string }

const STRANGER: Admittance = { is: 'refused', why: 'no peer with this address is configured' }
const CROWDED: Admittance = { is: 'refused', why: `${MOST_HALF_OPEN} connections are half open already` }

export class DynamicGuests {
  #ranges: readonly DynamicPeers[]
  readonly #present = new Map<Ipv4, DynamicPeers>()
  readonly #halfOpen = new Set<Ipv4>()

  constructor(ranges: readonly DynamicPeers[]) {
    this.#ranges = ranges
  }

  has(address: Ipv4): boolean {
    return this.#present.has(address)
  }

  /** The smallest range counts. */
  admit(address: Ipv4): Admittance {
    const ranges = this.#ranges.filter(({ range }) => contains(range, address))
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
  established(address: Ipv4): void {
    this.#halfOpen.delete(address)
  }

  forget(address: Ipv4): void {
    this.#present.delete(address)
    this.#halfOpen.delete(address)
  }

  /** Other ranges from now on: those present who are no longer welcome, or are to be treated otherwise; and those who stay, perhaps with another password. */
  replace(ranges: readonly DynamicPeers[]): { readonly gone: readonly Ipv4[]; readonly kept: readonly PeerConfig[] } {
    this.#ranges = ranges
    const bySpelling = new Map(ranges.map(range => [spelled(range), range]))
    const gone: Ipv4[] = []
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

function guestOf(address: Ipv4, { peer }: DynamicPeers): PeerConfig {
  return { ...peer, address, name: formatIpv4(address), port: 179, passive: true, dialAfter: millis(0) }
}

/** Passwords are hidden in it: they change without a new session. */
function spelled(peers: DynamicPeers): string {
  return JSON.stringify(peers, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
