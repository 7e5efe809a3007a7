/** IPReservation and IPAMConfiguration: how addresses are given out. */

import { list, object } from '../schema/compound.ts'
import { standard } from '../schema/field.ts'
import { net } from '../schema/network.ts'
import { flag, whole } from '../schema/plain.ts'
import { type Kind, resourceKind } from './kind.ts'
import { refuseOtherThanDefault } from './shared.ts'

const reservation = object('What is kept back.', {
  reservedCIDRs: list('Prefixes and addresses that no pod is given unless it asks for one of them.', net('One of them.'), {
    min: 1,
  }),
})

export const IP_RESERVATION = resourceKind({
  kind: 'IPReservation',
  shortNames: ['reservation', 'reservations'],
  doc: 'Addresses that pods are not given by themselves.',
  spec: reservation,
  columns: [{ title: 'CIDRS', path: 'spec.reservedCIDRs', wide: true }],
})

export const MAX_BLOCKS = 20

const configuration = object(
  'How blocks and addresses are given out.',
  {
    strictAffinity: standard(
      flag('Nodes take addresses from their own blocks only; with false, a node that can claim no block borrows from others.'),
      true,
    ),
    autoAllocateBlocks: standard(flag('Nodes claim blocks by themselves when they need one.'), true),
    maxBlocksPerHost: standard(
      whole(`Most blocks that a node claims; 0 means ${MAX_BLOCKS}.`, { min: 0, max: 65535, unit: 'blocks' }),
      0,
    ),
    ipCooldownSeconds: standard(
      whole('How long a released address rests before it is given out again; stored, and nothing acts upon it yet.', {
        min: 0,
        max: 1200,
        unit: 'seconds',
      }),
      0,
    ),
  },
  { lacking: { kubeVirtVMAddressPersistence: ['Disabled'] } },
)

export const IPAM_CONFIGURATION = resourceKind({
  kind: 'IPAMConfiguration',
  shortNames: ['ipamconfig', 'ipamconfigs'],
  formerKinds: ['IPAMConfig'],
  doc: 'How blocks and addresses are given out; there is one, named default.',
  spec: configuration,
  refuseName: refuseOtherThanDefault,
  columns: [
    { title: 'STRICTAFFINITY', path: 'spec.strictAffinity' },
    { title: 'AUTOALLOCATEBLOCKS', path: 'spec.autoAllocateBlocks' },
    { title: 'MAXBLOCKSPERHOST', path: 'spec.maxBlocksPerHost' },
  ],
})

export type IpReservation = ValueOf<typeof IP_RESERVATION>
export type IpamConfiguration = ValueOf<typeof IPAM_CONFIGURATION>

/** The type of a kind's values. */
export type ValueOf<K> = K extends Kind<infer T> ? T : never
