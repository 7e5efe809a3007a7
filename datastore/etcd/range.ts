/** Keys as etcd has them, octets below a prefix, and the ranges in which keys with one beginning lie; pure. */

export interface Range {
  readonly key: Buffer
  /** Exclusive. */
  readonly range_end: Buffer
}

const ZERO = Buffer.from([0])

/** All keys that begin with a text; the empty one means all keys. */
export function rangeOf(prefix: string): Range {
  if (prefix === '') return { key: ZERO, range_end: ZERO }
  const key = Buffer.from(prefix)
  // No octet of UTF-8 is 255.
  const end = Buffer.from(key)
  end[end.length - 1] = (end.at(-1) ?? 0) + 1
  return { key, range_end: end }
}

/** The first key after another. */
export function justAfter(key: Buffer): Buffer {
  return Buffer.concat([key, ZERO])
}
