/** What VXLAN needs of the kernel: one device, and for each node that it sends to a neighbour and a forwarding entry. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import type { Node } from '@network/model/resources/node.ts'
import { looseReversePath, type TunnelIntents } from '@network/model/tunnel.ts'
import { vxlanMtu } from './mtu.ts'
import type { VxlanSettings } from './settings.ts'

export interface VxlanTunnel {
  readonly settings: VxlanSettings
  /** Of the device; other nodes know it, so it must not change. */
  readonly mac: string
  /** The node's /32 on the device: the source of what the node itself sends into the tunnel, and what other nodes' routes go via. */
  readonly address: Ipv4
  /** The NIC and the address that outer packets leave by. */
  readonly underlayDevice: string
  readonly underlayAddress: Ipv4
  readonly underlayMtu: number
  /** True when rp_filter is 1 on `all`: the kernel takes the larger of `all` and the device's own. */
  readonly strictEverywhere: boolean
}

/**
 * The device stays up with its address whatever the pools' modes are: a node takes this form before any other node sends it, and after all
 * have stopped.
 */
export function planVxlan(tunnel: VxlanTunnel): TunnelIntents {
  const { settings, mac, underlayDevice, underlayAddress } = tunnel
  return {
    link: {
      name: settings.device,
      create: { kind: 'vxlan', vni: settings.vni, port: settings.port, local: underlayAddress, over: underlayDevice, mac },
      up: true,
      mtu: vxlanMtu(tunnel.underlayMtu),
    },
    address: { device: settings.device, address: tunnel.address, length: 32 },
    sysctls: looseReversePath([settings.device, underlayDevice], tunnel.strictEverywhere),
  }
}

export type Peer = { readonly is: 'vtep'; readonly vtep: VtepIntent } | { readonly is: 'deaf'; readonly why: string }

/** The far end of the tunnel to a node, or why the node takes no VXLAN. */
export function vtepOf({ device }: VxlanSettings, { name, address, tunnelAddress, vxlanMac }: Node): Peer {
  if (vxlanMac === undefined)
    return { is: 'deaf', why: `node ${name} takes no VXLAN: its kernel has none, or its agent knows none` }
  if (tunnelAddress === undefined) return { is: 'deaf', why: `node ${name} has no tunnel address yet` }
  return { is: 'vtep', vtep: { device, address: tunnelAddress, mac: vxlanMac, remote: address, node: name } }
}
