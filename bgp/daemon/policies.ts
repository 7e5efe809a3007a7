/** Policies as they are written → policies as they are judged by. */
import type { Change, Condition, Policy, PrefixRange, Rule } from '../policy/policy.ts'
import type { NextHopChange } from './fields.ts'
import type { PolicyConfig } from './schema.ts'

type RuleConfig = PolicyConfig['rules'][number]
type MatchConfig = RuleConfig['match']
type SetConfig = RuleConfig['set']

/** What a name stands for; undefined: there is no such set. */
export type PrefixSets = (name: string) => readonly PrefixRange[] | undefined

/** Every set that is named must be there: see `unknownSets`. */
export function toPolicy(name: string, { rules, otherwise }: PolicyConfig, sets: PrefixSets): Policy {
  return { name, rules: rules.map((rule, index) => toRule(rule, `${index + 1}`, sets)), otherwise }
}

/** Names of prefix sets that nobody defined, each with its place in the policy. */
export function unknownSets(
  { rules }: PolicyConfig,
  sets: PrefixSets,
): readonly { readonly path: readonly (string | number)[]; readonly set: string }[] {
  return rules.flatMap(({ match }, rule) =>
    [
      { path: ['rules', rule, 'match', 'prefixes'], prefixes: match.prefixes },
      { path: ['rules', rule, 'match', 'not', 'prefixes'], prefixes: match.not?.prefixes },
    ].flatMap(({ path, prefixes = [] }) =>
      prefixes.flatMap((each, index) =>
        'set' in each && sets(each.set) === undefined ? [{ path: [...path, index], set: each.set }] : [],
      ),
    ),
  )
}

function toRule({ name, match, set, verdict }: RuleConfig, place: string, sets: PrefixSets): Rule {
  const { not, ...rest } = match
  const negated = not === undefined ? [] : toConditions(not, sets).map((condition): Condition => ({ is: 'not', condition }))
  return { name: name ?? place, when: [...toConditions(rest, sets), ...negated], change: toChanges(set), verdict }
}

function toConditions(match: Omit<MatchConfig, 'not'>, sets: PrefixSets): readonly Condition[] {
  const { prefixes, family, asPath, asPathLength, communities, largeCommunities, extendedCommunities, origin, source } = match
  const conditions: (Condition | undefined)[] = [
    prefixes && { is: 'prefix', within: prefixes.flatMap(each => ('set' in each ? (sets(each.set) ?? []) : [each])) },
    family && { is: 'family', family },
    asPath && { is: 'as-path', pattern: asPath },
    asPathLength && { is: 'as-path-length', atLeast: asPathLength.atLeast ?? 0, atMost: asPathLength.atMost ?? Infinity },
    communities && { is: 'community', anyOf: communities },
    largeCommunities && { is: 'large-community', anyOf: largeCommunities },
    extendedCommunities && { is: 'extended-community', anyOf: extendedCommunities },
    origin && { is: 'origin', origin },
    source && { is: 'source', kind: source },
  ]
  return conditions.filter(condition => condition !== undefined)
}

function toChanges(set: SetConfig): readonly Change[] {
  const { weight, localPref, med, origin, communities, largeCommunities, extendedCommunities, prepend, nextHop } = set
  const changes: (Change | undefined)[] = [
    weight === undefined ? undefined : { set: 'weight', value: weight },
    localPref === undefined ? undefined : { set: 'local-pref', value: localPref },
    med === undefined ? undefined : { set: 'med', value: med === 'none' ? undefined : med },
    origin && { set: 'origin', value: origin },
    communities?.replace && { set: 'communities', how: 'replace', values: communities.replace },
    communities?.remove && { set: 'communities', how: 'remove', matching: communities.remove },
    communities?.add && { set: 'communities', how: 'add', values: communities.add },
    largeCommunities?.replace && { set: 'large-communities', how: 'replace', values: largeCommunities.replace },
    largeCommunities?.remove && { set: 'large-communities', how: 'remove', matching: largeCommunities.remove },
    largeCommunities?.add && { set: 'large-communities', how: 'add', values: largeCommunities.add },
    extendedCommunities?.replace && { set: 'extended-communities', how: 'replace', values: extendedCommunities.replace },
    extendedCommunities?.remove && { set: 'extended-communities', how: 'remove', matching: extendedCommunities.remove },
    extendedCommunities?.add && { set: 'extended-communities', how: 'add', values: extendedCommunities.add },
    prepend && { set: 'prepend', asn: prepend.asn, times: prepend.times },
    nextHop && toNextHop(nextHop),
  ]
  return changes.filter(change => change !== undefined)
}

function toNextHop(change: NextHopChange): Change {
  switch (change.is) {
    case 'self':
      return { set: 'next-hop-self' }
    case 'ipv4':
      return { set: 'next-hop', to: change.to }
    case 'ipv6':
      return { set: 'next-hop6', to: change.to }
    default:
      return change satisfies never
  }
}
