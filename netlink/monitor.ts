/** Hears what changes in the kernel, whoever changes it: links, addresses, routes, neighbours, IPv4 settings. rtnetlink(7). */
import { Cursor } from '@network/base/bytes/cursor.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import { type LinkAddress, readLinkAddress } from './address.ts'
import { type FdbEntry, readFdbEntry } from './fdb.ts'
import { type Link, readLink } from './link.ts'
import { type Neighbour, readNeighbour } from './neighbour.ts'
import { type Netconf, readNetconf } from './netconf.ts'
import type { Route } from './route.ts'
import { readRoute } from './route-message.ts'
import { NetlinkSocket } from './socket.ts'
import { AF_BRIDGE, eachMessage, type Message, TYPE } from './wire.ts'

/** Multicast groups of rtnetlink. */
export const GROUP = { link: 1, neighbour: 3, address: 5, route: 7, netconf: 24 } as const
export type Group = keyof typeof GROUP

/** `new` stands for made and for changed; the row is as it is after a change, and as it last was when it is gone. */
export type Change = 'new' | 'gone'

export type KernelEvent =
  | { readonly is: 'link'; readonly change: Change; readonly link: Link }
  | { readonly is: 'address'; readonly change: Change; readonly address: LinkAddress }
  | { readonly is: 'route'; readonly change: Change; readonly route: Route }
  | { readonly is: 'neighbour'; readonly change: Change; readonly neighbour: Neighbour }
  /** An entry of a VXLAN device's forwarding table. */
  | { readonly is: 'forwarding'; readonly change: Change; readonly entry: FdbEntry }
  | { readonly is: 'netconf'; readonly change: Change; readonly netconf: Netconf }
  /** Events were lost: whatever is believed of the kernel must be read again. */
  | { readonly is: 'overrun'; readonly says: string }

export interface MonitorOptions {
  readonly groups: readonly Group[]
  /** Path of the network namespace to listen in; this one when left out. */
  readonly namespace?: string | undefined
  /** Octets: 8 MB when left out. */
  readonly receiveBuffer?: number
}

/** Datagrams taken before others get their turn. */
const DATAGRAMS_PER_BATCH = 512

export class KernelMonitor implements Disposable {
  readonly #socket: NetlinkSocket

  /** What happens from here on is heard: open first, then list, then go through the batches. */
  static open(options: MonitorOptions): KernelMonitor {
    const { groups, ...rest } = options
    return new KernelMonitor(NetlinkSocket.open({ ...rest, groups: groups.map(group => GROUP[group]) }))
  }

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket
  }

  /**
   * Yields the events that have gathered, in order, as soon as there is one; ends when `signal` aborts. One reader at a time.
   * Own changes are heard too. Holds one thread of libuv's pool while it waits.
   */
  async *batches(signal: AbortSignal): AsyncGenerator<readonly KernelEvent[], void> {
    while (await this.#socket.whenReadable(signal)) {
      const events = this.#gathered()
      if (events.length > 0) yield events
    }
  }

  /** Dispose when the reader has ended, not before. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }

  #gathered(): KernelEvent[] {
    const events: KernelEvent[] = []
    for (let taken = 0; taken < DATAGRAMS_PER_BATCH; taken++) {
      const got = this.#socket.receive()
      if (got === 'nothing') break
      if (got === 'overrun') events.push({ is: 'overrun', says: 'the kernel dropped events: the receive buffer was full' })
      else events.push(...readEvents(got))
    }
    return events
  }
}

/** The events of one datagram; bytes that make no sense count as lost events. */
export function readEvents(datagram: Uint8Array): KernelEvent[] {
  const events: KernelEvent[] = []
  try {
    eachMessage(datagram, message => {
      const event = readEvent(message)
      if (event !== undefined) events.push(event)
    })
  } catch (reason) {
    events.push({ is: 'overrun', says: `an event could not be read: ${reasonOf(reason)}` })
  }
  return events
}

function readEvent({ type, body }: Message): KernelEvent | undefined {
  switch (type) {
    case TYPE.newLink:
    case TYPE.deleteLink:
      return event(readLink(body), link => ({ is: 'link', change: changeOf(type), link }))
    case TYPE.newAddress:
    case TYPE.deleteAddress:
      return event(readLinkAddress(body), address => ({ is: 'address', change: changeOf(type), address }))
    case TYPE.newRoute:
    case TYPE.deleteRoute:
      return event(readRoute(body), route => ({ is: 'route', change: changeOf(type), route }))
    case TYPE.newNeighbour:
    case TYPE.deleteNeighbour:
      return neighbourEvent(body.rest(), changeOf(type))
    case TYPE.newNetconf:
    case TYPE.deleteNetconf:
      return event(readNetconf(body), netconf => ({ is: 'netconf', change: changeOf(type), netconf }))
    default:
      return undefined
  }
}

/** One kind of message for two tables, told apart by its family. */
function neighbourEvent(body: Uint8Array, change: Change): KernelEvent | undefined {
  if (body[0] === AF_BRIDGE) return event(readFdbEntry(new Cursor(body, 'host')), entry => ({ is: 'forwarding', change, entry }))
  return event(readNeighbour(new Cursor(body, 'host')), neighbour => ({ is: 'neighbour', change, neighbour }))
}

function event<T>(row: T | undefined, toEvent: (row: T) => KernelEvent): KernelEvent | undefined {
  return row === undefined ? undefined : toEvent(row)
}

const GONE: ReadonlySet<number> = new Set([
  TYPE.deleteLink,
  TYPE.deleteAddress,
  TYPE.deleteRoute,
  TYPE.deleteNeighbour,
  TYPE.deleteNetconf,
])

function changeOf(type: number): Change {
  return GONE.has(type) ? 'gone' : 'new'
}
