/** What in the kernel is ours. Nothing else is ever overwritten or removed. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { INTERFACE_NAME } from '@network/model/resources/workload-endpoint.ts'
import { type Route, TABLE } from '@network/netlink/route.ts'

/** Our routes carry this protocol, the one that Calico's users know, in table main with this metric. */
export const ROUTE_PROTOCOL = 80
export const ROUTE_METRIC = 1024

export function isOurRoute(route: Pick<Route, 'protocol' | 'table' | 'metric'>): boolean {
  return route.protocol === ROUTE_PROTOCOL && route.table === TABLE.main && route.metric === ROUTE_METRIC
}

/** An address on a tunnel device out of a pool; whatever else somebody put there stays. */
export function isOurAddress(
  device: string,
  address: Ipv4,
  isPoolAddress: (address: Ipv4) => boolean,
  tunnels: ReadonlySet<string> = new Set([TUNNEL_DEVICE]),
): boolean {
  return tunnels.has(device) && isPoolAddress(address)
}

/** Has the form of a name that we give; whether it is ours, a WorkloadEndpoint says. */
export function hasOurName(interfaceName: string): boolean {
  return INTERFACE_NAME.test(interfaceName)
}
