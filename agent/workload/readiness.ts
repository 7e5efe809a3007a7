/** Whether this node can take pods: what STATUS tells, and with it whether Kubernetes calls the node ready. */

import { CNI_ERROR, type CniReply, type CniVersion, cniFailure } from '@network/model/cni.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import type { AwayVerdict } from '../plan/away.ts'
import { SILENT_SUCCESS } from './replies.ts'

export interface Circumstances {
  readonly node: string
  readonly datastore: DatastoreStatus
  readonly pools: Snapshot['pools']
  /** The Node is in the datastore. */
  readonly registered: boolean
}

/**
 * `away` is what an ADD would be told without the datastore, where that is away. 50 where no ADD can be served, 51 where besides nobody routes to the pods that are there. Full pools are no reason: the answer would make
 * the whole node not ready and drive away pods that run well; the ADD that finds no address says so.
 */
export function statusReply(
  version: CniVersion,
  { node, datastore, pools, registered }: Circumstances,
  away: AwayVerdict | undefined,
): CniReply {
  if (away?.is === 'free') return SILENT_SUCCESS
  if (datastore.state !== 'in-sync')
    return cniFailure(
      version,
      CNI_ERROR.notAvailable,
      `datastore ${datastore.url} is ${datastore.state}`,
      `${datastore.error ?? 'its first list is not whole yet'}; pods that are there go on as they were${away === undefined ? '' : `, and none can be added: ${away.says}`}`,
    )
  if (!registered)
    return cniFailure(
      version,
      CNI_ERROR.limited,
      `node ${node} is not in the datastore, and nobody routes to its pods: it was deleted there, or is not registered yet`,
      'where somebody deleted it, restart the agent to register it again',
    )
  if ([...pools.values()].every(pool => pool.disabled))
    return cniFailure(
      version,
      CNI_ERROR.notAvailable,
      'there is no pool to take addresses from',
      'create one: calictl ippool create default --cidr 10.244.0.0/16',
    )
  return SILENT_SUCCESS
}
