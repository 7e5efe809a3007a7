/** Routes of ours in table main. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import type { Seen } from '@network/base/state/delta-map.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { formatRoute, type Route, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { deleteRoute, RoutePattern } from '@network/netlink/route-message.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import { isOurRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from '../ownership.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

/** A row of the kernel: there may be many, which share all but their destination. */
export interface RouteRow {
  readonly like: Route
  readonly destination: Prefix
}

/** `hasVtep` says whether the far end of a VXLAN tunnel is there: a route to it would lose packets before. */
export function routeTable(
  client: NetlinkClient,
  devices: Devices,
  hasVtep: (address: Ipv4) => boolean = () => false,
): Table<RouteIntent, RouteRow> {
  const text = (row: RouteRow) => textOf(row, devices)
  return {
    name: 'route',
    list: wanted => listed(client, devices, wanted),
    same: (want, { like }) => isOurRoute(like) && matches(want, like, devices),
    foreign: row => (isOurRoute(row.like) ? undefined : text(row)),
    apply: steps => applyAll(client, { devices, hasVtep }, steps),
    describe: text,
  }
}

function textOf(row: RouteRow, devices: Devices): string {
  return formatRoute(routeOf(row), index => devices.nameOf(index))
}

function routeOf({ like, destination }: RouteRow): Route {
  return { ...like, destination }
}

/**
 * Rows by destination. Several may share one, for the kernel lets people append: a second row of ours gets a key that nobody wants, and a
 * foreign one stands for the conflict unless ours beside it is right already.
 */
function listed(client: NetlinkClient, devices: Devices, wanted: ReadonlyMap<string, RouteIntent>): Seen<string, RouteRow> {
  const runs = client.routeRuns({ table: TABLE.main }).filter(({ like }) => isOurRoute(like) || holdsOurKey(like))
  const found = new RoutesByDestination(runs.length === 0 ? new Map() : wanted)
  for (const { like, addresses } of runs) {
    const ours = isOurRoute(like)
    for (const address of addresses) {
      const place = found.place(address, like.destination.length)
      const want = found.wantAt(place)
      if (!ours && want === undefined) continue
      const former = found.rowAt(place)
      const row = { like, destination: want?.destination ?? toPrefix(address, like.destination.length) }
      if (former === undefined) found.put(place, row)
      else if (ours && want !== undefined && matches(want, like, devices)) found.replace(place, row)
      else if (ours) found.addSurplus(row)
      else if (want === undefined || !isOurRoute(former.like) || !matches(want, former.like, devices)) found.replace(place, row)
    }
  }
  return found
}

/** Finds the place of a destination by number: to make and to look up 50,000 texts takes longer than to read the rows. */
class RoutesByDestination implements Seen<string, RouteRow> {
  readonly #keys: string[] = []
  readonly #wants: (RouteIntent | undefined)[] = []
  readonly #rows: (RouteRow | undefined)[] = []
  readonly #surplus: RouteRow[] = []
  /** By length, then by address. */
  readonly #places: Map<number, number>[] = Array.from({ length: 33 }, () => new Map())

  constructor(wanted: ReadonlyMap<string, RouteIntent>) {
    for (const [key, want] of wanted) this.#add(key, want.destination, want)
  }

  place(address: Ipv4, length: number): number {
    const place = this.#places[length]?.get(address | 0)
    if (place !== undefined) return place
    const destination = toPrefix(address, length)
    return this.#add(formatPrefix(destination), destination, undefined)
  }

  wantAt(place: number): RouteIntent | undefined {
    return this.#wants[place]
  }

  rowAt(place: number): RouteRow | undefined {
    return this.#rows[place]
  }

  put(place: number, row: RouteRow): void {
    this.#rows[place] = row
  }

  /** A former row of ours is too much. */
  replace(place: number, row: RouteRow): void {
    const former = this.#rows[place]
    this.#rows[place] = row
    if (former !== undefined && isOurRoute(former.like)) this.addSurplus(former)
  }

  addSurplus(row: RouteRow): void {
    this.#surplus.push(row)
  }

  forEach(visit: (row: RouteRow, key: string) => void): void {
    for (let place = 0; place < this.#keys.length; place++) {
      const key = this.#keys[place]
      const row = this.#rows[place]
      if (row !== undefined && key !== undefined) visit(row, key)
    }
    for (const row of this.#surplus) visit(row, `${formatRoute(routeOf(row))} (surplus)`)
  }

  #add(key: string, { address, length }: Prefix, want: RouteIntent | undefined): number {
    const place = this.#keys.push(key) - 1
    this.#wants.push(want)
    this.#rows.push(undefined)
    this.#places[length]?.set(address | 0, place)
    return place
  }
}

