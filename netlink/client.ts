/**
 * Asks and instructs the kernel: lists, lookups, and changes in batches, each with its outcome.
 *
 * Every method is synchronous: the kernel works inside `send`, so an answer takes microseconds (1,000 routes some 5 ms, a list of
 * 50,000 rows some 60 ms) and requests never overlap. A kernel that stays silent is a Fault after five seconds.
 */
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { errnoName, errnoText } from '@network/base/sys/errno.ts'
import { type LinkAddress, readLinkAddress, writeAddressQuery } from './address.ts'
import { type FdbEntry, readFdbEntry, writeFdbQuery } from './fdb.ts'
import { type IfIndex, type Link, type LinkRef, readLink, writeLinkQuery } from './link.ts'
import { type Neighbour, readNeighbour, writeNeighbourQuery } from './neighbour.ts'
import { type Netconf, readNetconf, writeNetconfQuery } from './netconf.ts'
import type { Route, RouteFilter } from './route.ts'
import { RouteListReader, type RouteRun, rowsOf } from './route-list.ts'
import { readRoute, writeRouteLookup, writeRouteMatch, writeRouteQuery } from './route-message.ts'
import { type Channel, NetlinkSocket, type SocketOptions } from './socket.ts'
import {
  type Ack,
  askForAck,
  type Changes,
  eachMessage,
  FLAG,
  type Instruction,
  type Message,
  readAck,
  readDone,
  TYPE,
  writeInstruction,
  writeMessage,
} from './wire.ts'

/** What became of one instruction; a Fault's `detail.errno` is the kernel's, such as `EEXIST` or `EOPNOTSUPP`. */
export type Outcome = { readonly is: 'done' } | { readonly is: 'refused'; readonly fault: Fault }

/** What the kernel would do with a packet: the row that it would use, or the error that the sender would get. */
export type Lookup = { readonly is: 'route'; readonly route: Route } | { readonly is: 'unreachable'; readonly errno: string }

/** One request of ours, with words for the fault. */
interface Query {
  readonly type: number
  readonly doing: string
  readonly on: string
  readonly write: (writer: Writer) => void
}

/** The rows of a list as they come. */
interface List<T> {
  readonly rows: readonly T[]
  /** Takes one datagram, and what of it is a row. */
  readonly take: (datagram: Uint8Array, isRow: (message: Message) => boolean) => void
}

/** How to gather a list, and the errno that means that there is nothing to list. */
interface Listing<T> {
  readonly begin: () => List<T>
  readonly emptyIf?: string
}

const NO_END: Ack = { errno: 0, text: undefined, offset: undefined }
const DONE: Outcome = { is: 'done' }
/** Messages in one send; more win nothing. */
const LARGEST_BATCH = 1024
/** What one refusal may take of the receive buffer, as the kernel counts: refusals that do not fit would be lost. */
const REFUSAL_OCTETS = 2048
const LAST_SEQUENCE = 0x7fffffff
const SILENCE_MS = 5000
const DUMP_TRIES = 10
/** 192.0.2.1, for documentation (RFC 5737): nobody's own. */
const FAR_AWAY = ipv4('192.0.2.1')
/** How `ip route get` fails where there is no way: no route, prohibited, blackhole, unreachable. */
const NO_WAY: ReadonlySet<string> = new Set(['ENETUNREACH', 'EACCES', 'EINVAL', 'EHOSTUNREACH', 'EAGAIN'])

export class NetlinkClient implements Disposable {
  readonly #channel: Channel
  readonly #writer = new Writer('host', 64 << 10)
  readonly #batch: number
  #sequence = 0

  /** Opens a socket, in another network namespace when one is named; several clients live side by side. */
  static open(options: Pick<SocketOptions, 'namespace' | 'receiveBuffer'> = {}): NetlinkClient {
    return new NetlinkClient(NetlinkSocket.open(options))
  }

  /** The client owns the channel. */
  constructor(channel: Channel) {
    this.#channel = channel
    this.#batch = Math.max(1, Math.min(LARGEST_BATCH, Math.floor(channel.receiveBuffer / REFUSAL_OCTETS)))
  }

  /** Carries out one instruction; a refusal is a Fault `netlink.refused` with the kernel's own words. */
  perform(instruction: Instruction): void {
    for (const outcome of this.performAll([instruction])) if (outcome.is === 'refused') throw outcome.fault
  }

