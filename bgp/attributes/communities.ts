/** Extended and large communities: bytes both ways, and the order in which lists of any kind are sent. RFC 4360, RFC 8092. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { LargeCommunity } from './attributes.ts'

const NON_TRANSITIVE = 0x40n

export function readExtendedCommunities(body: Cursor): readonly bigint[] | string {
  if (body.left === 0 || body.left % 8 !== 0) return `length ${body.left} is no multiple of 8`
  return Array.from({ length: body.left / 8 }, () => (BigInt(body.u32()) << 32n) | BigInt(body.u32()))
}

/** Non-transitive ones stay inside the AS (RFC 4360 §2). */
export function encodeExtendedCommunities(list: readonly bigint[], kind: 'internal' | 'external'): Uint8Array | undefined {
  const said = kind === 'internal' ? list : list.filter(isTransitive)
  if (said.length === 0) return undefined
  const writer = new Writer('network', 8 * said.length)
  for (const value of inOrder(said)) writer.u32(Number(value >> 32n)).u32(Number(value & 0xffffffffn))
  return writer.finish()
}

export function isTransitive(community: bigint): boolean {
  return ((community >> 56n) & NON_TRANSITIVE) === 0n
}

export function readLargeCommunities(body: Cursor): readonly LargeCommunity[] | string {
  if (body.left === 0 || body.left % 12 !== 0) return `length ${body.left} is no multiple of 12`
  return Array.from({ length: body.left / 12 }, () => ({ global: body.u32(), local1: body.u32(), local2: body.u32() }))
}

export function encodeLargeCommunities(list: readonly LargeCommunity[]): Uint8Array | undefined {
  if (list.length === 0) return undefined
  const writer = new Writer('network', 12 * list.length)
  for (const { global, local1, local2 } of distinct(list.toSorted(compareLarge))) writer.u32(global).u32(local1).u32(local2)
  return writer.finish()
}

export function compareLarge(a: LargeCommunity, b: LargeCommunity): number {
  return a.global - b.global || a.local1 - b.local1 || a.local2 - b.local2
}

function distinct(sorted: readonly LargeCommunity[]): readonly LargeCommunity[] {
  return sorted.filter((each, at) => {
    const before = sorted[at - 1]
    return before === undefined || compareLarge(before, each) !== 0
  })
}

/** Ascending and without repetition; a list that is so already comes back itself. */
export function inOrder<T extends number | bigint>(list: readonly T[]): readonly T[] {
  const isSo = list.every((value, at) => at === 0 || (list[at - 1] ?? value) < value)
  if (isSo) return list
  return [...new Set(list)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}
