/** etcd's revisions, which are numbers of 64 bits, as decimal text; pure. */

import type { Revision } from '../port.ts'

const LARGEST = 2n ** 63n - 1n

/** Undefined for what etcd never says. */
export function revisionNumber(text: Revision): bigint | undefined {
  if (!/^[1-9]\d{0,18}$/.test(text)) return undefined
  const value = BigInt(text)
  return value <= LARGEST ? value : undefined
}

/** Texts compare otherwise: "10" < "9". */
export function isNewer(one: Revision, other: Revision): boolean {
  return BigInt(one) > BigInt(other)
}

/** Where a watch begins that has heard of `last`. */
export function following(last: Revision): Revision {
  return String(BigInt(last) + 1n)
}
