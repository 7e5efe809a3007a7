/** All kinds, in the order in which documents of them are applied: what others name comes first. */

import { closest } from '@network/base/text/closest.ts'
import { AGENT_CONFIGURATION } from './agent-configuration.ts'
import { BGP_CONFIGURATION } from './bgp-configuration.ts'
import { BGP_FILTER } from './bgp-filter.ts'
import { BGP_PEER } from './bgp-peer.ts'
import { BLOCK_AFFINITY } from './block-affinity.ts'
import { IP_POOL } from './ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from './ipam.ts'
import { IPAM_BLOCK } from './ipam-block.ts'
import type { Kind } from './kind.ts'
import { NODE } from './node.ts'
import { NODE_STATUS } from './node-status.ts'
import { GLOBAL_NETWORK_POLICY, GLOBAL_NETWORK_SET, HOST_ENDPOINT, NETWORK_POLICY, NETWORK_SET, TIER } from './policies.ts'
import { WORKLOAD_ENDPOINT } from './workload-endpoint.ts'

export const KINDS: readonly Kind<unknown>[] = [
  AGENT_CONFIGURATION,
  IPAM_CONFIGURATION,
  IP_RESERVATION,
  IP_POOL,
  NODE,
  BLOCK_AFFINITY,
  IPAM_BLOCK,
  BGP_CONFIGURATION,
  BGP_FILTER,
  BGP_PEER,
  TIER,
  GLOBAL_NETWORK_SET,
  NETWORK_SET,
  HOST_ENDPOINT,
  GLOBAL_NETWORK_POLICY,
  NETWORK_POLICY,
  WORKLOAD_ENDPOINT,
  NODE_STATUS,
]

/** Kinds of Calico that are not here: a document of one is told apart from a slip of the finger. */
export const KINDS_LACKING: readonly string[] = [
  'ClusterInformation',
  'KubeControllersConfiguration',
  'Profile',
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
  'StagedKubernetesNetworkPolicy',
]

const BY_KIND = new Map(KINDS.flatMap(kind => [kind.kind, ...kind.formerKinds].map(name => [name, kind] as const)))
const BY_NAME = new Map(KINDS.flatMap(kind => namesOf(kind).map(name => [name, kind] as const)))

/** The kind that a document names, exactly as written there; former names count. */
export function kindOfDocument(kind: string): Kind<unknown> | undefined {
  return BY_KIND.get(kind)
}

/** The kind that somebody means by `pool`, `ippools`, `IPPool` and so on, in any case. */
export function kindNamed(name: string): Kind<unknown> | undefined {
  return BY_NAME.get(name.toLowerCase())
}

/** The kind's name nearest to what was typed. */
export function closestKind(typed: string): string | undefined {
  const lower = typed.toLowerCase()
  const exact = [...BY_KIND.keys(), ...KINDS_LACKING].find(name => name.toLowerCase() === lower)
  return (
    exact ??
    kindNamed(typed)?.kind ??
    closest(
      typed,
      KINDS.map(({ kind }) => kind),
    )
  )
}

/** All names that commands take for a kind. */
export function namesOf({ kind, plural, shortNames, formerKinds }: Kind<unknown>): readonly string[] {
  return [...new Set([kind.toLowerCase(), plural, ...shortNames, ...formerKinds.map(name => name.toLowerCase())])]
}
