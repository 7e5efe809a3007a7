/** Whether a change may be made to what is there: all rules between resources, as functions of a snapshot. */

import { BGP_FILTER } from '../resources/bgp-filter.ts'
import { BGP_PEER } from '../resources/bgp-peer.ts'
import { IP_POOL } from '../resources/ip-pool.ts'
import { IPAM_BLOCK } from '../resources/ipam-block.ts'
import { type Kind, keyPrefixOf, type Problem } from '../resources/kind.ts'
import { KINDS } from '../resources/kinds.ts'
import { NODE } from '../resources/node.ts'
import { BUILT_IN_TIERS, GLOBAL_NETWORK_POLICY, NETWORK_POLICY, TIER } from '../resources/policies.ts'
import type { Change } from '../snapshot.ts'
import { checkFilterGone, checkPeer } from './bgp.ts'
import { checkImmutable } from './immutable.ts'
import { checkNode } from './nodes.ts'
import { checkPool, checkPoolGone } from './pools.ts'
import { type Documents, heldOf, kindOfKey } from './stock.ts'

/**
 * Problems of one change among the documents that are there; empty when it may be made. `documents` need only hold the kinds that
 * `kindsToCheck` names. A document that its own kind cannot read is told with the problems that it has.
 */
export function checkChange(documents: Documents, change: Change): readonly Problem[] {
  const kind = kindOfKey(change.key, KINDS)
  if (kind === undefined) return [{ at: 'kind', says: `no kind has documents under ${change.key}` }]
  const before = documents.get(change.key)
  if (change.document === undefined) return before === undefined ? [] : (GONE.get(kind.kind)?.(before, documents) ?? [])
  const parsed = kind.parse(change.document)
  if (!parsed.ok) return parsed.problems
  const belongs = kind.keyOf(parsed.value)
  if (belongs !== change.key) return [{ at: 'metadata.name', says: `lies under ${change.key} but names itself ${belongs}` }]
  return [...checkImmutable(kind, before, parsed.document), ...(PUT.get(kind.kind)?.(parsed.document, documents) ?? [])]
}

/** The kinds that rules look at when one of `kind` changes: what to read before `checkChange`. */
export function kindsToCheck(kind: Kind<unknown>): readonly Kind<unknown>[] {
  return [...new Set([kind, ...(NEEDS.get(kind.kind) ?? [])])]
}

type Check = (document: unknown, documents: Documents) => readonly Problem[]

const PUT: ReadonlyMap<string, Check> = new Map([
  on(IP_POOL, checkPool),
  on(NODE, (node, documents) => checkNode(node, valueAt(NODE, NODE.keyOf(node), documents), documents)),
  on(BGP_PEER, checkPeer),
  on(NETWORK_POLICY, checkTierOf),
  on(GLOBAL_NETWORK_POLICY, checkTierOf),
])

const GONE: ReadonlyMap<string, Check> = new Map([
  on(IP_POOL, checkPoolGone),
  on(BGP_FILTER, ({ metadata }, documents) => checkFilterGone(metadata.name, documents)),
  on(TIER, ({ metadata }, documents) => checkTierGone(metadata.name, documents)),
])

const NEEDS: ReadonlyMap<string, readonly Kind<unknown>[]> = new Map<string, readonly Kind<unknown>[]>([
  [IP_POOL.kind, [NODE, IPAM_BLOCK]],
  [NODE.kind, [IP_POOL]],
  [BGP_PEER.kind, [NODE, BGP_FILTER]],
  [BGP_FILTER.kind, [BGP_PEER]],
  [NETWORK_POLICY.kind, [TIER]],
  [GLOBAL_NETWORK_POLICY.kind, [TIER]],
  [TIER.kind, [NETWORK_POLICY, GLOBAL_NETWORK_POLICY]],
])

function on<T>(kind: Kind<T>, check: (value: T, documents: Documents) => readonly Problem[]): readonly [string, Check] {
  return [
    kind.kind,
    (document, documents) => {
      const parsed = kind.parseStored(document)
      return parsed.ok ? check(parsed.value, documents) : []
    },
  ]
}

function valueAt<T>(kind: Kind<T>, key: string, documents: Documents): T | undefined {
  const parsed = kind.parseStored(documents.get(key))
  return parsed.ok ? parsed.value : undefined
}

function checkTierOf({ spec }: { readonly spec: { readonly tier: string } }, documents: Documents): readonly Problem[] {
  const there = BUILT_IN_TIERS.has(spec.tier) || documents.has(`${keyPrefixOf(TIER.plural)}${spec.tier}`)
  return there ? [] : [{ at: 'spec.tier', says: `there is no tier ${spec.tier}: create it first` }]
}

function checkTierGone(name: string, documents: Documents): readonly Problem[] {
  if (BUILT_IN_TIERS.has(name)) return [{ at: '', says: `the tier ${name} is always there and cannot be deleted` }]
  const inside = [NETWORK_POLICY, GLOBAL_NETWORK_POLICY].flatMap(kind =>
    heldOf(kind, documents).flatMap(({ value }) => (value.spec.tier === name ? [value.metadata.name] : [])),
  )
  if (inside.length === 0) return []
  return [{ at: '', says: `policies are in it: ${inside.slice(0, 10).join(', ')}; move or delete them first` }]
}
