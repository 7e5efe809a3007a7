/** What a plan needs to know besides the snapshot: this node, its underlay, what BGP taught it. All plain values. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { VxlanSettings } from '@network/vxlan/settings.ts'

/** The NIC that carries the node's address. */
export interface Underlay {
  readonly device: string
  readonly address: Ipv4
  readonly subnet: Prefix
  /** Octets: what fits on the way to every other node. */
  readonly mtu: number
}

/** A block that a peer announces and BGP has chosen. */
export interface Learned {
  readonly destination: Prefix
  readonly nextHop: Ipv4
  /** How the peer is called: a node's name, or that of a configured peer. */
  readonly from: string
}

/** Where the kernel would send a packet for a next hop. */
export type Gateway = { readonly is: 'reachable'; readonly gateway: Ipv4; readonly device: string } | { readonly is: 'none' }

export interface VxlanFacts {
  readonly settings: VxlanSettings
  /** Of this node's device. */
  readonly mac: string
  /** Undefined means that the kernel can do it; else why not. */
  readonly unsupported: string | undefined
}

export interface Facts {
  /** This node's name. */
  readonly self: string
  readonly snapshot: Snapshot
  readonly underlay: Underlay
  /** Undefined means that the kernel can do it; else why not. */
  readonly ipipUnsupported: string | undefined
  /** How this cluster does VXLAN, and whether this kernel can. */
  readonly vxlan: VxlanFacts
  /** The present value of net/ipv4/conf/all/rp_filter is 1. */
  readonly strictEverywhere: boolean
  readonly learned: readonly Learned[]
  /** The kernel's way to a next hop that is not on the underlay's subnet. */
  readonly gatewayOf: (nextHop: Ipv4) => Gateway
}
