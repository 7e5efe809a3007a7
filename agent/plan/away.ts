/** Whether an address may be given to a pod while the datastore is away, and which. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { comparePrefixes, covers, formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { addressAt } from '@network/datastore/ipam/blocks.ts'
import { isOpenTo, isReserved, reservedBy } from '@network/datastore/ipam/terms.ts'
import type { IpPool } from '@network/model/resources/ip-pool.ts'
import type { IpamBlock } from '@network/model/resources/ipam-block.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { LedgerEntry } from '../away/ledger.ts'

export interface AwayFacts {
  /** This node's name, and what tells this machine from another of that name. */
  readonly self: string
  readonly id: string
  /** As the datastore was last seen; undefined when it never was. */
  readonly snapshot: Snapshot | undefined
  /** Of this node, as last seen. */
  readonly blocks: readonly IpamBlock[]
  /** By handle. */
  readonly ledger: ReadonlyMap<string, LedgerEntry>
  /** False when the ledger may lack something that this node has. */
  readonly isWhole: boolean
  /** Addresses that the kernel routes to pods of this node. */
  readonly routed: ReadonlySet<Ipv4>
}

export type AwayVerdict =
  /** The address that has been free for longest in an own block. */
  | { readonly is: 'free'; readonly address: Ipv4; readonly block: Prefix; readonly pool: string }
  /** Why somebody else could have, or could get, any address that might be given. */
  | { readonly is: 'refused'; readonly says: string }

/**
 * An address may be given without asking where nobody else can take it meanwhile: out of a block that is this node's as last seen, and that
 * cannot have been given up since, for an address in it is surely still this node's in the datastore; while nobody may borrow.
 */
export function addressAway(facts: AwayFacts): AwayVerdict {
  const general = obstacle(facts)
  if (general !== undefined) return { is: 'refused', says: general }
  const judged = [...facts.blocks]
    .sort((a, b) => comparePrefixes(a.cidr, b.cidr))
    .map(block => ({ block, judgement: judge(block, facts) }))
  const reasons: string[] = []
  for (const { block, judgement } of judged)
    if (judgement.is === 'free') return { ...judgement, block: block.cidr }
    else reasons.push(`${formatPrefix(block.cidr)} ${judgement.says}`)
  const pending = pendingClaims(facts)
  const all = [...reasons, ...pending].join('; ')
  return { is: 'refused', says: all === '' ? 'this node has no block of its own' : `of its own blocks ${all}` }
}

/** What stands in the way whatever the block. */
function obstacle({ self, id, snapshot, isWhole }: AwayFacts): string | undefined {
  if (snapshot === undefined) return 'nothing is known of it'
  if (!isWhole) return 'what this node has was never compared with it'
  const node = snapshot.nodes.get(self)
  if (node === undefined) return `node ${self} was not in it`
  if (node.id !== id) return `node ${self} was another machine in it`
  const unread = [...snapshot.junk.keys()].find(key => DECISIVE.some(plural => key.includes(`/${plural}/`)))
  if (unread !== undefined) return `${unread} could not be read`
  const mayBorrow = [...snapshot.ipamConfigurations.values()].some(({ spec }) => !spec.strictAffinity)
  return mayBorrow ? 'other nodes may borrow addresses of its blocks meanwhile (strictAffinity is false)' : undefined
}

/** A document of these that nobody can read could forbid what is about to be done. */
const DECISIVE = ['ipamconfigurations', 'ipreservations', 'ippools']

type Judgement =
  | { readonly is: 'free'; readonly address: Ipv4; readonly pool: string }
  | { readonly is: 'unfit'; readonly says: string }

function judge(block: IpamBlock, facts: AwayFacts): Judgement {
  const { self, snapshot } = facts
  if (snapshot === undefined) return unfit('is unknown')
  const affinity = snapshot.affinities.get(formatPrefix(block.cidr))
  if (affinity?.node !== self || affinity.state !== 'confirmed') return unfit('is not confirmed as its own')
  const pool = poolOf(snapshot, block.cidr)
  if (pool === undefined || pool.blockSize !== block.cidr.length) return unfit('is of no pool')
  if (!isOpenTo(pool, 'Workload', snapshot.nodes.get(self)?.labels ?? {}))
    return unfit(`is of pool ${pool.name}, which gives none`)
  const borrower = [...block.allocations.values()].find(({ node }) => node !== self)
  if (borrower !== undefined) return unfit(`holds an address that node ${borrower.node} borrowed`)
  if (!isAnchored(block, facts)) return unfit('may have been given up, for nothing in it is in use')
  const address = longestFree(block, facts)
  return address === undefined ? unfit('has no address free') : { is: 'free', address, pool: pool.name }
}

function unfit(says: string): Judgement {
  return { is: 'unfit', says }
}

/** A block goes when nobody has an address in it; one of ours that the datastore surely has keeps it. */
function isAnchored({ cidr, allocations }: IpamBlock, { self, ledger }: AwayFacts): boolean {
  return [...allocations].some(([ordinal, { handle, node }]) => {
    const entry = ledger.get(handle)
    const isSure = entry?.standing === 'held' || entry?.standing === 'left'
    return node === self && isSure && entry.address === addressAt(cidr, ordinal)
  })
}

/** What anybody has had since the datastore was last told is not free, pods that went included. */
function longestFree(block: IpamBlock, { snapshot, ledger, routed }: AwayFacts): Ipv4 | undefined {
  const reserved = reservedBy(snapshot?.reservations.values() ?? [])
  const used = new Set(routed)
  for (const { address } of ledger.values()) if (address !== undefined) used.add(address)
  for (const { addresses } of snapshot?.workloads.values() ?? []) for (const address of addresses) used.add(address)
  for (const { tunnelAddress } of snapshot?.nodes.values() ?? []) if (tunnelAddress !== undefined) used.add(tunnelAddress)
  const ordinal = block.free.find(one => {
    const address = addressAt(block.cidr, one)
    return !used.has(address) && !isReserved(address, reserved)
  })
  return ordinal === undefined ? undefined : addressAt(block.cidr, ordinal)
}

function pendingClaims({ self, snapshot }: AwayFacts): string[] {
  return [...(snapshot?.affinities.values() ?? [])]
    .filter(({ node, state }) => node === self && state === 'pending')
    .map(({ block }) => `${formatPrefix(block)} is claimed and not confirmed`)
}

function poolOf({ pools }: Snapshot, block: Prefix): IpPool | undefined {
  return [...pools.values()].find(({ cidr }) => covers(cidr, block))
}
