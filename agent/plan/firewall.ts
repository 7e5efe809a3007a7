/** Whom this node lets in, and what its pods may send. */

import type { FirewallIntent } from '@network/model/intent.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { Underlay } from './facts.ts'
import type { Neighbour } from './peers.ts'

/** IPIP from the other nodes alone, BGP from whom we speak with, and of each pod its own addresses. */
export function planFirewall(
  self: string,
  snapshot: Snapshot,
  { underlay, neighbours }: { readonly underlay: Underlay; readonly neighbours: readonly Neighbour[] },
): FirewallIntent {
  const others = [...snapshot.nodes.values()].filter(({ name }) => name !== self)
  return {
    underlay: underlay.device,
    nodes: new Set(others.map(({ address }) => address)),
    peers: new Set(neighbours.map(({ address }) => address)),
    sources: [...snapshot.workloads.values()]
      .filter(({ node }) => node === self)
      .flatMap(({ interfaceName, addresses }) => addresses.map(address => ({ device: interfaceName, address }))),
  }
}
