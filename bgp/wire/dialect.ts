/** What both ends of a session agreed on that changes how bytes are read and written. */
import type { Family } from './capabilities.ts'

export interface Dialect {
  /** Internal: both ends in one AS. */
  readonly kind: 'internal' | 'external'
  /** RFC 6793: AS numbers take four octets in AS_PATH and AGGREGATOR; otherwise two. */
  readonly asnOctets: 2 | 4
  /** Left out: neither end spoke of families, and IPv4 unicast is all there is (RFC 4760 §8). */
  readonly multiprotocol?: Multiprotocol
  /** Left out: a path with an AS_SET is treated as withdrawn, as RFC 9774 §3 wants. */
  readonly asSets?: 'accepted'
}

export interface Multiprotocol {
  /** What both ends speak. */
  readonly families: readonly Family[]
  /** Both may say an IPv6 next hop for IPv4 unicast. RFC 8950 §4. */
  readonly ipv6NextHop: boolean
}

export const AS_TRANS = 23456
