/** What tunl0 needs of the kernel. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { looseReversePath, type TunnelIntents } from '@network/model/tunnel.ts'
import { tunnelMtu } from './mtu.ts'

/** Made by the kernel in every namespace once its module is loaded; takes packets of any remote address. */
export const TUNNEL_DEVICE = 'tunl0'

export interface Tunnel {
  /** The node's /32 on the device: the source of what the node itself sends into the tunnel. */
  readonly address: Ipv4
  /** The NIC that outer packets arrive on. */
  readonly underlayDevice: string
  readonly underlayMtu: number
  /** True when rp_filter is 1 on `all`: the kernel takes the larger of `all` and the device's own. */
  readonly strictEverywhere: boolean
}

/**
 * The device stays up with its address whatever the pools' modes are: packets that are still under way, or that a node sends which has not
 * yet heard of a change, must find it.
 */
export function planTunnel(tunnel: Tunnel): TunnelIntents {
  return {
    link: { name: TUNNEL_DEVICE, create: 'ipip', up: true, mtu: tunnelMtu(tunnel.underlayMtu) },
    address: { device: TUNNEL_DEVICE, address: tunnel.address, length: 32 },
    sysctls: looseReversePath([TUNNEL_DEVICE, tunnel.underlayDevice], tunnel.strictEverywhere),
  }
}
