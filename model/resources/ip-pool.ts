/** IPPool: a range that pods get addresses from, and how packets to it travel. */

import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import * as v from 'valibot'
import { documentOf, prefixField } from './fields.ts'
import { API_VERSION, type Kind, keyPrefixOf, parserOf } from './kind.ts'

export const IPIP_MODES = ['Always', 'CrossSubnet', 'Never'] as const
export type IpipMode = (typeof IPIP_MODES)[number]
export type VxlanMode = IpipMode

export interface IpPool {
  readonly name: string
  readonly cidr: Prefix
  /** Length of the blocks that nodes claim, 20 to 32. */
  readonly blockSize: number
  readonly ipipMode: IpipMode
  /** Never where `ipipMode` is not: a packet has one tunnel. */
  readonly vxlanMode: VxlanMode
  /** Pods of the pool reach what is outside of all pools with their node's address. */
  readonly natOutgoing: boolean
  /** No new addresses from here; those in use stay. */
  readonly disabled: boolean
}

const MIN_BLOCK = 20
const MAX_BLOCK = 32
export const DEFAULT_BLOCK_SIZE = 26

const spec = v.pipe(
  v.strictObject(
    {
      cidr: prefixField,
      blockSize: v.optional(
        v.pipe(
          v.number('must be a number'),
          v.integer('must be a whole number'),
          v.minValue(MIN_BLOCK, `must be ${MIN_BLOCK} to ${MAX_BLOCK}`),
          v.maxValue(MAX_BLOCK, `must be ${MIN_BLOCK} to ${MAX_BLOCK}`),
        ),
        DEFAULT_BLOCK_SIZE,
      ),
      ipipMode: v.optional(v.picklist(IPIP_MODES, `must be one of ${IPIP_MODES.join(', ')}`), 'Never'),
      vxlanMode: v.optional(v.picklist(IPIP_MODES, `must be one of ${IPIP_MODES.join(', ')}`), 'Never'),
      natOutgoing: v.optional(v.boolean('must be true or false'), false),
      disabled: v.optional(v.boolean('must be true or false'), false),
    },
    'must be an object with cidr',
  ),
  v.forward(
    v.partialCheck(
      [['cidr'], ['blockSize']],
      ({ cidr, blockSize }) => blockSize >= cidr.length,
      'is larger than the pool: raise blockSize to at least the length of cidr',
    ),
    ['blockSize'],
  ),
  v.forward(
    v.partialCheck(
      [['ipipMode'], ['vxlanMode']],
      ({ ipipMode, vxlanMode }) => ipipMode === 'Never' || vxlanMode === 'Never',
      'is not Never, and neither is ipipMode: a pool has one tunnel; set one of the two to Never',
    ),
    ['vxlanMode'],
  ),
)

const schema = v.pipe(
  documentOf('IPPool', spec),
  v.transform(
    (document): IpPool => ({
      name: document.metadata.name,
      cidr: document.spec.cidr,
      blockSize: document.spec.blockSize,
      ipipMode: document.spec.ipipMode,
      vxlanMode: document.spec.vxlanMode,
      natOutgoing: document.spec.natOutgoing,
      disabled: document.spec.disabled,
    }),
  ),
)

export const IP_POOL: Kind<IpPool> = {
  kind: 'IPPool',
  plural: 'ippools',
  parse: parserOf('IPPool', schema, [
    { at: 'spec.nodeSelector', harmless: ['all()', ''] },
    { at: 'spec.allowedUses', harmless: [['Workload', 'Tunnel']] },
    { at: 'spec.assignmentMode', harmless: ['Automatic'] },
    { at: 'spec.disableBGPExport', harmless: [false] },
    { at: 'spec.namespaceSelector', harmless: ['all()', ''] },
  ]),
  keyOf: pool => poolKey(pool.name),
  print: pool => ({
    apiVersion: API_VERSION,
    kind: 'IPPool',
    metadata: { name: pool.name },
    spec: {
      cidr: formatPrefix(pool.cidr),
      blockSize: pool.blockSize,
      ipipMode: pool.ipipMode,
      vxlanMode: pool.vxlanMode,
      natOutgoing: pool.natOutgoing,
      disabled: pool.disabled,
    },
  }),
}

export function poolKey(name: string): string {
  return `${keyPrefixOf('ippools')}${name}`
}

/** Reads a mode as people type it: any case; `off` as Calico once had it. */
export function parseIpipMode(text: string): IpipMode | undefined {
  const lower = text.toLowerCase()
  if (lower === 'off') return 'Never'
  return IPIP_MODES.find(mode => mode.toLowerCase() === lower)
}
