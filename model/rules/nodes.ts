/** Nodes among nodes and pools: one machine a name, one node an address. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix } from '@network/base/net/prefix.ts'
import { IP_POOL } from '../resources/ip-pool.ts'
import type { Problem } from '../resources/kind.ts'
import { NODE, type Node } from '../resources/node.ts'
import { type Documents, heldOf } from './stock.ts'

/** What stands in the way of a node as it is to be; `before` is what has its name now. */
export function checkNode(node: Node, before: Node | undefined, documents: Documents): readonly Problem[] {
  const at = 'spec.bgp.ipv4Address'
  const address = formatIpv4(node.address)
  const others = heldOf(NODE, documents).filter(({ value }) => value.name !== node.name)
  const sameAddress = others
    .filter(({ value }) => value.address === node.address)
    .map(({ value }) => ({ at, says: `${address} already belongs to node ${value.name}: give one of them another address` }))
  const sameTunnel = others
    .filter(({ value }) => node.tunnelAddress !== undefined && value.tunnelAddress === node.tunnelAddress)
    .map(({ value }) => ({
      at: 'spec.bgp.ipv4IPIPTunnelAddr',
      says: `already belongs to node ${value.name}: leave it out, and the agent takes another`,
    }))
  const inPool = heldOf(IP_POOL, documents)
    .filter(({ value }) => contains(value.cidr, node.address))
    .map(({ value }) => ({
      at,
      says: `${address} is inside pool ${value.name} ${formatPrefix(value.cidr)}, whose addresses are for pods: give the node another`,
    }))
  return [...sameMachine(node, before), ...sameAddress, ...sameTunnel, ...inPool]
}

function sameMachine(node: Node, before: Node | undefined): readonly Problem[] {
  if (before === undefined || before.id === node.id) return []
  return [
    {
      at: 'spec.nodeId',
      says: `the name ${node.name} belongs to machine ${before.id}: delete that node if it is gone, or choose another name`,
    },
  ]
}
