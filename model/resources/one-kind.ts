/** The kinds that people look at most, each by all its names and without the others: to load all of them takes a short command a tenth of its time. */

import type { Kind } from './kind.ts'

const HOMES: readonly (readonly [names: string, load: () => Promise<Kind<unknown>>])[] = [
  ['ippool ippools ipp pool pools', async () => (await import('./ip-pool.ts')).IP_POOL],
  ['node nodes no', async () => (await import('./node.ts')).NODE],
  ['bgppeer bgppeers bgpp bp', async () => (await import('./bgp-peer.ts')).BGP_PEER],
  ['blockaffinity blockaffinities affinity affinities', async () => (await import('./block-affinity.ts')).BLOCK_AFFINITY],
  ['ipamblock ipamblocks block blocks', async () => (await import('./ipam-block.ts')).IPAM_BLOCK],
  ['workloadendpoint workloadendpoints wep weps', async () => (await import('./workload-endpoint.ts')).WORKLOAD_ENDPOINT],
  ['nodestatus nodestatuses nodestats caliconodestatus', async () => (await import('./node-status.ts')).NODE_STATUS],
]

const BY_NAME = new Map(HOMES.flatMap(([names, load]) => names.split(' ').map(name => [name, load] as const)))

/** The names that are known here. */
export const NAMES: readonly string[] = [...BY_NAME.keys()]

/** The kind of that name, in any case; undefined where it is another's, or nobody's. */
export async function oneKindNamed(name: string): Promise<Kind<unknown> | undefined> {
  return BY_NAME.get(name.toLowerCase())?.()
}
