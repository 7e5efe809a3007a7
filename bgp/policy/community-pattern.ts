/** Communities as text, and patterns over them: each part a number, a range or `*`. RFC 1997, RFC 4360, RFC 8092. */
import {
  BLACKHOLE,
  GRACEFUL_SHUTDOWN,
  type LargeCommunity,
  LLGR_STALE,
  NO_ADVERTISE,
  NO_EXPORT,
  NO_EXPORT_SUBCONFED,
  NO_LLGR,
} from '../attributes/attributes.ts'

export interface Range {
  readonly low: number
  readonly high: number
}

export interface CommunityPattern {
  readonly asn: Range
  readonly value: Range
}

export interface LargeCommunityPattern {
  readonly global: Range
  readonly local1: Range
  readonly local2: Range
}

const NAMES: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', GRACEFUL_SHUTDOWN],
  ['llgr-stale', LLGR_STALE],
  ['no-llgr', NO_LLGR],
  ['blackhole', BLACKHOLE],
  ['no-export', NO_EXPORT],
  ['no-advertise', NO_ADVERTISE],
  ['no-export-subconfed', NO_EXPORT_SUBCONFED],
])
const NAME_OF: ReadonlyMap<number, string> = new Map([...NAMES].map(([name, value]) => [value, name]))

/** `65001:7`, or the name of a well-known one. */
export function formatCommunity(value: number): string {
  return NAME_OF.get(value) ?? `${value >>> 16}:${value & 0xffff}`
}

export function parseCommunity(text: string): number | undefined {
  const pattern = parseCommunityPattern(text)
  if (pattern === undefined || !isOne(pattern.asn) || !isOne(pattern.value)) return undefined
  return pattern.asn.low * 65536 + pattern.value.low
}

/** `65001:*`, `65001:100-199`, `no-export`. */
export function parseCommunityPattern(text: string): CommunityPattern | undefined {
  const named = NAMES.get(text)
  if (named !== undefined) return { asn: one(named >>> 16), value: one(named & 0xffff) }
  const [asn, value, ...rest] = parseParts(text, 0xffff)
  return asn === undefined || value === undefined || rest.length > 0 ? undefined : { asn, value }
}

export function matchesCommunity({ asn, value }: CommunityPattern, community: number): boolean {
  return isIn(asn, community >>> 16) && isIn(value, community & 0xffff)
}

export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${global}:${local1}:${local2}`
}

export function parseLargeCommunity(text: string): LargeCommunity | undefined {
  const pattern = parseLargeCommunityPattern(text)
  if (pattern === undefined) return undefined
  const { global, local1, local2 } = pattern
  if (![global, local1, local2].every(isOne)) return undefined
  return { global: global.low, local1: local1.low, local2: local2.low }
}

export function parseLargeCommunityPattern(text: string): LargeCommunityPattern | undefined {
  const [global, local1, local2, ...rest] = parseParts(text, 0xffffffff)
  if (global === undefined || local1 === undefined || local2 === undefined || rest.length > 0) return undefined
  return { global, local1, local2 }
}

export function matchesLargeCommunity(pattern: LargeCommunityPattern, community: LargeCommunity): boolean {
  return (
    isIn(pattern.global, community.global) && isIn(pattern.local1, community.local1) && isIn(pattern.local2, community.local2)
  )
}

const TARGETS: ReadonlyMap<string, bigint> = new Map([
  ['rt', 2n],
  ['ro', 3n],
])
const KINDS: readonly string[] = ['as2', 'ip4', 'as4']

/** `rt:65001:7` and `ro:…` with an AS of two or four octets; anything else as `0x` and sixteen digits. */
export function formatExtendedCommunity(value: bigint): string {
  const kind = KINDS[Number(value >> 56n)]
  const subtype = (value >> 48n) & 0xffn
  const name = [...TARGETS].find(([, code]) => code === subtype)?.[0]
  if (name !== undefined && kind === 'as2') return `${name}:${(value >> 32n) & 0xffffn}:${value & 0xffffffffn}`
  const isWide = name !== undefined && kind === 'as4' && ((value >> 16n) & 0xffffffffn) > 0xffffn
  if (isWide) return `${name}:${(value >> 16n) & 0xffffffffn}:${value & 0xffffn}`
  return `0x${value.toString(16).padStart(16, '0')}`
}

export function parseExtendedCommunity(text: string): bigint | undefined {
  if (/^0x[0-9a-f]{16}$/.test(text)) return BigInt(text)
  const [, name = '', asnText, localText] = /^([a-z]+):(\d{1,10}):(\d{1,10})$/.exec(text) ?? []
  const subtype = TARGETS.get(name)
  if (subtype === undefined || asnText === undefined || localText === undefined) return undefined
  const [asn, local] = [BigInt(asnText), BigInt(localText)]
  if (asn <= 0xffffn && local <= 0xffffffffn) return (subtype << 48n) | (asn << 32n) | local
  return asn <= 0xffffffffn && local <= 0xffffn ? (2n << 56n) | (subtype << 48n) | (asn << 16n) | local : undefined
}

/** One value, or those of a kind with an AS and a number in ranges. */
export type ExtendedCommunityPattern = bigint | { readonly kind: 'rt' | 'ro'; readonly asn: Range; readonly local: Range }

/** `rt:65001:*`, `ro:64512-65534:7`, or one value. */
export function parseExtendedCommunityPattern(text: string): ExtendedCommunityPattern | undefined {
  const one = parseExtendedCommunity(text)
  if (one !== undefined) return one
  const [, kind, rest] = /^(rt|ro):(.+)$/.exec(text) ?? []
  const [asn, local, ...others] = parseParts(rest ?? '', 0xffffffff)
  if ((kind !== 'rt' && kind !== 'ro') || asn === undefined || local === undefined || others.length > 0) return undefined
  return { kind, asn, local }
}

export function matchesExtendedCommunity(pattern: ExtendedCommunityPattern, community: bigint): boolean {
  if (typeof pattern === 'bigint') return pattern === community
  if (((community >> 48n) & 0xffn) !== TARGETS.get(pattern.kind)) return false
  const parts = partsOf(community)
  return parts !== undefined && isIn(pattern.asn, parts.asn) && isIn(pattern.local, parts.local)
}

/** AS and number, of two octets and four or the other way round. RFC 4360 §3.1, RFC 5668 §2. */
function partsOf(community: bigint): { readonly asn: number; readonly local: number } | undefined {
  const kind = KINDS[Number(community >> 56n)]
  if (kind === 'as2') return { asn: Number((community >> 32n) & 0xffffn), local: Number(community & 0xffffffffn) }
  return kind === 'as4' ? { asn: Number((community >> 16n) & 0xffffffffn), local: Number(community & 0xffffn) } : undefined
}

function parseParts(text: string, highest: number): readonly (Range | undefined)[] {
  return text.split(':').map(part => parseRange(part, highest))
}

function parseRange(text: string, highest: number): Range | undefined {
  if (text === '*') return { low: 0, high: highest }
  const [, low, high] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(text) ?? []
  if (low === undefined) return undefined
  const range = { low: Number(low), high: Number(high ?? low) }
  return range.low <= range.high && range.high <= highest ? range : undefined
}

function one(value: number): Range {
  return { low: value, high: value }
}

function isOne({ low, high }: Range): boolean {
  return low === high
}

function isIn({ low, high }: Range, value: number): boolean {
  return value >= low && value <= high
}
