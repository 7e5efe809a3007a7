/**
 * A kernel for tests: a channel that answers a real NetlinkClient, bytes for bytes, from tables in memory.
 * test/lab/fake-kernel.test.ts holds it to the real one.
 */
import { constants } from 'node:os'
import type { Cursor } from '@network/base/bytes/cursor.ts'
import { WireFault } from '@network/base/bytes/cursor.ts'
import type { Writer } from '@network/base/bytes/writer.ts'
import { readLinkAddress, writeLinkAddress } from '../address.ts'
import { NetlinkClient } from '../client.ts'
import { type LinkRef, toIfIndex } from '../link.ts'
import type { Route } from '../route.ts'
import { readRoute, writeRoute } from '../route-message.ts'
import type { Channel, Received } from '../socket.ts'
import {
  eachAttribute,
  eachMessage,
  FLAG,
  type Message,
  readText,
  TYPE,
  writeAttribute,
  writeNumber,
  writeText,
} from '../wire.ts'
import { type FakeLink, FakeTables, type Refusal } from './fake-tables.ts'
import { ackOf, doneOf, message } from './scripted-channel.ts'

export interface FakeKernelOptions {
  /** With it, `tunl0` is there from the start, as in every namespace of a kernel with the module. */
  readonly ipip?: boolean
}

/** A change that somebody asks for, before it is carried out. */
export interface Attempt {
  readonly type: number
  /** `add route`, `delete address`, …: what a test chooses its faults by. */
  readonly doing: string
}

export class FakeKernel implements Channel {
  readonly receiveBuffer = 8 << 20
  readonly tables: FakeTables
  /** Every change asked for, refused ones too. */
  readonly attempts: string[] = []
  /** Every list asked for. */
  readonly lists: ('links' | 'addresses' | 'routes')[] = []
  /** The fault to inject: an errno such as `ENOBUFS`, or undefined to carry the change out. */
  fault: (attempt: Attempt) => Refusal = () => undefined
  readonly #waiting: Uint8Array[] = []

  constructor({ ipip = false }: FakeKernelOptions = {}) {
    this.tables = new FakeTables(ipip)
  }

  /** A client of its own for each who asks, the agent as well as the stranger. */
  client(): NetlinkClient {
    return new NetlinkClient(this)
  }

  send(datagram: Uint8Array): void {
    eachMessage(datagram, request => this.#waiting.push(...this.#answer(request)))
  }

  receive(): Received {
    return this.#waiting.shift() ?? 'nothing'
  }

  waitFor(): boolean {
    return this.#waiting.length > 0
  }

  [Symbol.dispose](): void {
    this.#waiting.length = 0
  }

  #answer(request: Message): Uint8Array[] {
    if ((request.flags & FLAG.dump) === FLAG.dump) return [...this.#rows(request), doneOf(request)]
    if (request.type === TYPE.getLink) return this.#oneLink(request)
    const doing = verbOf(request)
    this.attempts.push(doing)
    const errno = this.fault({ type: request.type, doing }) ?? this.#change(request)
    if (errno === undefined && (request.flags & FLAG.ack) === 0) return []
    return [ackOf(request, errno === undefined ? 0 : numberOf(errno))]
  }

  #rows(request: Message): Uint8Array[] {
    const { links, addresses, routes } = this.tables
    switch (request.type) {
      case TYPE.getLink:
        this.lists.push('links')
        return links.map(link => this.#linkRow(request, link))
      case TYPE.getAddress:
        this.lists.push('addresses')
        return addresses.map(row => rowOf(request, TYPE.newAddress, writer => writeLinkAddress(writer, row)))
      case TYPE.getRoute: {
        this.lists.push('routes')
        const wanted = readRoute(request.body)
        return routes
          .filter(route => wanted === undefined || passes(wanted, route))
          .map(route => rowOf(request, TYPE.newRoute, writer => writeRoute(writer, route)))
      }
      default:
        throw new TypeError(`the fake kernel lists nothing of type ${request.type}`)
    }
  }

  #oneLink(request: Message): Uint8Array[] {
    const link = this.tables.find(readLinkRequest(request.body).ref)
    return link === undefined ? [ackOf(request, numberOf('ENODEV'))] : [this.#linkRow(request, link)]
  }

  #change({ type, flags, body }: Message): Refusal {
    const replace = (flags & FLAG.replace) !== 0
    const exclusive = (flags & FLAG.exclusive) !== 0
    switch (type) {
      case TYPE.newLink:
        return this.#changeLink(flags, body)
      case TYPE.deleteLink:
        return this.tables.deleteLink(readLinkRequest(body).ref)
      case TYPE.newAddress:
        return this.tables.addAddress(must(readLinkAddress(body)), { replace })
      case TYPE.deleteAddress:
        return this.tables.deleteAddress(must(readLinkAddress(body)))
      case TYPE.newRoute:
        return this.tables.addRoute(must(readRoute(body)), { exclusive, replace })
      case TYPE.deleteRoute:
        return this.tables.deleteRoute(must(readRoute(body)))
      default:
        throw new TypeError(`the fake kernel changes nothing of type ${type}`)
    }
  }

