/** Between the plan and the speaker: peers, announcements and the import filter out, learned blocks in. */

import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { millis } from '@network/base/time/units.ts'
import { ACCEPTED, acceptAll, type ImportFilter, type PeerConfig } from '@network/bgp/speaker.ts'
import { BGP_PORT } from '@network/model/resources/bgp-configuration.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { announcements } from '../plan/announce.ts'
import type { Learned } from '../plan/facts.ts'
import type { Identity } from '../plan/identity.ts'
import type { Neighbour } from '../plan/peers.ts'
import { poolOf } from '../plan/routes.ts'
import type { Speaking } from './speaking.ts'

/** How long the higher of two nodes leaves the first dial to the lower one. */
const DIAL_LATER = millis(2000)

export interface Declaration {
  /** This node's name. */
  readonly self: string
  readonly identity: Identity
  readonly neighbours: readonly Neighbour[]
  readonly originate: readonly Prefix[]
  readonly snapshot: Snapshot
}

export class Feed {
  readonly #speaking: Speaking
  #pools: string | undefined
  #filter: ImportFilter = acceptAll

  constructor(speaking: Speaking) {
    this.#speaking = speaking
  }

  get problems(): readonly string[] {
    return this.#speaking.problems
  }

  /** Says who we speak with and what we announce. */
  declare({ self, identity, neighbours, originate, snapshot }: Declaration): void {
    this.#filterBy(snapshot)
    this.#speaking.say(identity, {
      peers: neighbours.map(toPeer),
      routes: announcements(self, originate, snapshot),
      filter: this.#filter,
    })
  }

  learned(): Learned[] {
    return [...this.#speaking.learned().values()].map(route => ({
      destination: route.prefix,
      nextHop: route.nextHop,
      from: route.peerName,
    }))
  }

  /** Only blocks out of our pools: a peer with more to say must not reroute the node itself. */
  #filterBy(snapshot: Snapshot): void {
    const pools = [...snapshot.pools.values()].map(pool => formatPrefix(pool.cidr)).join(' ')
    if (pools === this.#pools) return
    this.#pools = pools
    this.#filter = prefix =>
      poolOf(snapshot, prefix) === undefined
        ? { is: 'refused', why: pools === '' ? 'there is no pool' : `outside of all pools (${pools})` }
        : ACCEPTED
  }
}

function toPeer({ address, name, asn, port = BGP_PORT, dials, terms = {} }: Neighbour): PeerConfig {
  const { localAsn, ...same } = terms
  return {
    ...{ address, name, asn, port, passive: false },
    dialAfter: dials === 'at-once' ? millis(0) : DIAL_LATER,
    ...same,
    ...(localAsn === undefined ? {} : { localAs: { asn: localAsn, replace: true } }),
  }
}
