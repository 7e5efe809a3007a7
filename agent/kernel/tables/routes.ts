/** Routes of ours in table main. */

import type { Writer } from '@network/base/bytes/writer.ts'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import type { Prefix } from '@network/base/net/prefix.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { formatRoute, type Route, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { type RouteAct, RoutePattern } from '@network/netlink/route-message.ts'
import type { Changes } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import { ROUTE_METRIC, ROUTE_PROTOCOL } from '../ownership.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { Destinations, NOWHERE } from './destinations.ts'
import { outcomeOf } from './outcomes.ts'
import { destinationOf, isRight, type RouteRow, RouteRows, standsInOurWay } from './route-rows.ts'

/** `hasVtep` says whether the far end of a VXLAN tunnel is there: a route to it would lose packets before. */
export function routeTable(
  client: NetlinkClient,
  devices: Devices,
  hasVtep: (address: Ipv4) => boolean = () => false,
): Table<RouteIntent, RouteRow> {
  const text = (row: RouteRow, key: string) =>
    formatRoute({ ...row.like, destination: destinationOf(row, key) }, index => devices.nameOf(index))
  let last: { readonly wanted: ReadonlyMap<string, RouteIntent>; readonly destinations: Destinations } | undefined
  /** Of the same wish again and again, for as long as it lasts. */
  const destinationsOf = (wanted: ReadonlyMap<string, RouteIntent>) => {
    if (last?.wanted !== wanted) last = { wanted, destinations: new Destinations(wanted) }
    return last.destinations
  }
  return {
    name: 'route',
    list(wanted) {
      const runs = client.routeRuns({ table: TABLE.main }).filter(({ like }) => standsInOurWay(like))
      const rows = new RouteRows(destinationsOf(wanted), devices)
      for (const run of runs) rows.take(run)
      return rows
    },
    same: isRight,
    foreign: (row, key) => (row.isOurs ? undefined : text(row, key)),
    apply: steps => applyAll(client, { devices, hasVtep }, steps),
    describe: text,
  }
}

/** What a route stands on. */
interface Footing {
  readonly devices: Devices
  readonly hasVtep: (address: Ipv4) => boolean
}

/** All in one go; what waits for a device is left out. */
function applyAll(client: NetlinkClient, footing: Footing, steps: readonly Step<RouteIntent, RouteRow>[]): Outcome[] {
  const changes = new RouteChanges(footing.devices)
  const outcomes = steps.map((step, at) => prepare(step, at, changes, footing))
  for (const [at, fault] of client.carryOut(changes)) outcomes[changes.stepOf(at)] = outcomeOf(fault)
  return outcomes
}

/** What becomes of a step, unless the kernel refuses it. */
function prepare(
  { key, want, have }: Step<RouteIntent, RouteRow>,
  at: number,
  changes: RouteChanges,
  { devices, hasVtep }: Footing,
): Outcome {
  if (want === undefined) {
    if (have !== undefined) changes.remove(have.like, destinationOf(have, key), at)
    return DONE
  }
  if (want.is === 'remote' && want.carriage === 'vxlan' && !hasVtep(want.gateway))
    return { is: 'waiting', says: `the neighbour ${formatIpv4(want.gateway)} on ${want.device} is not there` }
  if ('device' in want && devices.named(want.device) === undefined)
    return { is: 'waiting', says: `interface ${want.device} is not there` }
  // A new row must not overwrite one that somebody made since the last look; a row of ours is replaced without a gap.
  changes.put(have === undefined ? 'add' : 'replace', want, at)
  return DONE
}
const DONE: Outcome = { is: 'done' }

/** What the kernel is asked for, as patterns: the blocks of one node follow each other, and so do pods. */
class RouteChanges implements Changes {
  readonly #devices: Devices
  readonly #patterns: RoutePattern[] = []
  readonly #destinations: Prefix[] = []
  readonly #steps: number[] = []
  #lastPut: { readonly act: RouteAct; readonly want: RouteIntent; readonly pattern: RoutePattern } | undefined
  #lastRemoved: { readonly like: Route; readonly pattern: RoutePattern } | undefined

  constructor(devices: Devices) {
    this.#devices = devices
  }

  get length(): number {
    return this.#steps.length
  }

  /** For step number `step`; the device is there. */
  put(act: RouteAct, want: RouteIntent, step: number): void {
    if (this.#lastPut?.act !== act || !areAlike(this.#lastPut.want, want))
      this.#lastPut = { act, want, pattern: new RoutePattern(act, toRow(want, this.#devices)) }
    this.#push(this.#lastPut.pattern, want.destination, step)
  }

  remove(like: Route, destination: Prefix, step: number): void {
    if (this.#lastRemoved?.like !== like) this.#lastRemoved = { like, pattern: new RoutePattern('delete', like) }
    this.#push(this.#lastRemoved.pattern, destination, step)
  }

  stepOf(at: number): number {
    return this.#steps[at] ?? NOWHERE
  }

  write(at: number, writer: Writer, sequence: number): void {
    const destination = this.#destinations[at]
    if (destination !== undefined) this.#patterns[at]?.write(writer, destination, sequence)
  }

  describe(at: number): { readonly doing: string; readonly on: string } {
    const [pattern, destination] = [this.#patterns[at], this.#destinations[at]]
    if (pattern === undefined || destination === undefined) throw new RangeError(`there is no change ${at}`)
    return { doing: pattern.doing, on: pattern.describe(destination, index => this.#devices.nameOf(index)) }
  }

  #push(pattern: RoutePattern, destination: Prefix, step: number): void {
    this.#patterns.push(pattern)
    this.#destinations.push(destination)
    this.#steps.push(step)
  }
}

/** Alike but for the address of their destination. */
function areAlike(one: RouteIntent, other: RouteIntent): boolean {
  if (one.destination.length !== other.destination.length) return false
  if (one.is !== 'remote' || other.is !== 'remote') return false
  return one.gateway === other.gateway && one.device === other.device && one.onlink === other.onlink
}

function toRow(want: RouteIntent, devices: Devices): Route {
  const common = { destination: want.destination, protocol: ROUTE_PROTOCOL, metric: ROUTE_METRIC }
  if (want.is === 'blackhole' || want.is === 'unreachable') return toRoute({ ...common, type: want.is })
  const device = devices.named(want.device)?.index
  if (want.is === 'workload') return toRoute({ ...common, device, scope: SCOPE.link })
  return toRoute({ ...common, device, gateway: want.gateway, onlink: want.onlink })
}
