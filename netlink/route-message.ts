/** The messages of IPv4 routes: what makes, replaces, removes and lists them, and their bytes. linux/rtnetlink.h, rtnetlink(7). */
import { Cursor, WireFault } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { type IfIndex, toIfIndex } from './link.ts'
import { formatRoute, type NameOf, ROUTE_TYPES, type Route, type RouteFilter, type WeightedHop } from './route.ts'
import {
  AF_INET,
  eachAttribute,
  FLAG,
  type Instruction,
  MessageTemplate,
  readIpv4,
  skipPadding,
  TYPE,
  writeAttribute,
  writeIpv4,
  writeNumber,
} from './wire.ts'

/** Adds a route; EEXIST when its key is taken. */
export function addRoute(route: Route): Instruction {
  return routeInstruction('add', route)
}

/** Puts a route in the place of whatever holds its key, **also a row of somebody else**, in one step and without a gap. */
export function replaceRoute(route: Route): Instruction {
  return routeInstruction('replace', route)
}

/** Removes the row that matches in every respect given; metric 0 would match any metric. ESRCH when there is none. */
export function deleteRoute(route: Route): Instruction {
  return routeInstruction('delete', route)
}

const ACTS = {
  add: { doing: 'add route', type: TYPE.newRoute, flags: FLAG.create | FLAG.exclusive },
  replace: { doing: 'replace route', type: TYPE.newRoute, flags: FLAG.create | FLAG.replace },
  delete: { doing: 'delete route', type: TYPE.deleteRoute, flags: 0 },
} as const
export type RouteAct = keyof typeof ACTS

/** Requests for routes that are alike but for their destination's address: what they share is written once. */
export class RoutePattern {
  readonly doing: string
  readonly #like: Route
  readonly #template: MessageTemplate
  /** Where in the body the address is, in octets. */
  readonly #at: number | undefined

  /** As `addRoute`, `replaceRoute` or `deleteRoute`. */
  constructor(act: RouteAct, like: Route) {
    const body = new Writer('host')
    writeRoute(body, like)
    this.doing = ACTS[act].doing
    this.#like = like
    this.#template = new MessageTemplate(ACTS[act], writer => writeRoute(writer, like))
    this.#at = destinationIn(body.peek())
  }

