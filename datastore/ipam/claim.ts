/** Who owns a block: the two-step claim over two keys, with nothing but compare-and-swap on one key. */

import type { Prefix } from '@network/base/net/prefix.ts'
import { affinityKey, BLOCK_AFFINITY, type BlockAffinity } from '@network/model/resources/block-affinity.ts'
import { IPAM_BLOCK, type IpamBlock, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import type { Datastore, Options, Revision } from '../port.ts'
import { createOf, getOf, type Stored, updateOf } from '../records.ts'
import { emptyBlock } from './blocks.ts'

/*
 * Two keys tell about a block: A, its BlockAffinity (what routing reads), and B, its IPAMBlock (what addresses are taken from).
 *
 * No address is given twice: it lies in exactly one B and is taken by compare-and-swap on that B, by the node that B names or by one that
 * borrows. B's node never changes while B exists, and B goes only when nobody has an address in it. So races over A can cost time, never an
 * address. What is borrowed is advertised by the borrower, address by address, and needs no A.
 *
 * A confirmed A always has a B of the same node. Two rules keep that:
 *   confirm: read A as r · write B (create it, or write it again as it is) · A: r → confirmed
 *   vacate:  read B as b · write A pending, whatever it was · delete B if still b · delete A if still mine
 * Suppose A was confirmed although B went. If B was written before the vacating party read it, A was read as r before A was written
 * pending, so r → confirmed either failed, or came first and was undone by that write. If B was written after it was read, it was no longer
 * b and the deletion failed. Revisions are never used twice, so a B or A made anew is not mistaken for the former one.
 *
 * A confirmed A that is seen after reading B as b, and B written if still b, means that B was confirmed when it was taken from; so an address
 * always lies in a B whose A is its node's, perhaps pending again, and its node finds it.
 *
 * A pending A owns nothing. Whoever finds another node's pending A reads B after it: with a B, B's node is the owner and A is left to it;
 * without, the claim may be taken over by A: r → mine, pending. A slow claimant that comes back then either makes B first (the other finds
 * it and hands A over), or finds B made (and hands A over itself, or has nothing to do). What a crash leaves without A is an empty B, and the
 * next claimant that meets it gives it back to its node.
 */

/** What came of a step that others may race for: `lost` says that somebody was faster, so look again. */
export type Outcome = 'done' | 'lost' | 'not-ours'

/** Claims a block for a node; `not-ours` when another has it. */
export async function claim(store: Datastore, cidr: Prefix, node: string, options: Options): Promise<Outcome> {
  const staked = await stake(store, cidr, node, options)
  return staked === undefined ? 'not-ours' : settle(store, staked, options)
}

/** Finishes what a crash or a race left of an own claim: confirms it when its block is there, else gives it up, and then it is `not-ours`. */
export async function mend(store: Datastore, affinity: Pending, options: Options): Promise<Outcome> {
  const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(affinity.value.block), options)
  if (block !== undefined) return settle(store, affinity, options)
  const deleted = await store.delete(affinityKey(affinity.value.block), affinity.revision, options)
  return deleted.is === 'conflict' ? 'lost' : 'not-ours'
}

/** Gives a block up as it was read; `lost` when it is in use again, and then it is confirmed again. */
export async function vacate(store: Datastore, block: Stored<IpamBlock>, options: Options): Promise<Outcome> {
  const { cidr, node } = block.value
  const staked = await stake(store, cidr, node, options)
  if (staked === undefined) return 'not-ours'
  const deleted = await store.delete(ipamBlockKey(cidr), block.revision, options)
  if (deleted.is === 'conflict') {
    await settle(store, staked, options)
    return 'lost'
  }
  await store.delete(affinityKey(cidr), staked.revision, options)
  return 'done'
}

type Pending = Pick<Stored<BlockAffinity>, 'value' | 'revision' | 'document'>

/** Writes a pending affinity for the node, taking over what nobody owns; undefined when the block is somebody else's. */
async function stake(store: Datastore, cidr: Prefix, node: string, options: Options): Promise<Pending | undefined> {
  const value: BlockAffinity = { block: cidr, node, state: 'pending' }
  const present = await getOf(store, BLOCK_AFFINITY, affinityKey(cidr), options)
  const document = present?.document
  const staked = (revision: Revision | undefined) => (revision === undefined ? undefined : { value, revision, document })
  if (present === undefined) return staked(revisionOf(await createOf(store, BLOCK_AFFINITY, value, options)))
  if (present.value.node !== node && !(await isVacant(store, present.value, node, options))) return undefined
  return staked(revisionOf(await updateOf(store, BLOCK_AFFINITY, { ...present, value }, options)))
}

async function isVacant(store: Datastore, affinity: BlockAffinity, node: string, options: Options): Promise<boolean> {
  if (affinity.state === 'confirmed') return false
  const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(affinity.block), options)
  return block === undefined || block.value.node === node
}

/** From pending to confirmed, by way of the block. */
async function settle(store: Datastore, { value, revision, document }: Pending, options: Options): Promise<Outcome> {
  const owner = await writeBlock(store, value, options)
  if (owner === undefined) return 'lost'
  const isOurs = owner === value.node
  const settled: BlockAffinity = { ...value, node: owner, state: isOurs ? 'confirmed' : 'pending' }
  const written = await updateOf(store, BLOCK_AFFINITY, { value: settled, revision, document }, options)
  if (written.is !== 'written') return 'lost'
  return isOurs ? 'done' : 'not-ours'
}

/** Makes the block, or writes it again as it is; says whose it is, or undefined when it moved meanwhile. */
async function writeBlock(store: Datastore, { block, node }: BlockAffinity, options: Options): Promise<string | undefined> {
  const created = await createOf(store, IPAM_BLOCK, emptyBlock(block, node), options)
  if (created.is === 'written') return node
  const present = await getOf(store, IPAM_BLOCK, ipamBlockKey(block), options)
  if (present === undefined || present.value.node !== node) return present?.value.node
  return (await updateOf(store, IPAM_BLOCK, present, options)).is === 'written' ? node : undefined
}

function revisionOf(result: { readonly is: string; readonly revision?: Revision }): Revision | undefined {
  return result.revision
}
