/** Between the plan and the speaker: peers, announcements and the import filter out, learned blocks in. */

import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { millis } from '@network/base/time/units.ts'
import { ACCEPTED, type Origination, type PeerConfig, type Speaker } from '@network/bgp/speaker.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { Learned } from '../plan/facts.ts'
import type { Neighbour } from '../plan/peers.ts'
import { poolOf } from '../plan/routes.ts'

export const BGP_PORT = 179
/** How long the higher of two nodes leaves the first dial to the lower one. */
const DIAL_LATER = millis(2000)

export class Feed {
  readonly #speaker: Speaker
  #pools: string | undefined

  constructor(speaker: Speaker) {
    this.#speaker = speaker
  }

  /** Says who we speak with and what we announce; the announcements first, for End-of-RIB follows them. */
  declare(neighbours: readonly Neighbour[], blocks: readonly Prefix[], snapshot: Snapshot): void {
    this.#filterBy(snapshot)
    this.#speaker.originate(new Map(blocks.map((prefix): [string, Origination] => [formatPrefix(prefix), { prefix }])))
    this.#speaker.setPeers(neighbours.map(toPeer))
  }

  learned(): Learned[] {
    return [...this.#speaker.learned().values()].map(route => ({
      destination: route.prefix,
      nextHop: route.nextHop,
      from: route.peerName,
    }))
  }

  /** Tells when what is learned may have changed: of sessions alone a plan knows nothing, and a thousand dead peers change theirs all the time. */
  onLearned(listener: () => void): void {
    this.#speaker.onChange(change => {
      if (change.is === 'routes') listener()
    })
  }

  /** Only blocks out of our pools: a peer with more to say must not reroute the node itself. */
  #filterBy(snapshot: Snapshot): void {
    const pools = [...snapshot.pools.values()].map(pool => formatPrefix(pool.cidr)).join(' ')
    if (pools === this.#pools) return
    this.#pools = pools
    this.#speaker.setImportFilter(prefix =>
      poolOf(snapshot, prefix) === undefined
        ? { is: 'refused', why: pools === '' ? 'there is no pool' : `outside of all pools (${pools})` }
        : ACCEPTED,
    )
  }
}

function toPeer(neighbour: Neighbour): PeerConfig {
  return {
    address: neighbour.address,
    name: neighbour.name,
    asn: neighbour.asn,
    port: BGP_PORT,
    passive: false,
    dialAfter: neighbour.dials === 'at-once' ? millis(0) : DIAL_LATER,
  }
}
