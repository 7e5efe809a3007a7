/** BlockAffinity: which node a block belongs to; cold data, all that routing needs. */

import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import * as v from 'valibot'
import { documentOf, nameField, prefixField } from './fields.ts'
import { API_VERSION, type Kind, keyPrefixOf, parserOf } from './kind.ts'

export interface BlockAffinity {
  readonly block: Prefix
  readonly node: string
  /** `pending` is a claim under way and owns nothing; only `confirmed` is advertised. */
  readonly state: 'pending' | 'confirmed'
}

const spec = v.strictObject(
  {
    cidr: prefixField,
    node: nameField,
    state: v.picklist(['pending', 'confirmed'], 'must be pending or confirmed'),
  },
  'must be an object with cidr, node and state',
)

const schema = v.pipe(
  documentOf('BlockAffinity', spec),
  v.transform(({ spec }): BlockAffinity => ({ block: spec.cidr, node: spec.node, state: spec.state })),
)

export const BLOCK_AFFINITY: Kind<BlockAffinity> = {
  kind: 'BlockAffinity',
  plural: 'blockaffinities',
  parse: parserOf('BlockAffinity', schema),
  keyOf: affinity => affinityKey(affinity.block),
  print: affinity => ({
    apiVersion: API_VERSION,
    kind: 'BlockAffinity',
    metadata: { name: blockName(affinity.block) },
    spec: { cidr: formatPrefix(affinity.block), node: affinity.node, state: affinity.state },
  }),
}

/** One key a block, so that two nodes that claim it meet in one compare-and-swap. */
export function affinityKey(block: Prefix): string {
  return `${keyPrefixOf('blockaffinities')}${blockName(block)}`
}

/** `10.244.7.0/26` as a resource name: `10-244-7-0-26`. */
export function blockName(block: Prefix): string {
  return formatPrefix(block).replace(/[./]/g, '-')
}
