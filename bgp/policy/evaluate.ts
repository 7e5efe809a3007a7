/** A policy and a route → accepted with what became of it, or rejected; either way with the rule that said so. */
import { type AnyPrefix, coversAny, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { pathLength, prepend } from '../attributes/as-path.ts'
import { type Attributes, NOWHERE } from '../attributes/attributes.ts'
import { compareLarge } from '../attributes/communities.ts'
import { type Ends, ownHops } from '../attributes/own-hops.ts'
import { matchesAsPath } from './as-path-pattern.ts'
import { matchesCommunity, matchesExtendedCommunity, matchesLargeCommunity } from './community-pattern.ts'
import type { Change, Condition, Policy, PolicyChain, PrefixRange, Rule } from './policy.ts'

/** A route as a policy sees it. */
export interface PolicyRoute {
  readonly prefix: AnyPrefix
  readonly attributes: Attributes
  readonly source: 'local' | 'internal' | 'external'
}

/** The session that the route came over, or goes over. */
export interface PolicyPlace extends Ends {
  readonly localAsn: number
}

export type PolicyVerdict =
  | { readonly is: 'accepted'; readonly by: string; readonly attributes: Attributes }
  | { readonly is: 'rejected'; readonly by: string }

/** `by` names the last word: `policy customers, rule 2`. An empty chain accepts. */
export function evaluate(chain: PolicyChain, route: PolicyRoute, place: PolicyPlace): PolicyVerdict {
  let verdict: PolicyVerdict = { is: 'accepted', by: 'no policy', attributes: route.attributes }
  for (const policy of chain) {
    verdict = evaluateOne(policy, { ...route, attributes: verdict.attributes }, place)
    if (verdict.is === 'rejected') return verdict
  }
  return verdict
}

function evaluateOne(policy: Policy, route: PolicyRoute, place: PolicyPlace): PolicyVerdict {
  let attributes = route.attributes
  for (const rule of policy.rules) {
    if (!rule.when.every(condition => holds(condition, { ...route, attributes }))) continue
    for (const change of rule.change) attributes = changed({ ...route, attributes }, change, place)
    if (rule.verdict !== 'continue') return verdictOf(rule.verdict, nameOf(policy, rule), attributes)
  }
  const by = policy.rules.length === 0 ? `policy ${policy.name}` : `policy ${policy.name}, no rule`
  return verdictOf(policy.otherwise, by, attributes)
}

function verdictOf(word: 'accept' | 'reject', by: string, attributes: Attributes): PolicyVerdict {
  return word === 'accept' ? { is: 'accepted', by, attributes } : { is: 'rejected', by }
}

function nameOf(policy: Policy, rule: Rule): string {
  return `policy ${policy.name}, rule ${rule.name}`
}

function holds(condition: Condition, route: PolicyRoute): boolean {
  const { attributes, prefix, source } = route
  switch (condition.is) {
    case 'prefix':
      return condition.within.some(range => isInRange(range, prefix))
    case 'family':
      return isPrefix6(prefix) === (condition.family === 'ipv6')
    case 'as-path':
      return matchesAsPath(condition.pattern, attributes.asPath)
    case 'as-path-length': {
      const length = pathLength(attributes.asPath)
      return length >= condition.atLeast && length <= condition.atMost
    }
    case 'community':
      return attributes.communities.some(each => condition.anyOf.some(pattern => matchesCommunity(pattern, each)))
    case 'large-community':
      return attributes.largeCommunities.some(each => condition.anyOf.some(pattern => matchesLargeCommunity(pattern, each)))
    case 'extended-community':
      return attributes.extendedCommunities.some(each => condition.anyOf.some(pattern => matchesExtendedCommunity(pattern, each)))
    case 'origin':
      return attributes.origin === condition.origin
    case 'source':
      return source === condition.kind
    case 'not':
      return !holds(condition.condition, route)
    default:
      return condition satisfies never
  }
}

function isInRange(range: PrefixRange, prefix: AnyPrefix): boolean {
  return prefix.length >= range.atLeast && prefix.length <= range.atMost && coversAny(range.prefix, prefix)
}

function changed({ attributes, prefix }: PolicyRoute, change: Change, place: PolicyPlace): Attributes {
  switch (change.set) {
    case 'weight':
      return { ...attributes, weight: change.value }
    case 'local-pref':
      return { ...attributes, localPref: change.value }
    case 'med':
      return { ...attributes, med: change.value }
    case 'origin':
      return { ...attributes, origin: change.value }
    case 'communities':
      return { ...attributes, communities: communitiesAfter(attributes.communities, change) }
    case 'large-communities':
      return { ...attributes, largeCommunities: largeAfter(attributes.largeCommunities, change) }
    case 'extended-communities':
      return { ...attributes, extendedCommunities: extendedAfter(attributes.extendedCommunities, change) }
    case 'prepend':
      return prepended(attributes, change.asn ?? place.localAsn, change.times)
    case 'next-hop':
      return { ...attributes, nextHop: change.to, nextHop6: undefined }
    case 'next-hop6':
      return { ...attributes, nextHop: NOWHERE, nextHop6: { address: change.to, linkLocal: undefined } }
    case 'next-hop-self':
      return { ...attributes, ...ownHops(isPrefix6(prefix), place) }
    default:
      return change satisfies never
  }
}

type ChangeOf<What extends Change['set']> = Extract<Change, { readonly set: What }>

/** RFC 8642 §4: well-known communities are what a replacement keeps; who wants them gone removes them by name. */
function communitiesAfter(list: readonly number[], change: ChangeOf<'communities'>): readonly number[] {
  switch (change.how) {
    case 'add':
      return [...new Set([...list, ...change.values])]
    case 'replace':
      return [...new Set([...list.filter(isWellKnown), ...change.values])]
    case 'remove':
      return list.filter(each => !change.matching.some(pattern => matchesCommunity(pattern, each)))
    default:
      return change satisfies never
  }
}

function isWellKnown(community: number): boolean {
  return community >>> 16 === 0xffff
}

type Large = Attributes['largeCommunities']

function largeAfter(list: Large, change: ChangeOf<'large-communities'>): Large {
  switch (change.how) {
    case 'add':
      return [...list, ...change.values.filter(each => !list.some(known => compareLarge(known, each) === 0))]
    case 'replace':
      return change.values
    case 'remove':
      return list.filter(each => !change.matching.some(pattern => matchesLargeCommunity(pattern, each)))
    default:
      return change satisfies never
  }
}

function extendedAfter(list: readonly bigint[], change: ChangeOf<'extended-communities'>): readonly bigint[] {
  switch (change.how) {
    case 'add':
      return [...new Set([...list, ...change.values])]
    case 'replace':
      return change.values
    case 'remove':
      return list.filter(each => !change.matching.some(pattern => matchesExtendedCommunity(pattern, each)))
    default:
      return change satisfies never
  }
}

function prepended(attributes: Attributes, asn: number, times: number): Attributes {
  let { asPath } = attributes
  for (let done = 0; done < times; done++) asPath = prepend(asPath, asn)
  return { ...attributes, asPath }
}