  /** Carries out many, in order; a refused one spoils no other. One outcome for each, in the same order. */
  performAll(instructions: readonly Instruction[]): readonly Outcome[] {
    const outcomes: Outcome[] = instructions.map(() => DONE)
    for (const [at, fault] of this.carryOut(new Listed(instructions))) outcomes[at] = { is: 'refused', fault }
    return outcomes
  }

  /** The same for changes that are not objects, many per system call; those that were refused, by their number. */
  carryOut(changes: Changes): ReadonlyMap<number, Fault> {
    const refused = new Map<number, Fault>()
    for (let from = 0; from < changes.length; from += this.#batch)
      this.#carryOutSome(changes, { from, to: Math.min(from + this.#batch, changes.length) }, refused)
    return refused
  }

  links(): readonly Link[] {
    return this.#dump(
      { type: TYPE.getLink, doing: 'list', on: 'links', write: writer => writeLinkQuery(writer) },
      TYPE.newLink,
      readLink,
    )
  }

  /** One link by name or index; undefined when there is none. */
  link(ref: LinkRef): Link | undefined {
    const on = typeof ref === 'string' ? ref : `#${ref}`
    const query = { type: TYPE.getLink, doing: 'read link', on, write: (writer: Writer) => writeLinkQuery(writer, ref) }
    const answer = this.#ask(query, TYPE.newLink, readLink)
    if (!('errno' in answer)) return answer.row
    if (errnoName(answer.errno) === 'ENODEV') return undefined
    throw refusal(query, answer)
  }

  /** IPv4 addresses of one link, or of all. */
  addresses(link?: IfIndex): readonly LinkAddress[] {
    const write = (writer: Writer) => writeAddressQuery(writer, link)
    return this.#dump({ type: TYPE.getAddress, doing: 'list', on: 'addresses', write }, TYPE.newAddress, readLinkAddress)
  }

  /** IPv4 routes that the filter lets through, of all tables when it names none; a table that does not exist is empty. */
  routes(filter: RouteFilter = {}): readonly Route[] {
    return rowsOf(this.routeRuns(filter))
  }

  /** The same, for who reads many: rows that are alike but for their destination's address are one value. */
  routeRuns(filter: RouteFilter = {}): readonly RouteRun[] {
    const write = (writer: Writer) => writeRouteQuery(writer, filter)
    const query = { type: TYPE.getRoute, doing: 'list', on: 'routes', write }
    return this.#list(query, TYPE.newRoute, { begin: () => new RouteListReader(), emptyIf: NO_SUCH_TABLE })
  }

  /** IPv4 neighbours of one link, or of all. */
  neighbours(link?: IfIndex): readonly Neighbour[] {
    const write = (writer: Writer) => writeNeighbourQuery(writer, link)
    return this.#dump({ type: TYPE.getNeighbour, doing: 'list', on: 'neighbours', write }, TYPE.newNeighbour, readNeighbour)
  }

