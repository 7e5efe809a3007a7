/** IPAMBlock: which addresses of a block are in use; hot data, changes with every pod. */

import { formatPrefix, type Prefix, sizeOf } from '@network/base/net/prefix.ts'
import * as v from 'valibot'
import { blockName } from './block-affinity.ts'
import { documentOf, nameField, prefixField } from './fields.ts'
import { API_VERSION, type Kind, keyPrefixOf, parserOf } from './kind.ts'

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

const ordinal = v.pipe(v.number('must be a number'), v.integer('must be a whole number'), v.minValue(0, 'must not be negative'))

const spec = v.pipe(
  v.strictObject(
    {
      cidr: prefixField,
      node: nameField,
      allocations: v.array(v.strictObject({ ordinal, handle: v.string(), node: nameField, use: v.string() })),
      free: v.array(ordinal),
    },
    'must be an object with cidr, node, allocations and free',
  ),
  v.check(({ cidr, allocations, free }) => {
    const all = new Set([...allocations.map(one => one.ordinal), ...free])
    return all.size === sizeOf(cidr) && allocations.length + free.length === all.size && [...all].every(at => at < all.size)
  }, 'must list each ordinal of the block once, as allocated or free'),
)

const schema = v.pipe(
  documentOf('IPAMBlock', spec),
  v.transform(
    ({ spec }): IpamBlock => ({
      cidr: spec.cidr,
      node: spec.node,
      allocations: new Map(spec.allocations.map(({ ordinal: at, ...allocation }) => [at, allocation])),
      free: spec.free,
    }),
  ),
)

export const IPAM_BLOCK: Kind<IpamBlock> = {
  kind: 'IPAMBlock',
  plural: 'ipamblocks',
  parse: parserOf('IPAMBlock', schema),
  keyOf: block => ipamBlockKey(block.cidr),
  print: block => ({
    apiVersion: API_VERSION,
    kind: 'IPAMBlock',
    metadata: { name: blockName(block.cidr) },
    spec: {
      cidr: formatPrefix(block.cidr),
      node: block.node,
      allocations: [...block.allocations].map(([at, allocation]) => ({ ordinal: at, ...allocation })),
      free: block.free,
    },
  }),
}

export function ipamBlockKey(cidr: Prefix): string {
  return `${keyPrefixOf('ipamblocks')}${blockName(cidr)}`
}
