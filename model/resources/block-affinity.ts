/** BlockAffinity: which node a block belongs to; cold data, all that routing needs. */

import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { object } from '../schema/compound.ts'
import { prefix4 } from '../schema/network.ts'
import { choice, name } from '../schema/plain.ts'
import { type Kind, keyPrefixOf, metadataOf, shapedKind } from './kind.ts'

export interface BlockAffinity {
  readonly block: Prefix
  readonly node: string
  /** `pending` is a claim under way and owns nothing; only `confirmed` is advertised. */
  readonly state: 'pending' | 'confirmed'
}

const spec = object('Which block, which node.', {
  cidr: prefix4('The block.'),
  node: name('The node that gives addresses of the block to its pods and announces it.'),
  state: choice('A claim under way is pending and owns nothing; a confirmed one does.', ['pending', 'confirmed']),
})

export const BLOCK_AFFINITY: Kind<BlockAffinity> = shapedKind(
  {
    kind: 'BlockAffinity',
    plural: 'blockaffinities',
    shortNames: ['affinity', 'affinities'],
    doc: 'Which node a block of addresses belongs to.',
    writtenBy: 'agents',
    spec,
    columns: [
      { title: 'CIDR', path: 'spec.cidr' },
      { title: 'NODE', path: 'spec.node' },
      { title: 'STATE', path: 'spec.state' },
    ],
  },
  {
    take: ({ spec: { cidr, node, state } }): BlockAffinity => ({ block: cidr, node, state }),
    give: ({ block, node, state }) => ({
      metadata: metadataOf(blockName(block)),
      spec: { cidr: block, node, state },
      status: undefined,
    }),
    keyOf: ({ block }) => affinityKey(block),
  },
)

/** One key a block, so that two nodes that claim it meet in one compare-and-swap. */
export function affinityKey(block: Prefix): string {
  return `${keyPrefixOf('blockaffinities')}${blockName(block)}`
}

/** `10.244.7.0/26` as a resource name: `10-244-7-0-26`. */
export function blockName(block: Prefix): string {
  return formatPrefix(block).replace(/[./]/g, '-')
}
