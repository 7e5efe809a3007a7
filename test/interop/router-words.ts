/** Attributes of a route in the words of BIRD and of FRR, so that what they print can be held to what was said. */
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6 } from '@network/base/net/ipv6.ts'
import type { Attributes } from '@network/bgp/speaker.ts'

const BIRD_ORIGINS = { igp: 'IGP', egp: 'EGP', incomplete: 'Incomplete' } as const

/** The lines of `birdc show route all` that begin with `BGP.`, sorted. */
export function inWordsOfBird(attributes: Attributes): readonly string[] {
  const { med, localPref, atomicAggregate, aggregator, originatorId, clusterList } = attributes
  const lists = {
    community: attributes.communities.map(each => `(${each >>> 16},${each & 0xffff})`),
    ext_community: attributes.extendedCommunities.map(each => `(${extended(each, ['rt', 'ro']).join(', ')})`),
    large_community: attributes.largeCommunities.map(each => `(${[each.global, each.local1, each.local2].join(', ')})`),
    cluster_list: clusterList.map(formatIpv4),
  }
  return [
    `origin: ${BIRD_ORIGINS[attributes.origin]}`,
    `as_path: ${pathOf(attributes)}`,
    `next_hop: ${hopOf(attributes)}`,
    ...said(med, `med: ${med}`),
    // It fills in its default for what comes from outside.
    `local_pref: ${localPref ?? 100}`,
    ...(atomicAggregate ? ['atomic_aggr:'] : []),
    ...said(aggregator, `aggregator: ${formatIpv4(aggregator?.address ?? attributes.nextHop)} AS${aggregator?.asn}`),
    ...said(originatorId, `originator_id: ${formatIpv4(originatorId ?? attributes.nextHop)}`),
    ...Object.entries(lists).flatMap(([name, list]) => (list.length === 0 ? [] : [`${name}: ${list.join(' ')}`])),
    ...attributes.opaque.map(
      ({ code, body }) => `${code.toString(16)} [t]: ${[...body].map(each => each.toString(16).padStart(2, '0')).join(' ')}`,
    ),
  ]
    .map(line => `BGP.${line}`)
    .sort()
}

/** What stands in the JSON of `show bgp … json`, a line each, sorted; it does not print attributes that it does not know. */
export function inWordsOfFrr(attributes: Attributes): readonly string[] {
  const { med, localPref, atomicAggregate, aggregator, originatorId, clusterList } = attributes
  const lists = {
    community: attributes.communities.map(each => `${each >>> 16}:${each & 0xffff}`),
    extendedCommunity: attributes.extendedCommunities.map(each => extended(each, ['RT', 'SoO']).join(':')),
    largeCommunity: attributes.largeCommunities.map(each => [each.global, each.local1, each.local2].join(':')),
    clusterList: clusterList.map(formatIpv4),
  }
  return [
    `origin: ${attributes.origin}`,
    `aspath: ${pathOf(attributes)}`,
    `nexthop: ${hopOf(attributes)}`,
    ...said(med, `metric: ${med}`),
    ...said(localPref, `locPrf: ${localPref}`),
    ...(atomicAggregate ? ['atomicAggregate: true'] : []),
    ...said(aggregator, `aggregatorAs: ${aggregator?.asn}`),
    ...said(aggregator, `aggregatorId: ${formatIpv4(aggregator?.address ?? attributes.nextHop)}`),
    ...said(originatorId, `originatorId: ${formatIpv4(originatorId ?? attributes.nextHop)}`),
    ...Object.entries(lists).flatMap(([name, list]) => (list.length === 0 ? [] : [`${name}: ${list.join(' ')}`])),
  ].sort()
}

const PLAIN = ['origin', 'metric', 'locPrf', 'atomicAggregate', 'aggregatorAs', 'aggregatorId', 'originatorId']

/** The same lines out of what FRR said; none while it knows no path. */
export function linesOfFrr(answer: unknown): readonly string[] {
  const path = at(at(answer, 'paths'), '0')
  if (path === undefined) return []
  const list = at(at(path, 'clusterList'), 'list')
  const lines = [
    ...PLAIN.map(name => [name, at(path, name)]),
    ...['aspath', 'community', 'extendedCommunity', 'largeCommunity'].map(name => [name, at(at(path, name), 'string')]),
    ['clusterList', Array.isArray(list) ? list.join(' ') : undefined],
    ['nexthop', at(at(at(path, 'nexthops'), '0'), 'ip')],
  ]
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])).sort()
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function said(value: unknown, line: string): readonly string[] {
  return value === undefined ? [] : [line]
}

function pathOf({ asPath }: Attributes): string {
  return asPath.flatMap(({ asns }) => asns).join(' ')
}

function hopOf({ nextHop, nextHop6 }: Attributes): string {
  return nextHop6 === undefined ? formatIpv4(nextHop) : formatIpv6(nextHop6.address)
}

/** Route targets and origins of a two-octet AS. */
function extended(value: bigint, [target, origin]: readonly [string, string]): readonly (string | bigint)[] {
  const name = ((value >> 48n) & 0xffn) === 2n ? target : origin
  return [name, (value >> 32n) & 0xffffn, value & 0xffffffffn]
}
