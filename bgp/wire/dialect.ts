/** What both ends of a session agreed on that changes how bytes are read and written. */
import { type Family, sameFamily } from './capabilities.ts'

export interface Dialect {
  /** Internal: both ends in one AS. */
  readonly kind: 'internal' | 'external'
  /** RFC 6793: AS numbers take four octets in AS_PATH and AGGREGATOR; otherwise two. */
  readonly asnOctets: 2 | 4
  /** Left out: neither end spoke of families, and IPv4 unicast is all there is (RFC 4760 §8). */
  readonly multiprotocol?: Multiprotocol
  /** Left out: a path with an AS_SET is treated as withdrawn, as RFC 9774 §3 wants. */
  readonly asSets?: 'accepted'
  /** Left out: no prefix carries a path id, either way. RFC 7911. */
  readonly addPath?: AddPath
}

/** Families whose prefixes carry path ids. RFC 7911 §3. */
export interface AddPath {
  /** In what we hear. */
  readonly in: readonly Family[]
  /** In what we say. */
  readonly out: readonly Family[]
}

export interface Multiprotocol {
  /** What both ends speak. */
  readonly families: readonly Family[]
  /** Both may say an IPv6 next hop for IPv4 unicast. RFC 8950 §4. */
  readonly ipv6NextHop: boolean
}

export const AS_TRANS = 23456

/** Whether prefixes of this family carry path ids in what we hear, or in what we say. */
export function hasPathIds({ addPath }: Dialect, way: 'in' | 'out', family: Family): boolean {
  return addPath?.[way].some(each => sameFamily(each, family)) ?? false
}

/** For reading what we said ourselves, and for groups of peers: what they say does not matter. */
export function dialectOut(dialect: Dialect): Dialect {
  const { addPath, ...plain } = dialect
  return addPath === undefined || addPath.out.length === 0 ? plain : { ...plain, addPath: { in: addPath.out, out: addPath.out } }
}
