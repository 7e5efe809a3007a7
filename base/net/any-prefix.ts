/** A prefix of either family, told apart by the kind of number that its address is. */
import type { AnyAddress } from './any-address.ts'
import { covers6, formatPrefix6, type ParsedPrefix6, type Prefix6, parsePrefix6 } from './ipv6.ts'
import { covers, formatPrefix, type ParsedPrefix, type Prefix, parsePrefix } from './prefix.ts'

export type AnyPrefix = Prefix | Prefix6

export function isPrefix6(prefix: AnyPrefix): prefix is Prefix6 {
  return typeof prefix.address === 'bigint'
}

/** The prefix that holds this address alone. */
export function hostPrefix(address: AnyAddress): AnyPrefix {
  return typeof address === 'number' ? { address, length: 32 } : { address, length: 128 }
}

/** Prints either family: texts of the two never meet. */
export function formatAnyPrefix(prefix: AnyPrefix): string {
  return isPrefix6(prefix) ? formatPrefix6(prefix) : formatPrefix(prefix)
}

/** Reads either family: a colon makes it IPv6. */
export function parseAnyPrefix(text: string): ParsedPrefix | ParsedPrefix6 {
  return text.includes(':') ? parsePrefix6(text) : parsePrefix(text)
}

/** For literals in code and tests: throws on text that is not a prefix. */
export function anyPrefix(text: string): AnyPrefix {
  const parsed = parseAnyPrefix(text)
  if (!parsed.ok) throw new TypeError(parsed.says)
  return parsed.value
}

/** True when every address of `inner` is in `outer`; never so over families. */
export function coversAny(outer: AnyPrefix, inner: AnyPrefix): boolean {
  if (isPrefix6(outer)) return isPrefix6(inner) && covers6(outer, inner)
  return !isPrefix6(inner) && covers(outer, inner)
}
