/** Sees to it that the node has a /32 for tunl0 out of a pool that exists. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Ipam } from '@network/datastore/ipam/ipam.ts'
import { isOpenTo } from '@network/datastore/ipam/terms.ts'
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

/** False when `claimTunnelAddress` has something to do: none is there, or its pool is gone or not open to it while another one is. */
export function tunnelAddressIsRight({ tunnelAddress, labels = {} }: Node, snapshot: Snapshot): boolean {
  const isOpen = [...snapshot.pools.values()].some(pool => isOpenTo(pool, 'Tunnel', labels))
  if (tunnelAddress === undefined) return !isOpen
  const pool = poolOf(snapshot, toPrefix(tunnelAddress, 32))
  return pool !== undefined && (isOpenTo(pool, 'Tunnel', labels) || !isOpen)
}

/** Takes an address and writes it to the Node; done again, it finds the same one. Somebody else's write to the Node means: next time. */
export async function claimTunnelAddress(options: TunnelAddressOptions, snapshot: Snapshot, signal: AbortSignal): Promise<void> {
  const { node, store, ipam, log } = options
  const entry = await store.get(nodeKey(node), { signal })
  const parsed = entry === undefined ? undefined : NODE.parse(entry.document)
  if (entry === undefined || parsed === undefined || !parsed.ok) return
  const { tunnelAddress: former } = parsed.value
  // The same handle would find the former address again.
  if (former !== undefined && !tunnelAddressIsRight(parsed.value, snapshot)) await ipam.release(tunnelHandle(node), { signal })
  const assigned = await ipam.assign({ handle: tunnelHandle(node), use: 'tunnel', signal })
  if (assigned.is === 'pools-full')
    throw new Fault('tunnel.no-address', {
      doing: 'find an address for',
      on: 'tunl0',
      says: `no address is free in ${assigned.pools.join(', ')}`,
      mend: 'create a further pool',
    })
  const address = assigned.is === 'assigned' ? assigned.address : undefined
  if (address === former) return
  const document = NODE.print({ ...parsed.value, tunnelAddress: address })
  const written = await store.update(entry.key, document, entry.revision, { signal })
  if (written.is === 'written')
    log.info('tunnel address changed', { address: address === undefined ? 'none' : formatIpv4(address) })
}
