/** IPv4 routes as values. rtnetlink(7). */
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import type { IfIndex } from './link.ts'

/** In the order of the kernel's numbers, from 0. */
export const ROUTE_TYPES = [
  'unspecified',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'external',
] as const
export type RouteType = (typeof ROUTE_TYPES)[number]

/** How far away the destination is. */
export const SCOPE = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const
/** The kernel's well-known tables. */
export const TABLE = { default: 253, main: 254, local: 255 } as const
/** Who made a route: the numbers that everybody uses; others are free to take. */
export const PROTOCOL = { redirect: 1, kernel: 2, boot: 3, static: 4, bird: 12, dhcp: 16 } as const

/** The name of a link; undefined when there is none of that index. */
export type NameOf = (index: IfIndex) => string | undefined

export interface NextHop {
  readonly gateway: Ipv4 | undefined
  readonly device: IfIndex | undefined
  /** The kernel asks no route how to reach the gateway: it is on the link by decree. */
  readonly onlink: boolean
}

/** One row of a table, complete and by value. */
export interface Route extends NextHop {
  readonly type: RouteType
  readonly destination: Prefix
  readonly table: number
  readonly protocol: number
  readonly scope: number
  /** Priority: the lowest wins; 0 when the kernel tells none. */
  readonly metric: number
  readonly tos: number
  /** The source address that the kernel prefers for own packets on this route. */
  readonly source: Ipv4 | undefined
  /** Octets; undefined for that of the device. */
  readonly mtu: number | undefined
  /** Several next hops at once; then `gateway` and `device` are undefined. Empty for all others. */
  readonly multipath: readonly WeightedHop[]
  /** The device is down or has no carrier, so the kernel does not use the row. */
  readonly dead: boolean
  /** Numbers of attributes that this type has no field for: a row with any is not what its fields say, and must not be taken for ours. */
  readonly unmodelled: readonly number[]
}

export interface WeightedHop extends NextHop {
  /** 1 to 256. */
  readonly weight: number
}

/** What the caller says of a route; the rest is filled in as `ip route` does. */
export interface RouteSpec {
  readonly destination: Prefix
  readonly type?: RouteType
  readonly gateway?: Ipv4 | undefined
  readonly device?: IfIndex | undefined
  readonly onlink?: boolean
  readonly table?: number
  readonly protocol?: number
  readonly scope?: number
  readonly metric?: number
  readonly source?: Ipv4 | undefined
  readonly mtu?: number | undefined
  readonly multipath?: readonly WeightedHop[]
}

/** Which rows to list; the kernel itself leaves the others out. */
export interface RouteFilter {
  readonly table?: number
  readonly protocol?: number
  readonly type?: RouteType
  readonly device?: IfIndex
}

/** Fills in what is not said: unicast, table main, protocol boot, metric 0, and the scope that follows from type and gateway. */
export function toRoute(spec: RouteSpec): Route {
  const type = spec.type ?? 'unicast'
  const multipath = spec.multipath ?? []
  return {
    type,
    destination: spec.destination,
    gateway: spec.gateway,
    device: spec.device,
    onlink: spec.onlink ?? false,
    table: spec.table ?? TABLE.main,
    protocol: spec.protocol ?? PROTOCOL.boot,
    scope: spec.scope ?? usualScope(type, spec.gateway !== undefined || multipath.length > 0),
    metric: spec.metric ?? 0,
    tos: 0,
    source: spec.source,
    mtu: spec.mtu,
    multipath,
    dead: false,
    unmodelled: [],
  }
}

/** The route as `ip route` would print it, with the device by number unless `nameOf` knows its name. */
export function formatRoute(route: Route, nameOf: NameOf = () => undefined): string {
  return [
    ...(route.type === 'unicast' ? [] : [route.type]),
    route.destination.length === 0 ? 'default' : formatPrefix(route.destination),
    ...hopWords(route, nameOf),
    ...(route.table === TABLE.main ? [] : [`table ${route.table}`]),
    `proto ${route.protocol}`,
    ...(route.metric === 0 ? [] : [`metric ${route.metric}`]),
    ...route.multipath.flatMap(hop => ['nexthop', ...hopWords(hop, nameOf), `weight ${hop.weight}`]),
  ].join(' ')
}

function usualScope(type: RouteType, routed: boolean): number {
  switch (type) {
    case 'local':
    case 'nat':
      return SCOPE.host
    case 'broadcast':
    case 'multicast':
    case 'anycast':
      return SCOPE.link
    case 'unicast':
      return routed ? SCOPE.universe : SCOPE.link
    default:
      return SCOPE.universe
  }
}

function hopWords(hop: NextHop, nameOf: NameOf): string[] {
  return [
    ...(hop.gateway === undefined ? [] : ['via', formatIpv4(hop.gateway)]),
    ...(hop.device === undefined ? [] : ['dev', nameOf(hop.device) ?? `#${hop.device}`]),
    ...(hop.onlink ? ['onlink'] : []),
  ]
}
