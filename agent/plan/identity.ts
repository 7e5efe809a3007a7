/** As whom this node speaks BGP: its own AS number, its port, and what it is as a reflector. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { BGP_PORT, type BgpConfiguration } from '@network/model/resources/bgp-configuration.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { Snapshot } from '@network/model/snapshot.ts'

export interface Identity {
  readonly asn: number
  /** TCP port that this node listens on. */
  readonly port: number
  /** Undefined: no reflector. */
  readonly clusterId: Ipv4 | undefined
}

/** `fallback` is the AS number of the agent's own file, for clusters without a BGPConfiguration. */
export function identityOf(
  node: Pick<Node, 'name' | 'asn' | 'routeReflectorClusterId'>,
  snapshot: Snapshot,
  fallback: number,
): Identity {
  return {
    asn: asnOf(node, snapshot, fallback),
    port: portOf(node.name, snapshot),
    clusterId: node.routeReflectorClusterId,
  }
}

export function asnOf(node: Pick<Node, 'asn'>, snapshot: Snapshot, fallback: number): number {
  return node.asn ?? clusterBgp(snapshot)?.asNumber ?? fallback
}

export function portOf(node: string, snapshot: Snapshot): number {
  return ownBgp(node, snapshot)?.listenPort ?? BGP_PORT
}

export function clusterBgp({ bgpConfigurations }: Snapshot): BgpConfiguration['spec'] | undefined {
  return bgpConfigurations.get('default')?.spec
}

/**
 * Port and communities may be others on one node. In a stored document nobody can tell a default from a word of its user, so what is said
 * otherwise than the default counts.
 */
export function ownBgp(node: string, snapshot: Snapshot): BgpConfiguration['spec'] | undefined {
  const own = snapshot.bgpConfigurations.get(`node.${node}`)?.spec
  const cluster = clusterBgp(snapshot)
  if (own === undefined || cluster === undefined) return own ?? cluster
  return {
    ...cluster,
    listenPort: own.listenPort === BGP_PORT ? cluster.listenPort : own.listenPort,
    communities: [...own.communities, ...cluster.communities],
    prefixAdvertisements: own.prefixAdvertisements.length > 0 ? own.prefixAdvertisements : cluster.prefixAdvertisements,
  }
}
