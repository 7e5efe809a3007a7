/** Sees to it that the node has a /32 for tunl0 out of a pool that exists. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { poolOf } from './plan/routes.ts'
import { tunnelHandle } from './workload/names.ts'

export interface TunnelAddressOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Ipam
  readonly log: Log
}

/** True when `claimTunnelAddress` has something to do. */
export function lacksTunnelAddress(node: Node, snapshot: Snapshot): boolean {
  if ([...snapshot.pools.values()].every(pool => pool.disabled)) return false
  return node.tunnelAddress === undefined || poolOf(snapshot, toPrefix(node.tunnelAddress, 32)) === undefined
}

/** Takes an address and writes it to the Node; done again, it finds the same one. Somebody else's write to the Node means: next time. */
export async function claimTunnelAddress({ node, store, ipam, log }: TunnelAddressOptions, signal: AbortSignal): Promise<void> {
  const entry = await store.get(nodeKey(node), { signal })
  const parsed = entry === undefined ? undefined : NODE.parse(entry.document)
  if (entry === undefined || parsed === undefined || !parsed.ok) return
  const former = parsed.value.tunnelAddress
  const assigned = await ipam.assign({ handle: tunnelHandle(node), use: 'tunnel', signal })
  if (assigned.is !== 'assigned') {
    log.warn('no address for tunl0', { why: assigned.is })
    return
  }
  if (assigned.address === former) return
  const written = await store.update(
    entry.key,
    NODE.print({ ...parsed.value, tunnelAddress: assigned.address }),
    entry.revision,
    { signal },
  )
  if (written.is === 'written')
    log.info('tunnel address assigned', { address: formatIpv4(assigned.address), pool: assigned.pool })
}
