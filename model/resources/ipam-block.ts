/** IPAMBlock: which addresses of a block are in use; hot data, changes with every pod. */

import { type Prefix, sizeOf } from '@network/base/net/prefix.ts'
import { list, object } from '../schema/compound.ts'
import { prefix4 } from '../schema/network.ts'
import { name, text, whole } from '../schema/plain.ts'
import { blockName } from './block-affinity.ts'
import { type Kind, keyPrefixOf, metadataOf, shapedKind } from './kind.ts'

/** Who has an address. `handle` is what it is released by. */
export interface Allocation {
  readonly handle: string
  readonly node: string
  /** `namespace/pod`, or what else the address is for: `tunnel`. */
  readonly use: string
}

export interface IpamBlock {
  readonly cidr: Prefix
  readonly node: string
  /** By ordinal inside the block. */
  readonly allocations: ReadonlyMap<number, Allocation>
  /** Ordinals that are free, the longest free first. */
  readonly free: readonly number[]
}

/** The use of an address that is a node's own: agents take it and give it up by themselves. */
export const TUNNEL_USE = 'tunnel'

/** How many addresses of the block pods have. */
export function podAddresses({ allocations }: Pick<IpamBlock, 'allocations'>): number {
  return [...allocations.values()].filter(({ use }) => use !== TUNNEL_USE).length
}

const ORDINAL = { min: 0, max: 4095 }

const allocation = object('One address in use.', {
  ordinal: whole('Which address of the block, counted from its first.', ORDINAL),
  handle: text('What the address is released by.', { min: 0 }),
  node: name('The node that the address is used on.'),
  use: text('Namespace and pod, or what else has it.', { min: 0 }),
})

const spec = object(
  'The addresses of the block.',
  {
    cidr: prefix4('The block.'),
    node: name('The node that the block belongs to.'),
    allocations: list('Addresses in use.', allocation),
    free: list('The others, the longest free first.', whole('Which address of the block, counted from its first.', ORDINAL)),
  },
  {
    rules: rule => [
      rule(['cidr', 'allocations', 'free'], {
        holds: eachOnce,
        says: 'must list each address of the block once, as allocated or free',
      }),
    ],
  },
)

type Ordinals = {
  readonly cidr: Prefix
  readonly allocations: readonly { readonly ordinal: number }[]
  readonly free: readonly number[]
}

function eachOnce({ cidr, allocations, free }: Ordinals): boolean {
  const all = new Set(free)
  for (const { ordinal } of allocations) all.add(ordinal)
  const size = sizeOf(cidr)
  return all.size === size && allocations.length + free.length === size && [...all].every(at => at < size)
}

export const IPAM_BLOCK: Kind<IpamBlock> = shapedKind(
  {
    kind: 'IPAMBlock',
    shortNames: ['block', 'blocks'],
    doc: 'Which addresses of a block are in use, and by whom.',
    writtenBy: 'agents',
    spec,
    columns: [
      { title: 'CIDR', path: 'spec.cidr' },
      { title: 'NODE', path: 'spec.node' },
    ],
  },
  {
    take: ({ spec: { cidr, node, allocations, free } }): IpamBlock => ({
      cidr,
      node,
      allocations: new Map(allocations.map(({ ordinal, ...rest }) => [ordinal, rest])),
      free,
    }),
    give: ({ cidr, node, allocations, free }) => ({
      metadata: metadataOf(blockName(cidr)),
      spec: { cidr, node, allocations: [...allocations].map(([ordinal, rest]) => ({ ordinal, ...rest })), free },
      status: undefined,
    }),
    keyOf: ({ cidr }) => ipamBlockKey(cidr),
  },
)

export function ipamBlockKey(cidr: Prefix): string {
  return `${keyPrefixOf('ipamblocks')}${blockName(cidr)}`
}