/** To the kernel, destination, metric and TOS are the key: replacing would overwrite such a row whoever made it. */
function holdsOurKey(route: Route): boolean {
  return route.metric === ROUTE_METRIC && route.tos === 0
}

function matches(want: RouteIntent, have: Route, devices: Devices): boolean {
  if (have.multipath.length > 0 || have.unmodelled.length > 0 || have.source !== undefined || have.mtu !== undefined) return false
  switch (want.is) {
    case 'blackhole':
    case 'unreachable':
      return have.type === want.is
    case 'workload':
      return (
        have.type === 'unicast' &&
        have.gateway === undefined &&
        have.scope === SCOPE.link &&
        devices.nameOf(have.device) === want.device
      )
    case 'remote':
      return (
        have.type === 'unicast' &&
        have.gateway === want.gateway &&
        have.onlink === want.onlink &&
        devices.nameOf(have.device) === want.device
      )
    default:
      return want satisfies never
  }
}

/** What a route stands on. */
interface Footing {
  readonly devices: Devices
  readonly hasVtep: (address: Ipv4) => boolean
}

/** All in one go; what waits for a device is left out. */
function applyAll(client: NetlinkClient, footing: Footing, steps: readonly Step<RouteIntent, RouteRow>[]): Outcome[] {
  const instructions: Instruction[] = []
  const patterns = new Patterns()
  const answers = steps.map((step): Outcome | number => {
    const prepared = instructionFor(step, footing, patterns)
    if (prepared === undefined) return { is: 'done' }
    if ('is' in prepared) return prepared
    return instructions.push(prepared) - 1
  })
  const outcomes = outcomesOf(client, instructions)
  return answers.map(answer => (typeof answer === 'number' ? (outcomes[answer] ?? { is: 'failed', says: 'no answer' }) : answer))
}

function instructionFor(
  { want, have }: Step<RouteIntent, RouteRow>,
  { devices, hasVtep }: Footing,
  patterns: Patterns,
): Instruction | Outcome | undefined {
  if (want === undefined)
    return have === undefined ? undefined : { ...deleteRoute(routeOf(have)), on: () => textOf(have, devices) }
  if ('carriage' in want && want.carriage === 'vxlan' && !hasVtep(want.gateway))
    return { is: 'waiting', says: `the neighbour ${formatIpv4(want.gateway)} on ${want.device} is not there` }
  const pattern = patterns.patternOf(want, devices)
  if (pattern === undefined) return { is: 'waiting', says: `interface ${'device' in want ? want.device : ''} is not there` }
  // A new row must not overwrite one that somebody made since the last look; a row of ours is replaced without a gap.
  return have === undefined ? pattern.add(want.destination) : pattern.replace(want.destination)
}

/** The last pattern serves for the next route too, as a rule: the blocks of one node follow each other, and so do pods. */
class Patterns {
  #last: { readonly want: RouteIntent; readonly pattern: RoutePattern } | undefined

  /** Undefined while its device is not there. */
  patternOf(want: RouteIntent, devices: Devices): RoutePattern | undefined {
    if (this.#last !== undefined && areAlike(this.#last.want, want)) return this.#last.pattern
    const route = toRow(want, devices)
    if (route === undefined) return undefined
    const pattern = new RoutePattern(route, index => devices.nameOf(index))
    this.#last = { want, pattern }
    return pattern
  }
}

/** Alike but for the address of their destination. */
function areAlike(one: RouteIntent, other: RouteIntent): boolean {
  if (one.destination.length !== other.destination.length) return false
  if (one.is !== 'remote' || other.is !== 'remote') return false
  return one.gateway === other.gateway && one.device === other.device && one.onlink === other.onlink
}

function toRow(want: RouteIntent, devices: Devices): Route | undefined {
  const common = { destination: want.destination, protocol: ROUTE_PROTOCOL, metric: ROUTE_METRIC }
  if (want.is === 'blackhole' || want.is === 'unreachable') return toRoute({ ...common, type: want.is })
  const device = devices.named(want.device)?.index
  if (device === undefined) return undefined
  if (want.is === 'workload') return toRoute({ ...common, device, scope: SCOPE.link })
  return toRoute({ ...common, device, gateway: want.gateway, onlink: want.onlink })
}
