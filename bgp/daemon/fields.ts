/** The leaves of a configuration: text and numbers, checked and turned into what they mean, each with its JSON schema. */
import { type AnyAddress, parseAddress } from '@network/base/net/any-address.ts'
import { type AnyPrefix, parseAnyPrefix } from '@network/base/net/any-prefix.ts'
import { type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { type Ipv6, parseIpv6 } from '@network/base/net/ipv6.ts'
import { Secret } from '@network/base/run/secret.ts'
import * as v from 'valibot'
import { type OnLink, type PeerAddress, parsePeer } from '../peer-address.ts'
import { parseAsPathPattern } from '../policy/as-path-pattern.ts'
import {
  parseCommunity,
  parseCommunityPattern,
  parseExtendedCommunity,
  parseExtendedCommunityPattern,
  parseLargeCommunity,
  parseLargeCommunityPattern,
} from '../policy/community-pattern.ts'
import type { PrefixRange } from '../policy/policy.ts'
import { LONGEST_PASSWORD } from '../session/transport.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'

/** A value, or in words what is wrong and how to write it. */
type Meaning<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly says: string }

/** A text with a meaning of its own. */
function text<T>(description: string, example: string, read: (written: string) => Meaning<T>) {
  return v.pipe(
    v.string(`must be text, such as ${example}`),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const meaning = read(dataset.value)
      if (meaning.ok) return meaning.value
      addIssue({ message: meaning.says })
      return NEVER
    }),
    v.metadata({ jsonSchema: { type: 'string', description, examples: [example] } }),
  )
}

function spelt<T>(description: string, example: string, parse: (written: string) => T | undefined) {
  return text(description, example, (written): Meaning<T> => {
    const value = parse(written)
    if (value !== undefined) return { ok: true, value }
    return { ok: false, says: `"${written}" is not ${description}; write it like ${example}` }
  })
}

/** A password of TCP MD5; what is wrong with it is told without it. */
export const passwordField = text<Secret>('1 to 80 octets that both ends know', 'correct horse battery staple', written => {
  const octets = new TextEncoder().encode(written).length
  if (octets >= 1 && octets <= LONGEST_PASSWORD) return { ok: true, value: new Secret(written) }
  return { ok: false, says: `must be 1 to ${LONGEST_PASSWORD} octets, not ${octets}` }
})
export const addressField = spelt<Ipv4>('an IPv4 address', '192.0.2.1', parseIpv4)
export const anyAddressField = spelt<AnyAddress>('an IPv4 or IPv6 address', '192.0.2.1', parseAddress)
export const peerField = text<PeerAddress>('the address of a peer; a link-local one with its interface', 'fe80::1%eth1', toPeer)
export const interfaceField = spelt<OnLink>('the name of an interface', 'eth1', toInterface)
export const address6Field = spelt<Ipv6>('an IPv6 address', '2001:db8::1', parseIpv6)
export const prefixField = text<AnyPrefix>('an IPv4 or IPv6 prefix', '10.244.0.0/16', parseAnyPrefix)
export const communityField = spelt('a community', '64512:100', parseCommunity)
export const communityPatternField = spelt('a community or a pattern of them', '64512:*', parseCommunityPattern)
export const largeCommunityField = spelt('a large community', '64512:1:100', parseLargeCommunity)
export const largeCommunityPatternField = spelt('a large community or a pattern of them', '64512:1:*', parseLargeCommunityPattern)
export const extendedCommunityField = spelt('an extended community', 'rt:64512:100', parseExtendedCommunity)
export const extendedCommunityPatternField = spelt(
  'an extended community or a pattern of them',
  'rt:64512:*',
  parseExtendedCommunityPattern,
)
export const asPathField = text('a pattern over AS numbers', '^65001 .* 65010$', parseAsPathPattern)
export const prefixRangeField = text('a prefix, with the lengths inside it that count', '10.0.0.0/8 ge 16 le 24', parseRange)

/** A range of prefixes written out, or the name of a set of them. */
export const prefixesField = text<PrefixRange | { readonly set: string }>(
  'a prefix, with the lengths inside it that count, or the name of a prefix set',
  '10.0.0.0/8 ge 16 le 24',
  written => (written.includes('/') ? parseRange(written) : { ok: true, value: { set: written } }),
)

export type NextHopChange =
  | { readonly is: 'self' }
  | { readonly is: 'ipv4'; readonly to: Ipv4 }
  | { readonly is: 'ipv6'; readonly to: Ipv6 }
