/** Routes of ours in table main. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { formatRoute, type Route, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { addRoute, deleteRoute, replaceRoute } from '@network/netlink/route-message.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import { isOurRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from '../ownership.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

/** `hasVtep` says whether the far end of a VXLAN tunnel is there: a route to it would lose packets before. */
export function routeTable(
  client: NetlinkClient,
  devices: Devices,
  hasVtep: (address: Ipv4) => boolean = () => false,
): Table<RouteIntent, Route> {
  const text = (route: Route) => formatRoute(route, index => devices.nameOf(index))
  return {
    name: 'route',
    list: wanted => listed(client, devices, wanted),
    same: (want, have) => isOurRoute(have) && matches(want, have, devices),
    foreign: have => (isOurRoute(have) ? undefined : text(have)),
    apply: steps => applyAll(client, { devices, hasVtep }, steps),
    describe: text,
  }
}

/**
 * Rows by destination. Several may share one, for the kernel lets people append: a second row of ours gets a key that nobody wants, and a
 * foreign one stands for the conflict unless ours beside it is right already.
 */
function listed(client: NetlinkClient, devices: Devices, wanted: ReadonlyMap<string, RouteIntent>): Map<string, Route> {
  const found = new Map<string, Route>()
  for (const route of client.routes({ table: TABLE.main })) {
    const ours = isOurRoute(route)
    if (!ours && !holdsOurKey(route)) continue
    const key = formatPrefix(route.destination)
    if (!ours && !wanted.has(key)) continue
    const former = found.get(key)
    if (former === undefined) {
      found.set(key, route)
      continue
    }
    const want = wanted.get(key)
    if (ours && want !== undefined && matches(want, route, devices)) {
      found.set(key, route)
      if (isOurRoute(former)) found.set(surplusKey(former), former)
    } else if (ours) found.set(surplusKey(route), route)
    else if (want === undefined || !isOurRoute(former) || !matches(want, former, devices)) {
      found.set(key, route)
      if (isOurRoute(former)) found.set(surplusKey(former), former)
    }
  }
  return found
}

function surplusKey(route: Route): string {
  return `${formatRoute(route)} (surplus)`
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

/** All in one go; what waits for a device is left out. */
interface Footing {
  readonly devices: Devices
  readonly hasVtep: (address: Ipv4) => boolean
}

function applyAll(client: NetlinkClient, footing: Footing, steps: readonly Step<RouteIntent, Route>[]): Outcome[] {
  const instructions: Instruction[] = []
  const answers = steps.map((step): Outcome | number => {
    const prepared = instructionFor(step, footing)
    if (prepared === undefined) return { is: 'done' }
    if ('is' in prepared) return prepared
    return instructions.push(prepared) - 1
  })
  const outcomes = outcomesOf(client, instructions)
  return answers.map(answer => (typeof answer === 'number' ? (outcomes[answer] ?? { is: 'failed', says: 'no answer' }) : answer))
}

function instructionFor(
  { want, have }: Step<RouteIntent, Route>,
  { devices, hasVtep }: Footing,
): Instruction | Outcome | undefined {
  if (want === undefined) return have === undefined ? undefined : deleteRoute(have)
  const common = { destination: want.destination, protocol: ROUTE_PROTOCOL, metric: ROUTE_METRIC }
  // A new row must not overwrite one that somebody made since the last look; a row of ours is replaced without a gap.
  const put = (route: Route) => (have === undefined ? addRoute(route) : replaceRoute(route))
  if (want.is === 'blackhole' || want.is === 'unreachable') return put(toRoute({ ...common, type: want.is }))
  const device = devices.named(want.device)?.index
  if (device === undefined) return { is: 'waiting', says: `interface ${want.device} is not there` }
  if (want.is === 'workload') return put(toRoute({ ...common, device, scope: SCOPE.link }))
  if (want.carriage === 'vxlan' && !hasVtep(want.gateway))
    return { is: 'waiting', says: `the neighbour ${formatIpv4(want.gateway)} on ${want.device} is not there` }
  return put(toRoute({ ...common, device, gateway: want.gateway, onlink: want.onlink }))
}
