/** What an operator wants of routes, as data: rules in order, each with conditions, changes and a verdict. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import type { LargeCommunity, Origin } from '../attributes/attributes.ts'
import type { AsPathPattern } from './as-path-pattern.ts'
import type { CommunityPattern, ExtendedCommunityPattern, LargeCommunityPattern } from './community-pattern.ts'

/** Asked for one after another: what one accepts the next one judges, as changed; a refusal is final. */
export type PolicyChain = readonly Policy[]

export interface Policy {
  readonly name: string
  /** The first rule whose conditions hold and that has a verdict decides. */
  readonly rules: readonly Rule[]
  /** For what no rule decides. */
  readonly otherwise: 'accept' | 'reject'
}

export interface Rule {
  readonly name: string
  /** All must hold; none holds for every route. */
  readonly when: readonly Condition[]
  /** Done in order where the conditions hold. */
  readonly change: readonly Change[]
  readonly verdict: 'accept' | 'reject' | 'continue'
}

export type Condition =
  | { readonly is: 'prefix'; readonly within: readonly PrefixRange[] }
  | { readonly is: 'family'; readonly family: 'ipv4' | 'ipv6' }
  | { readonly is: 'as-path'; readonly pattern: AsPathPattern }
  | { readonly is: 'as-path-length'; readonly atLeast: number; readonly atMost: number }
  | { readonly is: 'community'; readonly anyOf: readonly CommunityPattern[] }
  | { readonly is: 'large-community'; readonly anyOf: readonly LargeCommunityPattern[] }
  | { readonly is: 'extended-community'; readonly anyOf: readonly ExtendedCommunityPattern[] }
  | { readonly is: 'origin'; readonly origin: Origin }
  /** Who told us: ourselves, a peer of our AS, or one of another. */
  | { readonly is: 'source'; readonly kind: 'local' | 'internal' | 'external' }
  | { readonly is: 'not'; readonly condition: Condition }

/** Prefixes inside `prefix` whose lengths are from `atLeast` to `atMost`. */
export interface PrefixRange {
  readonly prefix: AnyPrefix
  readonly atLeast: number
  readonly atMost: number
}

export type Change =
  /** Counts before LOCAL_PREF, and only in this speaker. */
  | { readonly set: 'weight'; readonly value: number }
  | { readonly set: 'local-pref'; readonly value: number }
  | { readonly set: 'med'; readonly value: number | undefined }
  | { readonly set: 'origin'; readonly value: Origin }
  | { readonly set: 'communities'; readonly how: 'add' | 'replace'; readonly values: readonly number[] }
  | { readonly set: 'communities'; readonly how: 'remove'; readonly matching: readonly CommunityPattern[] }
  | { readonly set: 'large-communities'; readonly how: 'add' | 'replace'; readonly values: readonly LargeCommunity[] }
  | { readonly set: 'large-communities'; readonly how: 'remove'; readonly matching: readonly LargeCommunityPattern[] }
  | { readonly set: 'extended-communities'; readonly how: 'add' | 'replace'; readonly values: readonly bigint[] }
  | { readonly set: 'extended-communities'; readonly how: 'remove'; readonly matching: readonly ExtendedCommunityPattern[] }
  /** Our own AS where none is named. */
  | { readonly set: 'prepend'; readonly asn: number | undefined; readonly times: number }
  | { readonly set: 'next-hop'; readonly to: Ipv4 }
  | { readonly set: 'next-hop6'; readonly to: Ipv6 }
  /** This end of the session that the route goes over. */
  | { readonly set: 'next-hop-self' }
