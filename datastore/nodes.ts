/** Nodes come and go: one machine a name, one name an address. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { BLOCK_AFFINITY, type BlockAffinity } from '@network/model/resources/block-affinity.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { type Allocation, IPAM_BLOCK, type IpamBlock, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import { isRecord, keyOfNamed } from '@network/model/resources/kind.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { release } from './ipam/blocks.ts'
import { vacate } from './ipam/claim.ts'
import type { Datastore, Options, Revision } from './port.ts'
import { createOf, getOf, listOf, type Stored, updateOf } from './records.ts'

/**
 * Puts the node into the store, or brings what is there up to date; a tunnel address or AS number that `node` leaves undefined stays as it
 * is. Returns what is stored. Rejects with `node.name-taken` or `node.address-taken` when another machine is in the way, with `node.refused` or
 * `node.address-in-pool` when the node cannot be as it says.
 */
export async function registerNode(store: Datastore, node: Node, options: Options): Promise<Node> {
  refuseUnreadable(node)
  await refuseInsidePool(store, node, options)
  for (;;) {
    const former = await getOf(store, NODE, nodeKey(node.name), options)
    if (former !== undefined && former.value.id !== node.id) throw nameTaken(node, former.value)
    await refuseTakenAddress(store, node, options)
    const value = former === undefined ? node : withFormer(node, former.value)
    const revision = await write(store, value, former, options)
    if (revision === undefined) continue
    if (revision === former?.revision) return value
    try {
      await refuseTakenAddress(store, node, options)
      return value
    } catch (reason) {
      await undo(store, node.name, { revision, former }, options)
      throw reason
    }
  }
}

export type NodeDeleted =
  | { readonly is: 'absent' }
  | {
      readonly is: 'deleted'
      /** Keys of its workload endpoints. */
      readonly endpoints: readonly string[]
      readonly blocks: readonly Prefix[]
      /** How many addresses were in use in those blocks, tunnels included. */
      readonly addresses: number
    }

/**
 * Deletes a node with all that it had. The Node goes first: with it the other nodes forget its routes, before its addresses can be used
 * again. Calling it again finishes what a crash left. `absent` means that nothing of the node was there.
 */
export async function deleteNode(store: Datastore, name: string, options: Options): Promise<NodeDeleted> {
  const had = await remove(store, nodeKey(name), options)
  await remove(store, keyOfNamed(NODE_STATUS, { name }), options)
  const endpoints = await deleteEndpoints(store, name, options)
  const { blocks, addresses } = await deleteBlocks(store, name, options)
  const claims = await deleteClaims(store, name, options)
  if (!had && endpoints.length === 0 && blocks.length === 0 && claims === 0) return { is: 'absent' }
  return { is: 'deleted', endpoints, blocks, addresses }
}

const ATTEMPTS = 100

/** What the node does not say itself is kept. */
function withFormer(node: Node, former: Node): Node {
  return { ...former, ...node, tunnelAddress: node.tunnelAddress ?? former.tunnelAddress, asn: node.asn ?? former.asn }
}

async function write(
  store: Datastore,
  value: Node,
  former: Stored<Node> | undefined,
  options: Options,
): Promise<Revision | undefined> {
  if (former !== undefined && JSON.stringify(NODE.print(former.value)) === JSON.stringify(NODE.print(value)))
    return former.revision
  const written =
    former === undefined
      ? await createOf(store, NODE, value, options)
      : await updateOf(store, NODE, { value, revision: former.revision, document: former.document }, options)
  return written.is === 'written' ? written.revision : undefined
}

/** A document that nobody can read back would take the node out of the cluster, and keep it out. */
function refuseUnreadable(node: Node): void {
  const read = NODE.parse(NODE.print(node))
  if (read.ok) return
  throw new Fault('node.refused', {
    doing: 'register node',
    on: node.name,
    says: read.problems.map(({ at, says }) => `${at} ${says}`).join('; '),
    mend: 'see --node-name, --node-id and --node-ip',
  })
}

/** Its own address could be given to a pod. */
async function refuseInsidePool(store: Datastore, node: Node, options: Options): Promise<void> {
  const { read: pools } = await listOf(store, IP_POOL, options)
  const pool = pools.find(({ value }) => contains(value.cidr, node.address))
  if (pool === undefined) return
  throw new Fault('node.address-in-pool', {
    doing: 'register node',
    on: node.name,
    says: `its address ${formatIpv4(node.address)} is inside pool ${pool.value.name} ${formatPrefix(pool.value.cidr)}, whose addresses are for pods`,
    mend: 'give it another address with --node-ip, or replace the pool',
  })
}