  /** The length of `destination` is that of the pattern. */
  write(writer: Writer, destination: Prefix, sequence: number): void {
    const body = this.#template.write(writer, sequence)
    if (this.#at !== undefined) writer.patchU32be(body + this.#at, destination.address)
  }

  /** The route to `destination` in words; `nameOf` gives words to its device. */
  describe(destination: Prefix, nameOf?: NameOf): string {
    return formatRoute({ ...this.#like, destination }, nameOf)
  }
}

const ATTR = {
  destination: 1,
  device: 4,
  gateway: 5,
  metric: 6,
  source: 7,
  metrics: 8,
  multipath: 9,
  cacheInfo: 12,
  table: 15,
  mark: 16,
  uid: 25,
}
/** Inside ATTR.metrics. */
const METRIC_MTU = 2
const HOP = { dead: 0x1, onlink: 0x4, linkDown: 0x10 }
/** Of lookups and of bookkeeping: they say nothing about the row. */
const IGNORED: ReadonlySet<number> = new Set([ATTR.cacheInfo, ATTR.uid, ATTR.mark])
/** Tables above 255 do not fit into the header. */
const TABLE_IN_ATTRIBUTE = 0

/** Writes the body of a route message, attributes in the order in which `ip route` writes them. */
export function writeRoute(writer: Writer, route: Route): void {
  writeHeader(writer, {
    length: route.destination.length,
    tos: route.tos,
    table: route.table > 255 ? TABLE_IN_ATTRIBUTE : route.table,
    protocol: route.protocol,
    scope: route.scope,
    type: ROUTE_TYPES.indexOf(route.type),
    flags: route.onlink ? HOP.onlink : 0,
  })
  if (route.destination.length > 0) writeIpv4(writer, ATTR.destination, route.destination.address)
  writeGateway(writer, route.gateway)
  if (route.source !== undefined) writeIpv4(writer, ATTR.source, route.source)
  if (route.metric !== 0) writeNumber(writer, ATTR.metric, route.metric)
  if (route.table > 255) writeNumber(writer, ATTR.table, route.table)
  if (route.device !== undefined) writeNumber(writer, ATTR.device, route.device)
  if (route.mtu !== undefined) writeMtu(writer, route.mtu)
  if (route.multipath.length > 0) writeMultipath(writer, route.multipath)
}

/** Reads the body of a route message; undefined when it is not about IPv4. */
export function readRoute(body: Cursor): Route | undefined {
  const family = body.u8()
  const length = body.u8()
  body.skip(1)
  const tos = body.u8()
  const table = body.u8()
  const protocol = body.u8()
  const scope = body.u8()
  const typeNumber = body.u8()
  const flags = body.u32()
  if (family !== AF_INET) return undefined
  if (length > 32) throw new WireFault('IPv4 prefix length', { wanted: length, left: 32 })
  const type = ROUTE_TYPES[typeNumber]
  if (type === undefined) throw new WireFault('route type', { wanted: typeNumber, left: ROUTE_TYPES.length - 1 })
  const seen = readAttributes(body, table)
  return {
    type,
    destination: toPrefix(seen.destination, length),
    gateway: seen.gateway,
    device: seen.device,
    onlink: (flags & HOP.onlink) !== 0,
    table: seen.table,
    protocol,
    scope,
    metric: seen.metric,
    tos,
    source: seen.source,
    mtu: seen.mtu,
    multipath: seen.multipath,
    dead: (flags & (HOP.dead | HOP.linkDown)) !== 0,
    unmodelled: seen.unmodelled,
  }
}

/** Asks for the rows that the filter lets through. */
export function writeRouteQuery(writer: Writer, filter: RouteFilter): void {
  const type = filter.type === undefined ? 0 : ROUTE_TYPES.indexOf(filter.type)
  writeHeader(writer, { length: 0, tos: 0, table: 0, protocol: filter.protocol ?? 0, scope: 0, type, flags: 0 })
  if (filter.table !== undefined) writeNumber(writer, ATTR.table, filter.table)
  if (filter.device !== undefined) writeNumber(writer, ATTR.device, filter.device)
}

/** Asks what the kernel would do with a packet to one address: `ip route get`. */
export function writeRouteLookup(writer: Writer, destination: Ipv4): void {
  writeHeader(writer, { length: 32, tos: 0, table: 0, protocol: 0, scope: 0, type: 0, flags: LOOKUP_TABLE })
  writeIpv4(writer, ATTR.destination, destination)
}
/** The answer names the table that the row is in. */
const LOOKUP_TABLE = 0x1000

/** Asks for the row that such a packet would be routed by: `ip route get fibmatch`. */
export function writeRouteMatch(writer: Writer, destination: Ipv4): void {
  writeHeader(writer, { length: 32, tos: 0, table: 0, protocol: 0, scope: 0, type: 0, flags: LOOKUP_TABLE | FIB_MATCH })
  writeIpv4(writer, ATTR.destination, destination)
}
const FIB_MATCH = 0x2000

/** Where in the body of a route message the destination's address is; undefined for default routes. */
export function destinationIn(body: Uint8Array): number | undefined {
  const cursor = new Cursor(body, 'host', ROUTE_HEADER_OCTETS)
  let found: number | undefined
  eachAttribute(cursor, (type, value) => {
    if (type === ATTR.destination) found = value.from
  })
  return found
}
const ROUTE_HEADER_OCTETS = 12

interface RouteHeader {
  readonly length: number
  readonly tos: number
  readonly table: number
  readonly protocol: number
  readonly scope: number
  readonly type: number
  readonly flags: number
}

/** `struct rtmsg`. */
function writeHeader(writer: Writer, header: RouteHeader): void {
  writer.u8(AF_INET).u8(header.length).u8(0).u8(header.tos)
  writer.u8(header.table).u8(header.protocol).u8(header.scope).u8(header.type).u32(header.flags)
}

interface RouteAttributes {
  destination: Ipv4
  table: number
  gateway: Ipv4 | undefined
  device: IfIndex | undefined
  metric: number
  source: Ipv4 | undefined
  mtu: number | undefined
  multipath: readonly WeightedHop[]
  unmodelled: number[]
}

function readAttributes(body: Cursor, table: number): RouteAttributes {
  const seen: RouteAttributes = {
    destination: toIpv4(0),
    table,
    gateway: undefined,
    device: undefined,
    metric: 0,
    source: undefined,
    mtu: undefined,
    multipath: [],
    unmodelled: [],
  }
  eachAttribute(body, (type, value) => readAttribute(seen, type, value))
  return seen
}

function readAttribute(seen: RouteAttributes, type: number, value: Cursor): void {
  switch (type) {
    case ATTR.destination:
      seen.destination = readIpv4(value)
      return
    case ATTR.gateway:
      seen.gateway = readIpv4(value)
      return
    case ATTR.source:
      seen.source = readIpv4(value)
      return
    case ATTR.device:
      seen.device = toIfIndex(value.i32())
      return
    case ATTR.metric:
      seen.metric = value.u32()
      return
    case ATTR.table:
      seen.table = value.u32()
      return
    case ATTR.metrics:
      readMetrics(seen, value)
      return
    case ATTR.multipath:
      seen.multipath = readMultipath(seen, value)
      return
    default:
      if (!IGNORED.has(type)) seen.unmodelled.push(type)
  }
}

function readMetrics(seen: RouteAttributes, metrics: Cursor): void {
  eachAttribute(metrics, (type, value) => {
    if (type === METRIC_MTU) seen.mtu = value.u32()
    else noteUnmodelled(seen, ATTR.metrics)
  })
}

/** A row of `struct rtnexthop`, each with its own length, flags and attributes. */
function readMultipath(seen: RouteAttributes, hops: Cursor): WeightedHop[] {
  const found: WeightedHop[] = []
  while (hops.left > 0) {
    const length = hops.u16()
    if (length < HOP_HEADER_OCTETS) throw new WireFault('next hop length', { wanted: HOP_HEADER_OCTETS, left: length })
    const flags = hops.u8()
    const weight = hops.u8() + 1
    const device = toIfIndex(hops.i32())
    let gateway: Ipv4 | undefined
    eachAttribute(hops.sub(length - HOP_HEADER_OCTETS), (type, value) => {
      if (type === ATTR.gateway) gateway = readIpv4(value)
      else noteUnmodelled(seen, ATTR.multipath)
    })
    skipPadding(hops, length)
    found.push({ gateway, device: device === 0 ? undefined : device, onlink: (flags & HOP.onlink) !== 0, weight })
  }
  return found
}
const HOP_HEADER_OCTETS = 8

function noteUnmodelled(seen: RouteAttributes, type: number): void {
  if (!seen.unmodelled.includes(type)) seen.unmodelled.push(type)
}

function writeMtu(writer: Writer, mtu: number): void {
  writeAttribute(writer, ATTR.metrics, metrics => writeNumber(metrics, METRIC_MTU, mtu))
}

function writeMultipath(writer: Writer, hops: readonly WeightedHop[]): void {
  writeAttribute(writer, ATTR.multipath, value => {
    for (const hop of hops) {
      const from = value.length
      value
        .u16(0)
        .u8(hop.onlink ? HOP.onlink : 0)
        .u8(hop.weight - 1)
        .i32(hop.device ?? 0)
      writeGateway(value, hop.gateway)
      value.patchU16(from, value.length - from)
    }
  })
}

function writeGateway(writer: Writer, gateway: Ipv4 | undefined): void {
  if (gateway !== undefined) writeIpv4(writer, ATTR.gateway, gateway)
}

function routeInstruction(act: RouteAct, route: Route): Instruction {
  return { ...ACTS[act], on: () => formatRoute(route), write: writer => writeRoute(writer, route) }
}