  #changeLink(flags: number, body: Cursor): Refusal {
    const { ref, name, kind, mtu, up, peer } = readLinkRequest(body)
    if ((flags & FLAG.create) === 0) return this.tables.setLink(ref, { up, mtu })
    return this.tables.addLink({ name, kind, mtu, up: up ?? false, peer })
  }

  #linkRow(request: Message, link: FakeLink): Uint8Array {
    const flags = (link.up ? IFF.up : 0) | (this.tables.hasCarrier(link) ? IFF.lowerUp : 0)
    return rowOf(request, TYPE.newLink, writer => {
      writer.u8(0).u8(0).u16(0).i32(link.index).u32(flags).u32(0)
      writeAttribute(writer, ATTR.name, value => writeText(value, link.name))
      writeNumber(writer, ATTR.mtu, link.mtu)
      const { kind, peer } = link
      if (peer !== undefined) writeNumber(writer, ATTR.link, peer)
      if (kind !== undefined)
        writeAttribute(writer, ATTR.linkInfo, info => writeAttribute(info, INFO.kind, value => writeText(value, kind)))
    })
  }
}

const ATTR = { name: 3, mtu: 4, link: 5, linkInfo: 18, pid: 19, netnsFd: 28 }
const INFO = { kind: 1, data: 2, vethPeer: 1 }
const IFF = { up: 0x1, lowerUp: 0x10000 }
/** `struct ifinfomsg` in front of a veth peer's attributes. */
const PEER_HEADER_OCTETS = 16

interface LinkRequest {
  readonly ref: LinkRef
  readonly name: string
  readonly up: boolean | undefined
  readonly mtu: number | undefined
  readonly kind: string | undefined
  readonly peer: string | undefined
}

function readLinkRequest(body: Cursor): LinkRequest {
  body.skip(4)
  const index = toIfIndex(body.i32())
  const flags = body.u32()
  const changes = body.u32()
  let name = ''
  let mtu: number | undefined
  let kind: string | undefined
  let peer: string | undefined
  eachAttribute(body, (type, value) => {
    if (type === ATTR.name) name = readText(value)
    else if (type === ATTR.mtu) mtu = value.u32()
    else if (type === ATTR.linkInfo)
      eachAttribute(value, (inner, info) => {
        if (inner === INFO.kind) kind = readText(info)
        else if (inner === INFO.data) eachAttribute(info, (_, end) => (peer = readPeer(end)))
      })
  })
  const up = (changes & IFF.up) === 0 ? undefined : (flags & IFF.up) !== 0
  return { ref: index === 0 ? name : index, name, up, mtu, kind, peer }
}

/** The name of a peer that is born in this namespace. */
function readPeer(end: Cursor): string | undefined {
  end.skip(PEER_HEADER_OCTETS)
  let name: string | undefined
  let isElsewhere = false
  eachAttribute(end, (type, value) => {
    if (type === ATTR.name) name = readText(value)
    if (type === ATTR.netnsFd || type === ATTR.pid) isElsewhere = true
  })
  return isElsewhere ? undefined : name
}

function passes(filter: Route, route: Route): boolean {
  return (
    (filter.table === 0 || filter.table === route.table) &&
    (filter.protocol === 0 || filter.protocol === route.protocol) &&
    (filter.type === 'unspecified' || filter.type === route.type) &&
    (filter.device === undefined || filter.device === route.device)
  )
}

function rowOf(request: Message, type: number, body: (writer: Writer) => void): Uint8Array {
  return message({ type, flags: 0, sequence: request.sequence, port: 1 }, body)
}

function verbOf({ type, flags }: Message): string {
  const noun = NOUNS.get(type - (type % 2)) ?? `message of type ${type}`
  if (type % 2 === 1) return `delete ${noun}`
  if ((flags & FLAG.replace) !== 0) return `replace ${noun}`
  return (flags & FLAG.create) !== 0 ? `add ${noun}` : `set ${noun}`
}
/** A kind's message to delete follows the one to make. */
const NOUNS: ReadonlyMap<number, string> = new Map([
  [TYPE.newLink, 'link'],
  [TYPE.newAddress, 'address'],
  [TYPE.newRoute, 'route'],
])

function numberOf(errno: string): number {
  const found = Object.entries(constants.errno).find(([name]) => name === errno)
  if (found === undefined) throw new TypeError(`there is no errno ${errno}`)
  return found[1]
}

function must<T>(row: T | undefined): T {
  if (row === undefined) throw new WireFault('message of another family than IPv4', { wanted: 1, left: 0 })
  return row
}
