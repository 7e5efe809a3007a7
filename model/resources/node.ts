/** Node: a machine that runs an agent. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { object } from '../schema/compound.ts'
import { optional } from '../schema/field.ts'
import { address4, asn, interfaceAddress, unicastMac } from '../schema/network.ts'
import { text } from '../schema/plain.ts'
import type { Labels } from '../selector/selector.ts'
import { type Kind, keyPrefixOf, metadataOf, shapedKind } from './kind.ts'

export interface Node {
  readonly name: string
  /** The machine behind the name, /etc/machine-id by default: tells a reinstalled node from a second one with the same name. */
  readonly id: string
  /** Where BGP peers and tunnels reach the node. */
  readonly address: Ipv4
  /** Length of the underlay subnet of `address`: decides who is on the same subnet. */
  readonly subnetLength: number
  /** Overrides the cluster's AS number. */
  readonly asn: number | undefined
  /** The /32 on the tunnel devices, out of a pool: where other nodes find this end of a tunnel. */
  readonly tunnelAddress: Ipv4 | undefined
  /** The Ethernet address of the node's VXLAN device; undefined where its kernel has no VXLAN. */
  readonly vxlanMac: string | undefined
  /** In IPv4 form: the node reflects routes to its clients and is no part of the mesh. */
  readonly routeReflectorClusterId?: Ipv4
  /** What selectors of pools and peers look at. */
  readonly labels?: Labels
}

const bgp = object(
  'How the node speaks BGP.',
  {
    ipv4Address: interfaceAddress(
      'Where other nodes reach it, with the length of its subnet, which decides who is on the same subnet.',
    ),
    asNumber: optional(asn("Overrides the cluster's AS number.")),
    ipv4IPIPTunnelAddr: optional(address4('Of its tunnel devices, out of a pool; the agent sees to it.')),
    routeReflectorClusterID: optional(
      address4('Makes the node a route reflector of this cluster id, outside of the mesh; written like an address.'),
    ),
  },
  { lacking: { ipv6Address: [''] } },
)

const spec = object(
  'The machine.',
  {
    nodeId: text('The machine behind the name: two machines cannot have one name.'),
    bgp,
    vxlanTunnelMACAddr: optional(unicastMac('Ethernet address of its VXLAN device; the agent sees to it.')),
  },
  {
    lacking: {
      addresses: [],
      orchRefs: [],
      interfaces: [],
      podCIDRs: [],
      ipv4VXLANTunnelAddr: [],
      ipv6VXLANTunnelAddr: [],
      vxlanTunnelMACAddrV6: [],
      wireguard: [],
    },
  },
)

export const NODE: Kind<Node> = shapedKind(
  {
    kind: 'Node',
    shortNames: ['no'],
    doc: 'A machine that runs an agent; the agent registers it.',
    writtenBy: 'both',
    spec,
    columns: [
      { title: 'ASN', path: 'spec.bgp.asNumber', wide: true },
      { title: 'IPV4', path: 'spec.bgp.ipv4Address', wide: true },
      { title: 'TUNNEL', path: 'spec.bgp.ipv4IPIPTunnelAddr', wide: true },
    ],
  },
  {
    take: ({ metadata, spec: { nodeId, bgp: speaks, vxlanTunnelMACAddr } }): Node => ({
      name: metadata.name,
      id: nodeId,
      address: speaks.ipv4Address.address,
      subnetLength: speaks.ipv4Address.length,
      asn: speaks.asNumber,
      tunnelAddress: speaks.ipv4IPIPTunnelAddr,
      vxlanMac: vxlanTunnelMACAddr,
      ...(speaks.routeReflectorClusterID === undefined ? {} : { routeReflectorClusterId: speaks.routeReflectorClusterID }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    }),
    give: node => ({
      metadata: metadataOf(node.name, { labels: node.labels }),
      spec: {
        nodeId: node.id,
        bgp: {
          ipv4Address: { address: node.address, length: node.subnetLength },
          asNumber: node.asn,
          ipv4IPIPTunnelAddr: node.tunnelAddress,
          routeReflectorClusterID: node.routeReflectorClusterId,
        },
        vxlanTunnelMACAddr: node.vxlanMac,
      },
      status: undefined,
    }),
    keyOf: ({ name }) => nodeKey(name),
  },
)

export function nodeKey(name: string): string {
  return `${keyPrefixOf('nodes')}${name}`
}

/** The underlay subnet that the node sits in. */
export function subnetOf(node: Node): Prefix {
  return toPrefix(node.address, node.subnetLength)
}
