/** Reads what `ipam check` and `release` look at; not at one moment, so a change under way may show half. */

import { listOf } from '@network/datastore/records.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK } from '@network/model/resources/ipam-block.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import type { Context } from '../context.ts'
import { reportJunk } from '../read.ts'
import type { IpamState } from './check.ts'

/** Users after blocks: what is given out meanwhile shows as used at most, never as leaked. */
export async function readState(context: Context): Promise<IpamState> {
  const blocks = await valuesOf(context, IPAM_BLOCK)
  const [pools, affinities, nodes, workloads] = await Promise.all([
    valuesOf(context, IP_POOL),
    valuesOf(context, BLOCK_AFFINITY),
    valuesOf(context, NODE),
    valuesOf(context, WORKLOAD_ENDPOINT),
  ])
  return { pools, blocks, affinities, nodes, workloads }
}

async function valuesOf<T>(context: Context, kind: Kind<T>): Promise<readonly T[]> {
  const { read, junk } = await listOf(await context.store(), kind, { signal: context.signal })
  reportJunk(context, junk)
  return read.map(({ value }) => value)
}
