/** BGPPeers and what they name: nodes, filters and one another. */

import { didYouMean } from '@network/base/text/closest.ts'
import { BGP_FILTER } from '../resources/bgp-filter.ts'
import { BGP_PEER, type BgpPeer, formatPeerAddress } from '../resources/bgp-peer.ts'
import type { Problem } from '../resources/kind.ts'
import { NODE } from '../resources/node.ts'
import { matches } from '../selector/selector.ts'
import { type Documents, heldOf } from './stock.ts'

/** What a peer names that is not there, and what it says a second time. */
export function checkPeer(peer: BgpPeer, documents: Documents): readonly Problem[] {
  return [...missingNode(peer, documents), ...missingFilters(peer, documents), ...sameSession(peer, documents)]
}

function missingNode({ spec: { node } }: BgpPeer, documents: Documents): readonly Problem[] {
  if (node === undefined) return []
  const names = heldOf(NODE, documents).map(({ value }) => value.name)
  return names.includes(node) ? [] : [{ at: 'spec.node', says: `there is no node ${node}: ${instead(node, names, 'nodes')}` }]
}

function missingFilters({ spec: { filters } }: BgpPeer, documents: Documents): readonly Problem[] {
  if (filters.length === 0) return []
  const names = heldOf(BGP_FILTER, documents).map(({ value }) => value.metadata.name)
  return filters.flatMap((name, index) =>
    names.includes(name)
      ? []
      : [{ at: `spec.filters[${index}]`, says: `there is no BGPFilter ${name}: ${instead(name, names, 'filters')}` }],
  )
}

/** Two sessions of one node to one address would take turns at throwing each other out. */
function sameSession(peer: BgpPeer, documents: Documents): readonly Problem[] {
  const { peerIP } = peer.spec
  if (peerIP === undefined) return []
  const to = formatPeerAddress(peerIP)
  const nodes = heldOf(NODE, documents).map(({ value }) => value)
  const mine = new Set(nodes.filter(node => peers(peer, node)).map(({ name }) => name))
  return heldOf(BGP_PEER, documents).flatMap(({ value }) => {
    const same =
      value.metadata.name !== peer.metadata.name && value.spec.peerIP !== undefined && formatPeerAddress(value.spec.peerIP) === to
    const shared = same ? nodes.filter(node => mine.has(node.name) && peers(value, node)).map(({ name }) => name) : []
    if (shared.length === 0) return []
    return [
      {
        at: 'spec.peerIP',
        says: `BGPPeer ${value.metadata.name} peers ${shared.join(', ')} with ${to} already: keep one of them`,
      },
    ]
  })
}

function peers({ spec }: BgpPeer, node: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }): boolean {
  if (spec.node !== undefined) return spec.node === node.name
  return spec.nodeSelector === undefined || matches(spec.nodeSelector, node.labels ?? {})
}

/** A filter that a peer names cannot be deleted. */
export function checkFilterGone(name: string, documents: Documents): readonly Problem[] {
  const users = heldOf(BGP_PEER, documents).filter(({ value }) => value.spec.filters.includes(name))
  if (users.length === 0) return []
  const names = users.map(({ value }) => value.metadata.name).join(', ')
  return [{ at: '', says: `BGPPeer ${names} names it: take it out there first` }]
}

function instead(name: string, known: readonly string[], what: string): string {
  if (known.length === 0) return `there are no ${what} yet; create it first`
  return didYouMean(name, known).trim() || `create it first; the ${what} are ${known.slice(0, 10).join(', ')}`
}
