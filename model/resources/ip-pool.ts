/** IPPool: a range that pods get addresses from, and how packets to it travel. */

import type { Prefix } from '@network/base/net/prefix.ts'
import { list, object } from '../schema/compound.ts'
import { immutable, standard } from '../schema/field.ts'
import { prefix4 } from '../schema/network.ts'
import { choice, flag, whole } from '../schema/plain.ts'
import { selector } from '../selector/field.ts'
import { ALL, type Selector } from '../selector/selector.ts'
import { type Kind, keyPrefixOf, metadataOf, shapedKind } from './kind.ts'

export const IPIP_MODES = ['Always', 'CrossSubnet', 'Never'] as const
export type IpipMode = (typeof IPIP_MODES)[number]
export type VxlanMode = IpipMode

export const POOL_USES = ['Workload', 'Tunnel'] as const
export type PoolUse = (typeof POOL_USES)[number]

export const ASSIGNMENT_MODES = ['Automatic', 'Manual'] as const
export type AssignmentMode = (typeof ASSIGNMENT_MODES)[number]

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
  /** Nodes that may claim blocks; left out: all. */
  readonly nodeSelector?: Selector
  /** Left out: both. */
  readonly allowedUses?: readonly PoolUse[]
  /** Left out: Automatic. */
  readonly assignmentMode?: AssignmentMode
  /** Left out: blocks are announced. */
  readonly disableBgpExport?: boolean
}

const MIN_BLOCK = 20
const MAX_BLOCK = 32
const DEFAULT_BLOCK_SIZE = 26

const OFF = { former: { Off: 'Never', off: 'Never' } }

const spec = object(
  'The range and how it is used.',
  {
    cidr: immutable(prefix4('The range; pools do not overlap.')),
    blockSize: immutable(
      standard(
        whole('Length of the blocks that nodes claim: 26 is 64 addresses.', { min: MIN_BLOCK, max: MAX_BLOCK }),
        DEFAULT_BLOCK_SIZE,
      ),
    ),
    ipipMode: standard(
      choice('Packets between nodes go through IPIP: always, only to other subnets, or never.', IPIP_MODES, OFF),
      'Never',
    ),
    vxlanMode: standard(
      choice('Packets between nodes go through VXLAN: always, only to other subnets, or never.', IPIP_MODES, OFF),
      'Never',
    ),
    natOutgoing: standard(flag('Pods reach what is outside of all pools with the address of their node.'), false),
    disabled: standard(flag('No new addresses are taken from the pool; those in use stay.'), false),
    disableBGPExport: standard(flag('Blocks of the pool are not announced by BGP.'), false),
    nodeSelector: standard(selector('Nodes that may claim blocks of the pool.'), ALL),
    allowedUses: standard(
      list('What addresses are taken for.', choice('One use.', POOL_USES), { min: 1, unique: true }),
      POOL_USES,
    ),
    assignmentMode: standard(
      choice('Manual: addresses are taken only where the pool is asked for by name.', ASSIGNMENT_MODES),
      'Automatic',
    ),
  },
  {
    lacking: { namespaceSelector: ['all()', ''], ipip: [], 'nat-outgoing': [false] },
    rules: rule => [
      rule(['cidr', 'blockSize'], {
        at: 'blockSize',
        holds: ({ cidr, blockSize }) => blockSize >= cidr.length,
        says: 'is larger than the pool: raise blockSize to at least the length of cidr',
        cel: "int(self.cidr.split('/')[1]) <= self.blockSize",
      }),
      rule(['ipipMode', 'vxlanMode'], {
        at: 'vxlanMode',
        holds: ({ ipipMode, vxlanMode }) => ipipMode === 'Never' || vxlanMode === 'Never',
        says: 'is not Never, and neither is ipipMode: a pool has one tunnel; set one of the two to Never',
        cel: "self.ipipMode == 'Never' || self.vxlanMode == 'Never'",
      }),
    ],
  },
)

export const IP_POOL: Kind<IpPool> = shapedKind(
  {
    kind: 'IPPool',
    shortNames: ['ipp', 'pool', 'pools'],
    doc: 'A range that pods get addresses from, and how packets to it travel.',
    spec,
    columns: [
      { title: 'CIDR', path: 'spec.cidr' },
      { title: 'SELECTOR', path: 'spec.nodeSelector' },
      { title: 'NAT', path: 'spec.natOutgoing', wide: true },
      { title: 'IPIPMODE', path: 'spec.ipipMode', wide: true },
      { title: 'VXLANMODE', path: 'spec.vxlanMode', wide: true },
      { title: 'DISABLED', path: 'spec.disabled', wide: true },
      { title: 'DISABLEBGPEXPORT', path: 'spec.disableBGPExport', wide: true },
      { title: 'ASSIGNMENTMODE', path: 'spec.assignmentMode', wide: true },
    ],
  },
  {
    take: ({ metadata: { name }, spec: { disableBGPExport, ...rest } }): IpPool => ({
      name,
      ...rest,
      disableBgpExport: disableBGPExport,
    }),
    give: ({
      name,
      disableBgpExport = false,
      nodeSelector = ALL,
      allowedUses = POOL_USES,
      assignmentMode = 'Automatic',
      ...rest
    }) => ({
      metadata: metadataOf(name),
      spec: { ...rest, nodeSelector, allowedUses, assignmentMode, disableBGPExport: disableBgpExport },
      status: undefined,
    }),
    keyOf: ({ name }) => poolKey(name),
  },
)

export function poolKey(name: string): string {
  return `${keyPrefixOf('ippools')}${name}`
}

/** Reads a mode as people type it: any case; `off` as Calico once had it. */
export function parseIpipMode(text: string): IpipMode | undefined {
  const lower = text.toLowerCase()
  if (lower === 'off') return 'Never'
  return IPIP_MODES.find(mode => mode.toLowerCase() === lower)
}