  /** The forwarding table of one VXLAN device. */
  forwardingEntries(link: IfIndex): readonly FdbEntry[] {
    const write = (writer: Writer) => writeFdbQuery(writer, link)
    return this.#dump(
      { type: TYPE.getNeighbour, doing: 'list', on: 'forwarding entries', write },
      TYPE.newNeighbour,
      readFdbEntry,
    )
  }

  /** The IPv4 settings of all links, with `all` and `default`. */
  netconfs(): readonly Netconf[] {
    const query = { type: TYPE.getNetconf, doing: 'list', on: 'IPv4 settings', write: writeNetconfQuery }
    return this.#dump(query, TYPE.newNetconf, readNetconf)
  }

  /** The route that the kernel would use for a packet to `destination`: its gateway, device and source address. `ip route get`. */
  lookupRoute(destination: Ipv4): Lookup {
    const on = formatIpv4(destination)
    const write = (writer: Writer) => writeRouteLookup(writer, destination)
    const query = { type: TYPE.getRoute, doing: 'look up the route to', on, write }
    const answer = this.#ask(query, TYPE.newRoute, readRoute)
    if (!('errno' in answer)) return { is: 'route', route: answer.row }
    const errno = errnoName(answer.errno)
    if (NO_WAY.has(errno)) return { is: 'unreachable', errno }
    throw refusal(query, answer)
  }

  /** The row of the tables that a packet to `destination` would be routed by, as it was put there: without what was learned of the path since. */
  matchRoute(destination: Ipv4): Route | undefined {
    const on = formatIpv4(destination)
    const write = (writer: Writer) => writeRouteMatch(writer, destination)
    const query = { type: TYPE.getRoute, doing: 'find the row for', on, write }
    const answer = this.#ask(query, TYPE.newRoute, readRoute)
    if (!('errno' in answer)) return answer.row
    if (NO_WAY.has(errnoName(answer.errno))) return undefined
    throw refusal(query, answer)
  }

  /** The default route of table main that wins, with the source address that the kernel would take for it. */
  defaultRoute(): Route | undefined {
    const rows = this.routes({ table: 254, type: 'unicast' }).filter(row => row.destination.length === 0 && !row.dead)
    const [best] = rows.toSorted((a, b) => a.metric - b.metric)
    if (best === undefined || best.source !== undefined) return best
    // Without a gateway any far address will do: the route is the same for all of them.
    const beyond = best.gateway ?? best.multipath[0]?.gateway ?? FAR_AWAY
    const found = this.lookupRoute(beyond)
    return found.is === 'route' ? { ...best, source: found.route.source } : best
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]()
  }

  /** The kernel acknowledges the last message only; refusals of the others come by their sequence number. */
  #carryOutSome(
    changes: Changes,
    { from, to }: { readonly from: number; readonly to: number },
    refused: Map<number, Fault>,
  ): void {
    this.#writer.reset()
    const base = this.#reserve(to - from) - from
    let last = 0
    for (let at = from; at < to; at++) {
      last = this.#writer.length
      changes.write(at, this.#writer, base + at)
    }
    askForAck(this.#writer.peek().subarray(last))
    let finished = false
    const take = (message: Message) => {
      const at = message.sequence - base
      if (message.type !== TYPE.error || at < from || at >= to) return
      const ack = readAck(message)
      if (ack.errno !== 0) refused.set(at, refusal(changes.describe(at), ack))
      finished ||= at === to - 1
    }
    const what = to - from === 1 ? changes.describe(from) : { doing: 'carry out', on: `${to - from} instructions` }
    this.#exchange(what, datagram => {
      eachMessage(datagram, take)
      return finished
    })
  }

  /** One answer to one question. */
  #ask<T>(query: Query, answerType: number, read: (body: Cursor) => T | undefined): { readonly row: T } | Ack {
    const sequence = this.#write(query, 0)
    let answer: { readonly row: T } | Ack | undefined
    const take = (message: Message) => {
      if (message.sequence !== sequence) return
      if (message.type === TYPE.error) answer = readAck(message)
      if (message.type === answerType) {
        const row = read(message.body)
        if (row !== undefined) answer = { row }
      }
    }
    this.#exchange(query, datagram => {
      eachMessage(datagram, take)
      return answer !== undefined
    })
    return answer ?? { errno: 0, text: 'the kernel gave no answer', offset: undefined }
  }

  #dump<T>(query: Query, rowType: number, read: (body: Cursor) => T | undefined): readonly T[] {
    return this.#list(query, rowType, { begin: () => rowByRow(read) })
  }

  /** A complete list: one that the kernel calls interrupted is asked for again. */
  #list<T>(query: Query, rowType: number, { begin, emptyIf }: Listing<T>): readonly T[] {
    for (let tries = 0; tries < DUMP_TRIES; tries++) {
      const list = begin()
      const { end, interrupted } = this.#listOnce(query, rowType, list)
      if (end.errno !== 0 && errnoName(end.errno) === emptyIf) return []
      if (end.errno !== 0) throw refusal(query, end)
      if (!interrupted) return list.rows
    }
    const says = `the kernel's table changed during each of ${DUMP_TRIES} tries`
    throw new Fault('netlink.interrupted', { doing: query.doing, on: query.on, says })
  }

  #listOnce<T>(query: Query, rowType: number, list: List<T>): { end: Ack; interrupted: boolean } {
    const sequence = this.#write(query, FLAG.dump)
    let end: Ack | undefined
    let interrupted = false
    const isRow = (message: Message): boolean => {
      if (message.sequence !== sequence) return false
      interrupted ||= message.type !== TYPE.error && (message.flags & FLAG.dumpInterrupted) !== 0
      if (message.type === TYPE.error) end = readAck(message)
      else if (message.type === TYPE.done) end = readDone(message)
      return message.type === rowType
    }
    this.#exchange(query, datagram => {
      list.take(datagram, isRow)
      return end !== undefined
    })
    return { end: end ?? NO_END, interrupted }
  }

  #write(query: Query, flags: number): number {
    this.#writer.reset()
    const sequence = this.#reserve(1)
    writeMessage(this.#writer, { type: query.type, flags: flags | FLAG.request, sequence, port: 0 }, query.write)
    return sequence
  }

  /** Sends what is written and takes datagrams until `take` has seen the last one. */
  #exchange(what: { readonly doing: string; readonly on: string }, take: (datagram: Uint8Array) => boolean): void {
    this.#channel.send(this.#writer.peek())
    try {
      while (!this.#takeSome(what, take));
    } catch (reason) {
      this.#drain()
      throw reason
    }
  }

  /** True when it was the last. */
  #takeSome(what: { readonly doing: string; readonly on: string }, take: (datagram: Uint8Array) => boolean): boolean {
    const got = this.#channel.receive()
    if (got === 'overrun') throw overrun(what)
    if (got === 'nothing') {
      if (!this.#channel.waitFor(SILENCE_MS)) throw silence(what)
      return false
    }
    return take(got)
  }

  /** The first of `count` consecutive sequence numbers. */
  #reserve(count: number): number {
    if (this.#sequence > LAST_SEQUENCE - count) this.#sequence = 0
    const first = this.#sequence + 1
    this.#sequence += count
    return first
  }

  /** Takes away what is left of an exchange given up: the kernel refuses a new list while the old one is not read to its end. */
  #drain(): void {
    while (this.#channel.receive() !== 'nothing');
  }
}

