/** Patterns over AS_PATH: a regular expression whose letters are AS numbers. Matching is linear in path times pattern. */
import type { AsPath } from '../attributes/attributes.ts'

export interface AsPathPattern {
  /** As written. */
  readonly text: string
  /** The path begins where the pattern does. */
  readonly fromStart: boolean
  readonly toEnd: boolean
  readonly tokens: readonly AsToken[]
}

export interface AsToken {
  readonly low: number
  readonly high: number
  readonly times: 'once' | 'maybe' | 'any' | 'some'
}

export type ParsedPattern = { readonly ok: true; readonly value: AsPathPattern } | { readonly ok: false; readonly says: string }

const HIGHEST = 0xffffffff
const TIMES = { '': 'once', '?': 'maybe', '*': 'any', '+': 'some' } as const
const LONGEST_PATTERN = 64

/** Reads `^65001 .* 64512-64999+ 65010$`: numbers, ranges and `.`, each with `?`, `*` or `+`; `^` and `$` tie the ends. */
export function parseAsPathPattern(text: string): ParsedPattern {
  const trimmed = text.trim()
  const fromStart = trimmed.startsWith('^')
  const toEnd = trimmed.endsWith('$')
  const words = trimmed
    .slice(fromStart ? 1 : 0, toEnd ? -1 : undefined)
    .split(/\s+/)
    .filter(word => word !== '')
  if (words.length > LONGEST_PATTERN) return { ok: false, says: `more than ${LONGEST_PATTERN} numbers in an AS path pattern` }
  const tokens: AsToken[] = []
  for (const word of words) {
    const token = parseToken(word)
    if (token === undefined)
      return { ok: false, says: `"${word}" in "${text}" is neither an AS number nor a range such as 64512-65534 nor "."` }
    tokens.push(token)
  }
  return { ok: true, value: { text, fromStart, toEnd, tokens } }
}

function parseToken(word: string): AsToken | undefined {
  const [, low, high, times = ''] = /^(?:\.|(\d{1,10})(?:-(\d{1,10}))?)([?*+]?)$/.exec(word) ?? [
    undefined,
    undefined,
    undefined,
    'no',
  ]
  if (times !== '' && times !== '?' && times !== '*' && times !== '+') return undefined
  if (low === undefined) return { low: 0, high: HIGHEST, times: TIMES[times] }
  const token = { low: Number(low), high: Number(high ?? low), times: TIMES[times] }
  return token.low <= token.high && token.high <= HIGHEST ? token : undefined
}

/** A set stands for one letter, any of its members. All places in the pattern are followed side by side: nothing is tried twice. */
export function matchesAsPath({ fromStart, toEnd, tokens }: AsPathPattern, path: AsPath): boolean {
  let places = reachable(tokens, [0])
  for (const letter of letters(path)) {
    if (!toEnd && places.has(tokens.length)) return true
    const next: number[] = fromStart ? [] : [0]
    for (const place of places) {
      const token = tokens[place]
      if (token === undefined || !letter.some(asn => asn >= token.low && asn <= token.high)) continue
      next.push(place + 1)
      if (token.times === 'any' || token.times === 'some') next.push(place)
    }
    places = reachable(tokens, next)
  }
  return places.has(tokens.length)
}

/** Places from which nothing need be read to get further; `some` at its own place has read already and may go on. */
function reachable(tokens: readonly AsToken[], from: readonly number[]): ReadonlySet<number> {
  const places = new Set(from)
  for (const place of places) {
    const times = tokens[place]?.times
    if (times === 'maybe' || times === 'any') places.add(place + 1)
  }
  return places
}

function letters(path: AsPath): readonly (readonly number[])[] {
  return path.flatMap(({ kind, asns }) => {
    if (kind === 'sequence') return asns.map(asn => [asn])
    return kind === 'set' ? [asns] : []
  })
}
