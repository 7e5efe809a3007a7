/** Node: a machine that runs an agent. */

import { formatIpv4, type Ipv4, isUsableHost } from '@network/base/net/ipv4.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import * as v from 'valibot'
import { addressField, asnField, documentOf, interfaceAddressField, unicastMacField } from './fields.ts'
import { API_VERSION, type Kind, keyPrefixOf, parserOf } from './kind.ts'

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
}

const spec = v.strictObject(
  {
    nodeId: v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty')),
    bgp: v.strictObject(
      {
        ipv4Address: v.pipe(
          interfaceAddressField,
          v.check(input => isUsableHost(input.address), 'must be a unicast address'),
        ),
        asNumber: v.optional(asnField),
        ipv4IPIPTunnelAddr: v.optional(addressField),
      },
      'must be an object with ipv4Address',
    ),
    vxlanTunnelMACAddr: v.optional(unicastMacField),
  },
  'must be an object with nodeId and bgp',
)

const schema = v.pipe(
  documentOf('Node', spec),
  v.transform(
    (document): Node => ({
      name: document.metadata.name,
      id: document.spec.nodeId,
      address: document.spec.bgp.ipv4Address.address,
      subnetLength: document.spec.bgp.ipv4Address.length,
      asn: document.spec.bgp.asNumber,
      tunnelAddress: document.spec.bgp.ipv4IPIPTunnelAddr,
      vxlanMac: document.spec.vxlanTunnelMACAddr,
    }),
  ),
)

export const NODE: Kind<Node> = {
  kind: 'Node',
  plural: 'nodes',
  parse: parserOf('Node', schema, [
    { at: 'spec.addresses', harmless: [] },
    { at: 'spec.orchRefs', harmless: [] },
    { at: 'spec.ipv4VXLANTunnelAddr', harmless: [] },
    { at: 'spec.bgp.routeReflectorClusterID', harmless: [''] },
  ]),
  keyOf: node => nodeKey(node.name),
  print: node => ({
    apiVersion: API_VERSION,
    kind: 'Node',
    metadata: { name: node.name },
    spec: {
      nodeId: node.id,
      bgp: {
        ipv4Address: `${formatIpv4(node.address)}/${node.subnetLength}`,
        ...(node.asn === undefined ? {} : { asNumber: node.asn }),
        ...(node.tunnelAddress === undefined ? {} : { ipv4IPIPTunnelAddr: formatIpv4(node.tunnelAddress) }),
      },
      ...(node.vxlanMac === undefined ? {} : { vxlanTunnelMACAddr: node.vxlanMac }),
    },
  }),
}

export function nodeKey(name: string): string {
  return `${keyPrefixOf('nodes')}${name}`
}

/** The underlay subnet that the node sits in. */
export function subnetOf(node: Node): Prefix {
  return toPrefix(node.address, node.subnetLength)
}
