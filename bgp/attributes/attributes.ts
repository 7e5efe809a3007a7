/** The path attributes of a route as values; what this speaker does not know is carried as bytes. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'

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

/** An optional transitive attribute without a row of its own: handed on byte for byte, with Partial set. */
export interface OpaqueAttribute {
  readonly code: number
  readonly body: Uint8Array
}

export interface Attributes {
  readonly origin: Origin
  readonly asPath: AsPath
  readonly nextHop: Ipv4
  readonly med: number | undefined
  readonly localPref: number | undefined
  readonly atomicAggregate: boolean
  readonly aggregator: Aggregator | undefined
  /** Each a 32-bit number; RFC 1997. */
  readonly communities: readonly number[]
  readonly originatorId: Ipv4 | undefined
  readonly clusterList: readonly Ipv4[]
  readonly opaque: readonly OpaqueAttribute[]
}

export const NO_EXPORT = 0xffffff01
export const NO_ADVERTISE = 0xffffff02
export const NO_EXPORT_SUBCONFED = 0xffffff03

/** What an attribute set is when nothing but the next hop was said. */
export function plainAttributes(nextHop: Ipv4): Attributes {
  return {
    origin: 'igp',
    asPath: [],
    nextHop,
    med: undefined,
    localPref: undefined,
    atomicAggregate: false,
    aggregator: undefined,
    communities: [],
    originatorId: undefined,
    clusterList: [],
    opaque: [],
  }
}
