/** How packets for a block travel from this node to the block's next hop. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix } from '@network/base/net/prefix.ts'
import type { Carriage } from '@network/model/intent.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'

export interface Hop {
  /** BGP next hop of the block. */
  readonly nextHop: Ipv4
  /** True when `nextHop` is the address of a Node: only such a one is known to take IPIP. */
  readonly isNode: boolean
}

/**
 * `plain` on a shared subnet, `ipip` where the pool's mode says so and the far end is a node, else `gateway`: through the router that the
 * kernel uses for the next hop, which must then know the block itself. A router that has no tunl0 would lose tunnelled packets silently.
 */
export function carriageOf(mode: IpipMode, connected: readonly Prefix[], hop: Hop): Carriage {
  if (mode === 'Always' && hop.isNode) return 'ipip'
  if (connected.some(subnet => contains(subnet, hop.nextHop))) return 'plain'
  return mode === 'CrossSubnet' && hop.isNode ? 'ipip' : 'gateway'
}
