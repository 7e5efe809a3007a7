/** Rows of table main that are ours, or that stand where we want one, by destination. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, parsePrefix, toPrefix } from '@network/base/net/prefix.ts'
import type { Seen } from '@network/base/state/delta-map.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import { formatRoute, type Route, SCOPE } from '@network/netlink/route.ts'
import type { RouteRun } from '@network/netlink/route-list.ts'
import type { Devices } from '../devices.ts'
import { isOurRoute, ROUTE_METRIC } from '../ownership.ts'
import { type Destinations, NOWHERE } from './destinations.ts'

/** A row of the kernel: there may be many, which share all but their destination. */
export interface RouteRow {
  readonly like: Route
  readonly isOurs: boolean
  /** Says nothing that an intent cannot say. */
  readonly isPlain: boolean
  readonly device: string | undefined
  /** Undefined where a route is wanted, for then its key names it: thousands of rows are one value. */
  readonly destination: Prefix | undefined
}

/** One that has a destination of its own. */
type SomeRow = RouteRow & { readonly destination: Prefix }

export function destinationOf({ destination }: RouteRow, key: string): Prefix {
  if (destination !== undefined) return destination
  const named = parsePrefix(key)
  if (!named.ok) throw new TypeError(named.says)
  return named.value
}

/** To the kernel, destination, metric and TOS are the key: replacing would overwrite such a row whoever made it. */
export function standsInOurWay(like: Route): boolean {
  return isOurRoute(like) || (like.metric === ROUTE_METRIC && like.tos === 0)
}

/**
 * Several rows may share a destination, for the kernel lets people append: a second row of ours gets a key that nobody wants, and a
 * foreign one stands for the conflict unless ours beside it is right already.
 */
export class RouteRows implements Seen<string, RouteRow> {
  readonly #destinations: Destinations
  readonly #devices: Devices
  /** By the place of what is wanted. */
  readonly #rows: (RouteRow | undefined)[]
  readonly #unwanted = new Map<string, RouteRow>()
  readonly #surplus: SomeRow[] = []

  constructor(destinations: Destinations, devices: Devices) {
    this.#destinations = destinations
    this.#devices = devices
    this.#rows = new Array<RouteRow | undefined>(destinations.wants.length).fill(undefined)
  }

  take({ like, addresses }: RouteRun): void {
    const row = rowLike(like, this.#devices)
    const { wants } = this.#destinations
    const { length } = like.destination
    for (const address of addresses) {
      const place = this.#destinations.placeOf(address, length)
      const want = wants[place]
      if (place === NOWHERE || want === undefined) this.#takeUnwanted(row, address)
      else if (this.#rows[place] === undefined) this.#rows[place] = row
      else this.#takeAnother(row, place, want)
    }
  }

  forEach(visit: (row: RouteRow, key: string) => void): void {
    this.#destinations.keys.forEach((key, place) => {
      const row = this.#rows[place]
      if (row !== undefined) visit(row, key)
    })
    this.#unwanted.forEach(visit)
    for (const row of this.#surplus) visit(row, `${formatRoute({ ...row.like, destination: row.destination })} (surplus)`)
  }

  #takeUnwanted(row: RouteRow, address: Ipv4): void {
    if (!row.isOurs) return
    const destination = toPrefix(address, row.like.destination.length)
    const key = formatPrefix(destination)
    if (this.#unwanted.has(key)) this.#surplus.push(rowTo(row, destination))
    else this.#unwanted.set(key, rowTo(row, destination))
  }

  #takeAnother(row: RouteRow, place: number, want: RouteIntent): void {
    const former = this.#rows[place]
    const stands = row.isOurs ? isRight(want, row) : former === undefined || !isRight(want, former)
    const loser = stands ? former : row
    if (stands) this.#rows[place] = row
    if (loser?.isOurs === true) this.#surplus.push(rowTo(loser, want.destination))
  }
}

function rowLike(like: Route, devices: Devices): RouteRow {
  const isPlain =
    like.multipath.length === 0 && like.unmodelled.length === 0 && like.source === undefined && like.mtu === undefined
  return { like, isOurs: isOurRoute(like), isPlain, device: devices.nameOf(like.device), destination: undefined }
}

function rowTo(row: RouteRow, destination: Prefix): SomeRow {
  return { ...row, destination }
}

/** Ours, and as wanted. */
export function isRight(want: RouteIntent, { like, isOurs, isPlain, device }: RouteRow): boolean {
  if (!isOurs || !isPlain) return false
  switch (want.is) {
    case 'blackhole':
    case 'unreachable':
      return like.type === want.is
    case 'workload':
      return like.type === 'unicast' && like.gateway === undefined && like.scope === SCOPE.link && device === want.device
    case 'remote':
      return like.type === 'unicast' && like.gateway === want.gateway && like.onlink === want.onlink && device === want.device
    default:
      return want satisfies never
  }
}