/** Instructions as changes. */
class Listed implements Changes {
  readonly #instructions: readonly Instruction[]

  constructor(instructions: readonly Instruction[]) {
    this.#instructions = instructions
  }

  get length(): number {
    return this.#instructions.length
  }

  write(at: number, writer: Writer, sequence: number): void {
    writeInstruction(writer, this.#at(at), sequence)
  }

  describe(at: number): { readonly doing: string; readonly on: string } {
    const { doing, on } = this.#at(at)
    return { doing, on: on() }
  }

  #at(at: number): Instruction {
    const instruction = this.#instructions[at]
    if (instruction === undefined) throw new RangeError(`there is no instruction ${at}`)
    return instruction
  }
}

function rowByRow<T>(read: (body: Cursor) => T | undefined): List<T> {
  const rows: T[] = []
  const take = (datagram: Uint8Array, isRow: (message: Message) => boolean) =>
    eachMessage(datagram, message => {
      const row = isRow(message) ? read(message.body) : undefined
      if (row !== undefined) rows.push(row)
    })
  return { rows, take }
}

/** How the kernel refuses to list a table that nobody has written to. */
const NO_SUCH_TABLE = 'ENOENT'

function refusal({ doing, on }: { readonly doing: string; readonly on: string }, ack: Ack): Fault {
  const errno = errnoName(ack.errno)
  return new Fault('netlink.refused', { doing, on, errno, says: ack.text ?? MEANINGS.get(errno) ?? errnoText(ack.errno) })
}

/** Where the C library's words for an error mislead about a table of the kernel. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['EEXIST', 'there is one already'],
  ['ESRCH', 'there is none'],
  ['ENOENT', 'there is none'],
  ['EADDRNOTAVAIL', 'there is none'],
  ['ENODEV', 'there is no such link'],
])

function overrun(what: { readonly doing: string; readonly on: string }): Fault {
  const { doing, on } = what
  return new Fault('netlink.overrun', { doing, on, errno: 'ENOBUFS', says: 'answers were lost: the receive buffer is too small' })
}

function silence(what: { readonly doing: string; readonly on: string }): Fault {
  const { doing, on } = what
  return new Fault('netlink.silent', { doing, on, says: `the kernel did not answer within ${SILENCE_MS} ms` })
}
