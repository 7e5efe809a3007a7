/** What should be true in the kernel, by name and value, never by index. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'

/** How packets to a remote block leave this node. */
export type Carriage = 'plain' | 'ipip' | 'vxlan' | 'gateway'

export type RouteIntent = {
  readonly destination: Prefix
  /** Why it is wanted, in one sentence, for whoever asks. */
  readonly why: string
} & (
  | { readonly is: 'blackhole' }
  /** A remote block that this kernel cannot tunnel to: refused aloud instead of leaking plain packets to the default gateway. */
  | { readonly is: 'unreachable'; readonly node: string | undefined }
  /** A pod of this node: scope link, straight to its veth. */
  | { readonly is: 'workload'; readonly device: string }
  | {
      readonly is: 'remote'
      readonly carriage: Carriage
      readonly gateway: Ipv4
      readonly device: string
      readonly onlink: boolean
      /** The node that the block lives on, where it is known. */
      readonly node: string | undefined
    }
)

export interface LinkIntent {
  readonly name: string
  /** Made when absent; undefined for links that others make. */
  readonly create: 'ipip' | VxlanCreation | undefined
  readonly up: boolean
  /** Octets; undefined leaves it as it is. */
  readonly mtu: number | undefined
}

/** A device of another VNI, port, source or NIC is another device. */
export interface VxlanCreation {
  readonly kind: 'vxlan'
  readonly vni: number
  /** UDP. */
  readonly port: number
  /** Source of the outer packets. */
  readonly local: Ipv4
  /** The NIC that they leave by. */
  readonly over: string
  readonly mac: string
}

/** The far end of a tunnel: a permanent neighbour and a forwarding entry, which are nothing without each other. */
export interface VtepIntent {
  readonly device: string
  /** What routes go via. */
  readonly address: Ipv4
  readonly mac: string
  /** Where the outer packets go. */
  readonly remote: Ipv4
  readonly node: string
}

export interface AddressIntent {
  readonly device: string
  readonly address: Ipv4
  readonly length: number
}

export interface SysctlIntent {
  /** Below /proc/sys: `net/ipv4/conf/tunl0/rp_filter`. */
  readonly path: string
  /** The values that are right; the first is written when the present one is not among them. */
  readonly accept: readonly [string, ...string[]]
  readonly why: string
}

/** What the node's own nftables table lets pass. */
export interface FirewallIntent {
  /** All pools: between their addresses, and to nodes, nobody translates a source. */
  readonly pools: readonly Prefix[]
  /** Pools whose pods speak to everybody else with the address of their node. */
  readonly natPools: readonly Prefix[]
  /** UDP port and network of VXLAN; undefined where this node uses none, and the port is anybody's. */
  readonly vxlan: { readonly port: number; readonly vni: number } | undefined
  /** Devices by which pods of other nodes are reached. */
  readonly tunnels: readonly string[]
  /** The NIC that other nodes are reached by: what others' rules say of it concerns pods. */
  readonly underlay: string
  /** May send IPIP and VXLAN to this node. */
  readonly nodes: ReadonlySet<Ipv4>
  /** May speak BGP with this node. */
  readonly peers: ReadonlySet<Ipv4>
  /** Each pod's interface with an address that it may send from. */
  readonly sources: readonly { readonly device: string; readonly address: Ipv4 }[]
}

/** Everything that one node wants of its kernel, each table by its key. */
export interface Intents {
  readonly links: ReadonlyMap<string, LinkIntent>
  readonly addresses: ReadonlyMap<string, AddressIntent>
  /** By the address that routes go via. */
  readonly vteps: ReadonlyMap<string, VtepIntent>
  readonly routes: ReadonlyMap<string, RouteIntent>
  readonly sysctls: ReadonlyMap<string, SysctlIntent>
}

export function addressKey(intent: AddressIntent): string {
  return `${intent.device} ${formatIpv4(intent.address)}/${intent.length}`
}

/** The route as `ip route` would print it. */
export function formatRoute(route: RouteIntent): string {
  const destination = formatPrefix(route.destination).replace(/\/32$/, '')
  switch (route.is) {
    case 'blackhole':
      return `blackhole ${destination} proto 80 metric 1024`
    case 'unreachable':
      return `unreachable ${destination} proto 80 metric 1024`
    case 'workload':
      return `${destination} dev ${route.device} proto 80 scope link metric 1024`
    case 'remote':
      return `${destination} via ${formatIpv4(route.gateway)} dev ${route.device} proto 80 metric 1024${route.onlink ? ' onlink' : ''}`
    default:
      return route satisfies never
  }
}
