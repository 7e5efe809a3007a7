/** Pools among pools, nodes and addresses in use. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { contains, covers, formatPrefix, overlaps, prefix } from '@network/base/net/prefix.ts'
import { IP_POOL, type IpPool, poolKey } from '../resources/ip-pool.ts'
import { IPAM_BLOCK, podAddresses } from '../resources/ipam-block.ts'
import type { Problem } from '../resources/kind.ts'
import { NODE } from '../resources/node.ts'
import { type Documents, heldOf } from './stock.ts'

/** Ranges that no pool may touch, and what each is for. */
export const RESERVED = [
  { range: prefix('0.0.0.0/8'), what: '"this network"' },
  { range: prefix('127.0.0.0/8'), what: 'loopback' },
  { range: prefix('169.254.0.0/16'), what: 'link-local, where every pod has its gateway 169.254.1.1' },
  { range: prefix('224.0.0.0/4'), what: 'multicast' },
  { range: prefix('240.0.0.0/4'), what: 'reserved' },
]

/** What stands in the way of a pool as it is to be. */
export function checkPool(pool: IpPool, documents: Documents): readonly Problem[] {
  const at = 'spec.cidr'
  const cidr = formatPrefix(pool.cidr)
  const reserved = RESERVED.filter(({ range }) => overlaps(range, pool.cidr)).map(({ range, what }) => ({
    at,
    says: `${cidr} overlaps ${formatPrefix(range)}, which is ${what}: choose another range`,
  }))
  const others = heldOf(IP_POOL, documents)
    .filter(({ key, value }) => key !== poolKey(pool.name) && overlaps(value.cidr, pool.cidr))
    .map(({ value }) => ({ at, says: `${cidr} overlaps pool ${value.name} ${formatPrefix(value.cidr)}: choose another range` }))
  const nodes = heldOf(NODE, documents)
    .filter(({ value }) => contains(pool.cidr, value.address))
    .map(({ value }) => ({
      at,
      says: `${cidr} holds ${formatIpv4(value.address)}, the address of node ${value.name}: pods would get it; choose another range`,
    }))
  return [...reserved, ...others, ...nodes]
}

/** A pool that pods have addresses of cannot be deleted; those of tunnels the agents give up. */
export function checkPoolGone(pool: IpPool, documents: Documents): readonly Problem[] {
  const used = heldOf(IPAM_BLOCK, documents).filter(({ value }) => covers(pool.cidr, value.cidr) && podAddresses(value) > 0)
  if (used.length === 0) return []
  const addresses = used.reduce((sum, { value }) => sum + podAddresses(value), 0)
  const nodes = [...new Set(used.map(({ value }) => value.node))].sort()
  const many = addresses === 1 ? '1 address of it is' : `${addresses} addresses of it are`
  return [
    { at: '', says: `${many} in use on ${nodes.join(', ')}: set disabled to true, and delete the pool when its pods are gone` },
  ]
}
