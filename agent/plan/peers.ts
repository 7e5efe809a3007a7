/** Who this node speaks BGP with. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { Snapshot } from '@network/model/snapshot.ts'

export interface Neighbour {
  readonly name: string
  readonly address: Ipv4
  readonly asn: number
  readonly type: 'mesh' | 'configured'
  /** Who dials first: the lower identifier at once, the higher after a while, so that two connections seldom meet. */
  readonly dials: 'at-once' | 'later'
}

/** The full mesh: every other Node. */
export function planMesh(self: Node, snapshot: Snapshot, clusterAsn: number): Neighbour[] {
  return [...snapshot.nodes.values()]
    .filter(node => node.name !== self.name && node.address !== self.address)
    .map(node => ({
      name: node.name,
      address: node.address,
      asn: node.asn ?? clusterAsn,
      type: 'mesh',
      dials: self.address < node.address ? 'at-once' : 'later',
    }))
}
