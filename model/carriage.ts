/** How packets for a block travel from this node to the block's next hop. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix } from '@network/base/net/prefix.ts'
import type { Carriage } from './intent.ts'
import type { IpPool } from './resources/ip-pool.ts'

export interface Hop {
  /** BGP next hop of the block. */
  readonly nextHop: Ipv4
  /** True when `nextHop` is the address of a Node: only such a one is known to take tunnelled packets. */
  readonly isNode: boolean
}

/**
 * `plain` on a shared subnet, the pool's tunnel where its mode says so and the far end is a node, else `gateway`: through the router that
 * the kernel uses for the next hop, which must then know the block itself. A router would lose tunnelled packets silently.
 */
export function carriageOf(
  { ipipMode, vxlanMode }: Pick<IpPool, 'ipipMode' | 'vxlanMode'>,
  connected: readonly Prefix[],
  hop: Hop,
): Carriage {
  const [tunnel, mode] = vxlanMode === 'Never' ? (['ipip', ipipMode] as const) : (['vxlan', vxlanMode] as const)
  if (mode === 'Always' && hop.isNode) return tunnel
  if (connected.some(subnet => contains(subnet, hop.nextHop))) return 'plain'
  return mode === 'CrossSubnet' && hop.isNode ? tunnel : 'gateway'
}
