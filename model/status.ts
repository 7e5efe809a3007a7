/** What an agent tells about itself on its status socket; JSON all through, the contract between agent and calictl. */

import type { Carriage } from './intent.ts'
import type { IpipMode, VxlanMode } from './resources/ip-pool.ts'

export interface AgentStatus {
  readonly node: string
  readonly id: string
  readonly version: string
  readonly pid: number
  /** RFC 3339. */
  readonly startedAt: string
  /** `172.16.20.11/24`, and how it was chosen. */
  readonly address: string
  readonly addressFrom: string
  readonly asn: number
  readonly datastore: DatastoreStatus
  readonly books: BooksStatus
  readonly ipip: IpipStatus
  readonly vxlan: VxlanStatus
  /** The pools as this agent acts upon them: how a change of mode is seen to have arrived. */
  readonly pools: readonly PoolStatus[]
  readonly firewall: FirewallStatus
  readonly bgp: BgpStatus
  readonly routes: readonly RouteStatus[]
  readonly workloads: readonly WorkloadStatus[]
  /** What is wanted against what is there, a row for each of the kernel's tables. */
  readonly tables: readonly TableStatus[]
  readonly repairs: RepairStatus
  /** What somebody should look at, one sentence each. Empty when all is well. */
  readonly problems: readonly string[]
  /** All that was wanted is in the kernel, and nothing waits. */
  readonly converged: boolean
}

export interface DatastoreStatus {
  readonly url: string
  /** `stale` means: the last answer is older than `since`, and traffic goes on as it was. */
  readonly state: 'connecting' | 'in-sync' | 'stale'
  readonly since: string
  readonly error: string | null
}

/** What came and went while the datastore was away. */
export interface BooksStatus {
  /** Endpoints that the datastore has not been told of yet, or told to forget. */
  readonly unwritten: number
  /** What stands in the way of telling it, and what was told otherwise than thought; `at` is RFC 3339, `about` an address. */
  readonly notices: readonly { readonly at: string; readonly about: string; readonly says: string }[]
}

export interface IpipStatus {
  /** What this kernel can do. */
  readonly supported: boolean
  /** Why not, where it is not. */
  readonly reason: string | null
  readonly device: { readonly name: string; readonly address: string | null; readonly mtu: number; readonly up: boolean } | null
}

export interface VxlanStatus {
  /** What this kernel can do. */
  readonly supported: boolean
  /** Why not, where it is not. */
  readonly reason: string | null
  readonly device: {
    readonly name: string
    readonly address: string | null
    readonly mac: string | null
    readonly mtu: number
    readonly up: boolean
    readonly vni: number
    readonly port: number
  } | null
}

export interface FirewallStatus {
  /** The node's nftables table is in force. */
  readonly active: boolean
  /** Why not, where it is not. */
  readonly reason: string | null
  /** Packets, since the table was made. */
  readonly dropped: {
    /** IP protocol 4 from an address that is no node's, or from a pod. */
    readonly forgedIpip: number
    /** UDP to the port of VXLAN from an address that is no node's, or from a pod. */
    readonly forgedVxlan: number
    /** From a pod with a source address that is not its own. */
    readonly spoofedSource: number
  }
}

export interface PoolStatus {
  readonly name: string
  readonly ipipMode: IpipMode
  readonly vxlanMode: VxlanMode
  readonly natOutgoing: boolean
}

export interface BgpStatus {
  readonly routerId: string
  readonly asn: number
  readonly listen: string
  readonly peers: readonly PeerStatus[]
  /** Prefixes that this node announces. */
  readonly originated: readonly string[]
  /** False while a restarted agent still waits for its peers' End-of-RIB; nothing is removed from the kernel before. */
  readonly settled: boolean
}

export interface PeerStatus {
  readonly address: string
  /** The node behind it, or the name from the configuration. */
  readonly name: string
  readonly asn: number
  readonly type: 'mesh' | 'configured'
  readonly state: string
  /** RFC 3339: since when the state holds. */
  readonly since: string
  readonly received: number
  readonly accepted: number
  readonly advertised: number
  readonly stale: number
  readonly flaps: number
  readonly lastError: string | null
}

export interface RouteStatus {
  readonly destination: string
  readonly kind: 'workload' | 'block' | 'remote'
  readonly carriage: Carriage | null
  readonly gateway: string | null
  readonly device: string | null
  readonly node: string | null
  /** As `ip route` prints it. */
  readonly text: string
  readonly why: string
  readonly state: 'installed' | 'pending' | 'failed' | 'conflict'
  readonly problem: string | null
}

export interface WorkloadStatus {
  readonly namespace: string
  readonly pod: string
  readonly address: string
  readonly interfaceName: string
  readonly interfacePresent: boolean
  /** The kernel's numbers of the two ends of the pair, each in its own namespace; null where the interface is missing. */
  readonly interfaceIndex: number | null
  readonly podInterfaceIndex: number | null
}

export interface TableStatus {
  readonly name: string
  readonly wanted: number
  /** Of those wanted, as many as are there as they should be. */
  readonly actual: number
  /** Rows of ours that nobody wants. */
  readonly stale: number
  /** Since the agent started. */
  readonly repairs: number
}

export interface RepairStatus {
  readonly count: number
  /** The newest first; bounded. */
  readonly last: readonly { readonly at: string; readonly object: string; readonly found: string }[]
}

/** What a node knows by BGP: every path, used or not. */
export interface BgpTable {
  readonly node: string
  readonly paths: readonly BgpPath[]
}

export interface BgpPath {
  readonly prefix: string
  /** Address of the peer that told it, or `local`. */
  readonly from: string
  readonly name: string
  /** Null for routes of the node itself. */
  readonly nextHop: string | null
  readonly asPath: string
  readonly origin: string
  readonly localPref: number | null
  readonly med: number | null
  readonly communities: readonly string[]
  readonly stale: boolean
  readonly best: boolean
  /** `best`, `lost by local-pref`, `refused: …`. */
  readonly verdict: string
}
