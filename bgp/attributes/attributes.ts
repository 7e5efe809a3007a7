/** The path attributes of a route as values; what this speaker does not know is carried as bytes. */
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'

export type Origin = 'igp' | 'egp' | 'incomplete'

export interface AsSegment {
  readonly kind: 'sequence' | 'set' | 'confed-sequence' | 'confed-set'
  readonly asns: readonly number[]
}

export type AsPath = readonly AsSegment[]

export interface Aggregator {
  readonly asn: number
  readonly address: Ipv4
}

/** Three 32-bit numbers: who defined it, and two of its own. RFC 8092. */
export interface LargeCommunity {
  readonly global: number
  readonly local1: number
  readonly local2: number
}

/** Where packets go over IPv6. RFC 2545 §3. */
export interface Ipv6NextHop {
  readonly address: Ipv6
  /** Told beside the address when both ends share a link. */
  readonly linkLocal: Ipv6 | undefined
}

/** An optional transitive attribute that is handed on byte for byte. */
export interface OpaqueAttribute {
  readonly code: number
  readonly body: Uint8Array
  /** Somebody on the way, ourselves included, did not understand it. RFC 4271 §5. */
  readonly partial: boolean
}

export interface Attributes {
  readonly origin: Origin
  readonly asPath: AsPath
  /** 0.0.0.0 where `nextHop6` says where to go. */
  readonly nextHop: Ipv4
  /** Of IPv6 routes, and of IPv4 routes over IPv6 (RFC 8950). */
  readonly nextHop6: Ipv6NextHop | undefined
  readonly med: number | undefined
  readonly localPref: number | undefined
  readonly atomicAggregate: boolean
  readonly aggregator: Aggregator | undefined
  /** Each a 32-bit number; RFC 1997. */
  readonly communities: readonly number[]
  readonly originatorId: Ipv4 | undefined
  readonly clusterList: readonly Ipv4[]
  /** Each 64 bits, of whatever type; RFC 4360. */
  readonly extendedCommunities: readonly bigint[]
  readonly largeCommunities: readonly LargeCommunity[]
  readonly opaque: readonly OpaqueAttribute[]
  /** How much this speaker likes the route, before all else; left out: 0. Never on the wire. */
  readonly weight?: number
}

export const NOWHERE = toIpv4(0)

export const GRACEFUL_SHUTDOWN = 0xffff0000
export const BLACKHOLE = 0xffff029a
/** The peer that told it is away for long. RFC 9494 §2. */
export const LLGR_STALE = 0xffff0006
/** Not to be kept so long. RFC 9494 §2. */
export const NO_LLGR = 0xffff0007
export const NO_EXPORT = 0xffffff01
export const NO_ADVERTISE = 0xffffff02
export const NO_EXPORT_SUBCONFED = 0xffffff03

/** What an attribute set is when nothing but the next hop was said. */
export function plainAttributes(nextHop: Ipv4): Attributes {
  return {
    origin: 'igp',
    asPath: [],
    nextHop,
    nextHop6: undefined,
    med: undefined,
    localPref: undefined,
    atomicAggregate: false,
    aggregator: undefined,
    communities: [],
    originatorId: undefined,
    clusterList: [],
    extendedCommunities: [],
    largeCommunities: [],
    opaque: [],
  }
}
