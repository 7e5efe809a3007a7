/** Sees to it that the node has a /32 for its tunnel devices, out of a pool that exists and a block of its own. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { contains, toPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import { isOpenTo } from '@network/datastore/ipam/terms.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { getOf, updateOf } from '@network/datastore/records.ts'
import { TUNNEL_USE } from '@network/model/resources/ipam-block.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { ownBlocks, poolOf } from './plan/routes.ts'
import { tunnelHandle } from './workload/names.ts'

export interface TunnelAddressOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Pick<Ipam, 'assign' | 'release'>
  readonly log: Log
}

/**
 * False when `claimTunnelAddress` has something to do: none is there, its pool is gone or not open to it while another one is, or its
 * block went with a pool that was deleted and made anew.
 */
export function tunnelAddressIsRight(self: Node, snapshot: Snapshot): boolean {
  const { name, tunnelAddress } = self
  if (tunnelAddress === undefined) return !isAnyOpen(self, snapshot)
  return mayStay(tunnelAddress, self, snapshot) && ownBlocks(name, snapshot).some(block => contains(block, tunnelAddress))
}

function mayStay(address: Ipv4, self: Node, snapshot: Snapshot): boolean {
  const pool = poolOf(snapshot, toPrefix(address, 32))
  return pool !== undefined && (isOpenTo(pool, 'Tunnel', self.labels ?? {}) || !isAnyOpen(self, snapshot))
}

function isAnyOpen({ labels = {} }: Node, { pools }: Snapshot): boolean {
  return [...pools.values()].some(pool => isOpenTo(pool, 'Tunnel', labels))
}

/** Takes an address and writes it to the Node; done again, it finds the same one. Somebody else's write to the Node means: next time. */
export async function claimTunnelAddress(options: TunnelAddressOptions, snapshot: Snapshot, signal: AbortSignal): Promise<void> {
  const { node, store, ipam, log } = options
  const present = await getOf(store, NODE, nodeKey(node), { signal })
  if (present === undefined) return
  const { value, revision, document } = present
  const { tunnelAddress: former } = value
  // The same handle would find the former address again.
  if (former !== undefined && !mayStay(former, value, snapshot)) await ipam.release(tunnelHandle(node), { signal })
  const assigned = await ipam.assign({ handle: tunnelHandle(node), use: TUNNEL_USE, signal })
  if (assigned.is === 'pools-full')
    throw new Fault('tunnel.no-address', {
      doing: 'find an address for',
      on: 'tunl0',
      says: `no address is free in ${assigned.pools.join(', ')}`,
      mend: 'create a further pool',
    })
  const address = assigned.is === 'assigned' ? assigned.address : undefined
  if (address === former) return
  const written = await updateOf(store, NODE, { value: { ...value, tunnelAddress: address }, revision, document }, { signal })
  if (written.is === 'written')
    log.info('tunnel address changed', { address: address === undefined ? 'none' : formatIpv4(address) })
}
