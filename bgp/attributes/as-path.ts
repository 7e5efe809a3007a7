/** AS_PATH: its bytes and its arithmetic. RFC 4271 §4.3, §5.1.2; RFC 6793 §4.2.3; RFC 5065; RFC 7607. */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { AS_TRANS } from '../wire/dialect.ts'
import type { AsPath, AsSegment } from './attributes.ts'

const KINDS = ['set', 'sequence', 'confed-sequence', 'confed-set'] as const
const LONGEST_SEGMENT = 255

/** A path, or in words why it is none. Throws WireFault when a count runs over the end. */
export function readAsPath(cursor: Cursor, asnOctets: 2 | 4): AsPath | string {
  const segments: AsSegment[] = []
  while (cursor.left > 0) {
    const type = cursor.u8()
    const count = cursor.u8()
    const kind = KINDS[type - 1]
    if (kind === undefined) return `segment of unknown type ${type}`
    if (count === 0) return 'empty segment'
    const asns = Array.from({ length: count }, () => (asnOctets === 4 ? cursor.u32() : cursor.u16()))
    if (asns.includes(0)) return 'AS 0'
    segments.push({ kind, asns })
  }
  return segments
}

export function encodeAsPath(path: AsPath, asnOctets: 2 | 4): Uint8Array {
  const octets = path.reduce((sum, { asns }) => sum + 2 + asns.length * asnOctets, 0)
  const writer = new Writer('network', octets)
  for (const { kind, asns } of path) {
    writer.u8(KINDS.indexOf(kind) + 1).u8(asns.length)
    for (const asn of asns)
      if (asnOctets === 4) writer.u32(asn)
      else writer.u16(asn > 0xffff ? AS_TRANS : asn)
  }
  return writer.finish()
}

/** A set counts one, confederation segments nothing. RFC 4271 §9.1.2.2, RFC 5065 §5.3. */
export function pathLength(path: AsPath): number {
  let length = 0
  for (const { kind, asns } of path) length += kind === 'sequence' ? asns.length : kind === 'set' ? 1 : 0
  return length
}

/** The AS that sent the route into ours: first of a leading sequence. */
export function neighbourAs(path: AsPath): number | undefined {
  const first = path.find(segment => !isConfed(segment))
  return first?.kind === 'sequence' ? first.asns[0] : undefined
}

export function mentions(path: AsPath, asn: number): boolean {
  return path.some(segment => segment.asns.includes(asn))
}

/** Puts an AS in front; a leading segment that is full or no sequence gets a new one before it. */
export function prepend(path: AsPath, asn: number): AsPath {
  const [first, ...rest] = path
  if (first?.kind === 'sequence' && first.asns.length < LONGEST_SEGMENT)
    return [{ kind: 'sequence', asns: [asn, ...first.asns] }, ...rest]
  return [{ kind: 'sequence', asns: [asn] }, ...path]
}

export function needsFourOctets(path: AsPath): boolean {
  return path.some(segment => !isConfed(segment) && segment.asns.some(asn => asn > 0xffff))
}

export function withoutConfederation(path: AsPath): AsPath {
  return path.filter(segment => !isConfed(segment))
}

/** AS_SET and AS_CONFED_SET: deprecated by RFC 9774. */
export function hasSet(segment: AsSegment): boolean {
  return segment.kind === 'set' || segment.kind === 'confed-set'
}

export function isConfed(segment: AsSegment): boolean {
  return segment.kind === 'confed-sequence' || segment.kind === 'confed-set'
}

/** RFC 6793 §4.2.3: what the two-octet path has more stays in front of the four-octet one; a longer AS4_PATH is ignored. */
export function mergeAs4(path: AsPath, as4: AsPath): AsPath {
  const four = withoutConfederation(as4)
  let surplus = pathLength(path) - pathLength(four)
  if (surplus < 0) return path
  const leading: AsSegment[] = []
  for (const segment of path) {
    if (isConfed(segment)) leading.push(segment)
    else if (surplus > 0) {
      const taken = segment.kind === 'set' ? segment.asns : segment.asns.slice(0, surplus)
      leading.push({ kind: segment.kind, asns: taken })
      surplus -= segment.kind === 'set' ? 1 : taken.length
    }
  }
  return joinSequences([...leading, ...four])
}

/** Neighbouring sequences become one where they fit, so that merged and native paths print alike. */
function joinSequences(path: AsPath): AsPath {
  const joined: AsSegment[] = []
  for (const segment of path) {
    const last = joined.at(-1)
    const fits = last?.kind === 'sequence' && segment.kind === 'sequence' && last.asns.length + segment.asns.length <= 255
    if (fits) joined[joined.length - 1] = { kind: 'sequence', asns: [...last.asns, ...segment.asns] }
    else joined.push(segment)
  }
  return joined
}