/** Looked for before writing and again after it: of two that come at the same moment at least one sees the other. */
async function refuseTakenAddress(store: Datastore, node: Node, options: Options): Promise<void> {
  // Of thousands of nodes only those are read whole that could have it.
  const { read: nodes } = await listOf(store, NODE, options, document => mentions(document, formatIpv4(node.address)))
  const other = nodes.find(({ value }) => value.name !== node.name && value.address === node.address)
  if (other === undefined) return
  throw new Fault('node.address-taken', {
    doing: 'register node',
    on: node.name,
    says: `its address ${formatIpv4(node.address)} already belongs to node ${other.value.name}`,
    mend: `give one of them another address with --node-ip, or run "calictl node delete ${other.value.name}" if that machine is gone`,
  })
}

function mentions(document: unknown, address: string): boolean {
  const spec = isRecord(document) ? document['spec'] : undefined
  const bgp = isRecord(spec) ? spec['bgp'] : undefined
  return isRecord(bgp) && String(bgp['ipv4Address']).startsWith(address)
}

function nameTaken(node: Node, other: Node): Fault {
  return new Fault('node.name-taken', {
    doing: 'register node',
    on: node.name,
    says: `that name belongs to machine ${other.id} at ${formatIpv4(other.address)}, and this is machine ${node.id} at ${formatIpv4(node.address)}`,
    mend: `run "calictl node delete ${node.name}" if the old machine is gone, or choose another name with --node-name`,
  })
}

async function undo(
  store: Datastore,
  name: string,
  { revision, former }: { readonly revision: Revision; readonly former: Stored<Node> | undefined },
  options: Options,
): Promise<void> {
  if (former === undefined) await store.delete(nodeKey(name), revision, options)
  else if (former.revision !== revision)
    await updateOf(store, NODE, { value: former.value, revision, document: former.document }, options)
}

async function deleteEndpoints(store: Datastore, node: string, options: Options): Promise<readonly string[]> {
  const { read: endpoints } = await listOf(store, WORKLOAD_ENDPOINT, options)
  const keys = endpoints.filter(({ value }) => value.node === node).map(({ key }) => key)
  for (const key of keys) await remove(store, key, options)
  return keys
}

async function deleteBlocks(
  store: Datastore,
  node: string,
  options: Options,
): Promise<{ blocks: readonly Prefix[]; addresses: number }> {
  const gone = new Map<string, Prefix>()
  const isMine = ({ node: user }: Allocation) => user === node
  let addresses = 0
  for (let tried = 0; ; tried++) {
    const { read: blocks } = await listOf(store, IPAM_BLOCK, options)
    const left = blocks.filter(({ value }) => [...value.allocations.values()].some(isMine) || isOnlyFor(node, value))
    if (left.length === 0) break
    if (tried === ATTEMPTS) throw stillBusy(node, left)
    for (const block of left) {
      const { block: value, ordinals } = release(block.value, isMine)
      const freed = await updateOf(store, IPAM_BLOCK, { ...block, value }, options)
      if (freed.is !== 'written') continue
      addresses += ordinals.length
      if (value.allocations.size > 0) continue
      const outcome = await vacate(store, { ...block, value, revision: freed.revision }, options)
      if (outcome === 'done' && value.node === node) gone.set(block.key, value.cidr)
    }
  }
  return { blocks: [...gone.values()], addresses }
}

/** A block out of which others borrowed stays until they have given all back: its addresses must not be given to anybody else. */
function isOnlyFor(node: string, block: IpamBlock): boolean {
  return block.node === node && [...block.allocations.values()].every(({ node: user }) => user === node)
}

function stillBusy(node: string, blocks: readonly Stored<IpamBlock>[]): Fault {
  return new Fault('datastore.contended', {
    doing: 'release the blocks of node',
    on: node,
    says: `${blocks.map(({ value }) => formatPrefix(value.cidr)).join(', ')} changed ${ATTEMPTS} times in a row`,
    mend: 'stop the agent on that node, then delete it again',
  })
}

/** Claims that never came to a block, or whose block is another node's. */
async function deleteClaims(store: Datastore, node: string, options: Options): Promise<number> {
  const { read: affinities } = await listOf(store, BLOCK_AFFINITY, options)
  let deleted = 0
  for (const { key, revision, value, document } of affinities.filter(({ value }) => value.node === node)) {
    const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(value.block), options)
    if (block?.value.node === node && block.value.allocations.size > 0) continue
    deleted++
    if (block === undefined) await store.delete(key, revision, options)
    else {
      const left: BlockAffinity = { ...value, node: block.value.node, state: 'pending' }
      await updateOf(store, BLOCK_AFFINITY, { value: left, revision, document }, options)
    }
  }
  return deleted
}

/** Deletes a key whatever its revision; false when it was not there. */
async function remove(store: Datastore, key: string, options: Options): Promise<boolean> {
  for (;;) {
    const entry = await store.get(key, options)
    if (entry === undefined) return false
    if ((await store.delete(key, entry.revision, options)).is === 'deleted') return true
  }
}
