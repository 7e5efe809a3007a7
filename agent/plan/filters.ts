/** BGPFilters become policies of one session; what cannot be judged here is left out and told. */

import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import {
  parseCommunity,
  parseCommunityPattern,
  parseLargeCommunity,
  parseLargeCommunityPattern,
} from '@network/bgp/policy/community-pattern.ts'
import type { Change, Condition, Policy, Rule } from '@network/bgp/policy/policy.ts'
import type { BgpFilter } from '@network/model/resources/bgp-filter.ts'

export type FilterRule = BgpFilter['spec']['importV4'][number]

/** What of a session a rule may depend on. */
export interface FilterPlace {
  readonly direction: 'import' | 'export'
  readonly kind: 'internal' | 'external'
  /** The AS that stands in front of every path towards an external peer. */
  readonly localAsn: number
}

export interface Translated {
  readonly policy: Policy
  /** One sentence for each part that does nothing here. */
  readonly problems: readonly string[]
}

/** What no rule decides is accepted: whether it is told or used at all is for the rules of pools and of BGP. */
export function policyOf({ metadata: { name }, spec }: BgpFilter, place: FilterPlace): Translated {
  const list = place.direction === 'import' ? 'importV4' : 'exportV4'
  const read = spec[list].map((rule, at) => ruleOf(rule, place, { name: String(at + 1), at: `${name} ${list}[${at}]` }))
  return {
    policy: { name, rules: read.flatMap(({ rule }) => rule ?? []), otherwise: 'accept' },
    problems: read.flatMap(({ problems }) => problems),
  }
}

interface ReadRule {
  readonly rule: Rule | undefined
  readonly problems: readonly string[]
}

function ruleOf(rule: FilterRule, place: FilterPlace, { name, at }: { readonly name: string; readonly at: string }): ReadRule {
  if (rule.peerType !== undefined && (rule.peerType === 'eBGP') !== (place.kind === 'external'))
    return { rule: undefined, problems: [] }
  const unknown = (['interface', 'priority'] as const).filter(field => rule[field] !== undefined)
  if (unknown.length > 0)
    return {
      rule: undefined,
      problems: [`BGPFilter ${at} is left out: routes cannot be told apart by ${unknown.join(' and ')} here`],
    }
  const changes = (rule.operations ?? []).map(operation => changesOf(operation))
  const lacking = changes.includes(undefined)
  return {
    rule: { name, when: conditionsOf(rule, place), change: changes.flatMap(change => change ?? []), verdict: verdictOf(rule) },
    problems: lacking ? [`BGPFilter ${at}: setPriority does nothing, all routes have one metric here`] : [],
  }
}

function verdictOf({ action }: FilterRule): Rule['verdict'] {
  return action === 'Accept' ? 'accept' : 'reject'
}

function conditionsOf(rule: FilterRule, place: FilterPlace): Condition[] {
  const conditions = rule.cidr === undefined ? [] : [prefixCondition(rule, rule.cidr)]
  // What is heard was told by a peer anyway.
  if (rule.source === 'RemotePeers' && place.direction === 'export')
    conditions.push({ is: 'not', condition: { is: 'source', kind: 'local' } })
  for (const value of rule.communities?.values ?? []) conditions.push(communityCondition(value))
  if (rule.asPathPrefix !== undefined) conditions.push(pathCondition(rule.asPathPrefix, place))
  return conditions
}

const NEVER: Condition = { is: 'prefix', within: [] }

function prefixCondition({ matchOperator = 'In', prefixLength }: FilterRule, cidr: AnyPrefix): Condition {
  const bits = 32
  const exact = matchOperator === 'Equal' || matchOperator === 'NotEqual'
  const atLeast = Math.max(cidr.length, prefixLength?.min ?? 0)
  const atMost = Math.min(exact ? cidr.length : bits, prefixLength?.max ?? bits)
  const inside: Condition = { is: 'prefix', within: [{ prefix: cidr, atLeast, atMost }] }
  return matchOperator === 'Equal' || matchOperator === 'In' ? inside : { is: 'not', condition: inside }
}

function communityCondition(value: string): Condition {
  const pattern = parseCommunityPattern(value)
  if (pattern !== undefined) return { is: 'community', anyOf: [pattern] }
  const large = parseLargeCommunityPattern(value)
  return large === undefined ? NEVER : { is: 'large-community', anyOf: [large] }
}

/** Towards an external peer our own AS stands in front of what the rule speaks of. */
function pathCondition(asns: readonly number[], { direction, kind, localAsn }: FilterPlace): Condition {
  const path = direction === 'export' && kind === 'external' ? [localAsn, ...asns] : asns
  const tokens = path.map(asn => ({ low: asn, high: asn, times: 'once' as const }))
  return { is: 'as-path', pattern: { text: `^${path.join(' ')}`, fromStart: true, toEnd: false, tokens } }
}

type Operation = NonNullable<FilterRule['operations']>[number]

/** Undefined for what cannot be done. */
function changesOf({ addCommunity, prependASPath }: Operation): readonly Change[] | undefined {
  if (addCommunity !== undefined) return communityChange(addCommunity.value)
  if (prependASPath !== undefined)
    return prependASPath.prefix.toReversed().map(asn => ({ set: 'prepend' as const, asn, times: 1 }))
  return undefined
}

function communityChange(value: string): readonly Change[] {
  const { communities, largeCommunities } = communitiesOf([value])
  return [
    ...(communities.length === 0 ? [] : [{ set: 'communities', how: 'add', values: communities } as const]),
    ...(largeCommunities.length === 0 ? [] : [{ set: 'large-communities', how: 'add', values: largeCommunities } as const]),
  ]
}

/** Texts of communities, sorted by kind. */
export function communitiesOf(values: readonly string[]) {
  return {
    communities: values.flatMap(value => parseCommunity(value) ?? []),
    largeCommunities: values.flatMap(value => parseLargeCommunity(value) ?? []),
  }
}
