/** Whom this node lets in, what its pods may send, and from which address they are heard outside. */

import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { Underlay } from './facts.ts'
import type { Neighbour } from './peers.ts'

export interface FirewallFacts {
  readonly underlay: Underlay
  readonly neighbours: readonly Neighbour[]
  /** Device, UDP port and network; undefined where this node has no VXLAN, and the port is anybody's. */
  readonly vxlan: { readonly device: string; readonly port: number; readonly vni: number } | undefined
}

/** Tunnels from the other nodes alone, BGP from whom we speak with, and of each pod its own addresses. */
export function planFirewall(self: string, snapshot: Snapshot, { underlay, neighbours, vxlan }: FirewallFacts): FirewallIntent {
  const others = [...snapshot.nodes.values()].filter(({ name }) => name !== self)
  const pools = [...snapshot.pools.values()]
  return {
    underlay: underlay.device,
    pools: pools.map(({ cidr }) => cidr),
    natPools: pools.filter(({ natOutgoing }) => natOutgoing).map(({ cidr }) => cidr),
    vxlan: vxlan === undefined ? undefined : { port: vxlan.port, vni: vxlan.vni },
    tunnels: [TUNNEL_DEVICE, ...(vxlan === undefined ? [] : [vxlan.device])],
    nodes: new Set(others.map(({ address }) => address)),
    peers: new Set(neighbours.map(({ address }) => address)),
    sources: [...snapshot.workloads.values()]
      .filter(({ node }) => node === self)
      .flatMap(({ interfaceName, addresses }) => addresses.map(address => ({ device: interfaceName, address }))),
  }
}