export const nextHopField = spelt<NextHopChange>('an address or the word self', 'self', parseNextHop)

/** A mapping, or its one field that matters most, alone. */
export function shorthand<E extends v.ObjectEntries>(field: string, schema: v.StrictObjectSchema<E, string>) {
  return v.pipe(
    v.unknown(),
    v.transform(written => (typeof written === 'string' ? { [field]: written } : written)),
    schema,
    v.metadata({ shorthand: field }),
  )
}

const FAMILIES: Readonly<Record<'ipv4-unicast' | 'ipv6-unicast', Family>> = {
  'ipv4-unicast': IPV4_UNICAST,
  'ipv6-unicast': IPV6_UNICAST,
}
export const familyField = v.pipe(
  v.picklist(['ipv4-unicast', 'ipv6-unicast'], 'must be ipv4-unicast or ipv6-unicast'),
  v.transform(name => FAMILIES[name]),
)

/** A whole number from `min` to `max`. */
export function whole(description: string, min: number, max: number) {
  const says = `must be a whole number from ${min} to ${max}`
  return v.pipe(
    v.number(says),
    v.integer(says),
    v.minValue(min, says),
    v.maxValue(max, says),
    v.metadata({ jsonSchema: { type: 'integer', minimum: min, maximum: max, description } }),
  )
}

export function words(description: string, longest = 255) {
  return v.pipe(
    v.string('must be text'),
    v.maxLength(longest, `must be at most ${longest} characters`),
    v.metadata({ jsonSchema: { type: 'string', maxLength: longest, description } }),
  )
}

export function flag(description: string) {
  return v.pipe(v.boolean('must be true or false'), v.metadata({ jsonSchema: { type: 'boolean', description } }))
}

export const asnField = whole('An AS number.', 1, 4294967295)
export const u32Field = (description: string) => whole(description, 0, 4294967295)

export const remoteAsnField = v.union(
  [asnField, v.picklist(['internal', 'external'])],
  'must be a whole number from 1 to 4294967295, internal or external',
)

function toPeer(written: string): Meaning<PeerAddress> {
  const peer = parsePeer(written)
  if (peer !== undefined && (typeof peer !== 'string' || peer.includes('%'))) return { ok: true, value: peer }
  const isBare = peer === undefined && parseAddress(written) !== undefined
  const mend = isBare ? `is on every link: write ${written}%eth1` : 'is no address; write 192.0.2.1, 2001:db8::1 or fe80::1%eth1'
  return { ok: false, says: `"${written}" ${mend}` }
}

function toInterface(written: string): OnLink | undefined {
  const peer = parsePeer(written)
  return typeof peer === 'string' && !peer.includes('%') ? peer : undefined
}

function parseNextHop(written: string): NextHopChange | undefined {
  if (written === 'self') return { is: 'self' }
  const four = parseIpv4(written)
  if (four !== undefined) return { is: 'ipv4', to: four }
  const six = parseIpv6(written)
  return six === undefined ? undefined : { is: 'ipv6', to: six }
}

function parseRange(written: string): Meaning<PrefixRange> {
  const [prefixText = '', ...rest] = written.trim().split(/\s+/)
  const parsed = parseAnyPrefix(prefixText)
  if (!parsed.ok) return parsed
  const prefix = parsed.value
  const longest = prefixText.includes(':') ? 128 : 32
  const bounds = boundsOf(rest)
  if (bounds === undefined) return { ok: false, says: `"${written}": behind the prefix may stand "ge 16", "le 24" or both` }
  const atLeast = bounds.ge ?? prefix.length
  const atMost = bounds.le ?? (bounds.ge === undefined ? prefix.length : longest)
  if (atLeast < prefix.length || atMost < atLeast || atMost > longest)
    return { ok: false, says: `"${written}": lengths must go up from ${prefix.length} to at most ${longest}` }
  return { ok: true, value: { prefix, atLeast, atMost } }
}

function boundsOf(rest: readonly string[]): { readonly ge?: number; readonly le?: number } | undefined {
  const said = /^(?:ge (\d{1,3}))? ?(?:le (\d{1,3}))?$/.exec(rest.join(' '))
  if (said === null) return undefined
  const [, ge, le] = said
  return { ...(ge === undefined ? {} : { ge: Number(ge) }), ...(le === undefined ? {} : { le: Number(le) }) }
}
