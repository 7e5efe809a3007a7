/** How a router may stand to us, and a third speaker to each of the two. */
import type { PeerConfig } from '@network/bgp/speaker.ts'
import { FrrRouter } from './frr-router.ts'
import type { StartOptions } from './ours.ts'
import { BirdRouter, type Part, type Router } from './routers.ts'

export const KINDS: readonly { readonly name: 'BIRD' | 'FRR'; readonly make: () => Router }[] = [
  { name: 'BIRD', make: () => new BirdRouter() },
  { name: 'FRR', make: () => new FrrRouter() },
]

export type Kind = 'internal' | 'external'

export interface Role {
  readonly name: RoleName
  readonly part: Omit<Part, 'third'>
  readonly peer: Partial<PeerConfig>
  readonly clusterId?: string
  readonly thirdToUs: Kind
  readonly thirdToRouter: Kind
}

export type RoleName = 'a plain peer outside' | 'a plain peer inside' | 'our reflector' | 'our client'

export const ROLES: readonly Role[] = [
  { name: 'a plain peer outside', part: { asn: 65001 }, peer: { asn: 65001 }, thirdToUs: 'external', thirdToRouter: 'external' },
  { name: 'a plain peer inside', part: { asn: 64512 }, peer: {}, thirdToUs: 'external', thirdToRouter: 'external' },
  { name: 'our reflector', part: { asn: 64512, reflects: true }, peer: {}, thirdToUs: 'external', thirdToRouter: 'internal' },
  {
    name: 'our client',
    part: { asn: 64512 },
    peer: { client: true },
    clusterId: '8.8.8.8',
    thirdToUs: 'internal',
    thirdToRouter: 'external',
  },
]

/** The AS of the third one towards somebody. */
export function thirdAsn(kind: Kind): number {
  return kind === 'internal' ? 64512 : 65003
}

/** We in our half of a role. */
export function ourHalf({ peer, clusterId }: Role, changes: Partial<PeerConfig> = {}): StartOptions {
  return { peer: { ...peer, ...changes }, ...(clusterId === undefined ? {} : { clusterId }) }
}
