/** One netlink socket, in this network namespace or in another: opens, sends, receives, waits; parses nothing. netlink(7). */
import { Writer } from '@network/base/bytes/writer.ts'
import { Fault } from '@network/base/run/fault.ts'
import { inNamespace } from '@network/base/sys/namespace.ts'
import { readable, readableWithin } from '@network/base/sys/readable.ts'
import {
  bindSocket,
  closeDescriptor,
  getsockoptInt,
  openSocket,
  receive,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  send,
  setsockoptInt,
} from '@network/base/sys/socket.ts'

export interface SocketOptions {
  /** Path of the network namespace to open it in, such as /run/netns/pod or /proc/1234/ns/net; this one when left out. */
  readonly namespace?: string | undefined
  /** Octets that may wait unread: 8 MB when left out, less where an ordinary user is refused that. */
  readonly receiveBuffer?: number
  /** Multicast groups to hear, by number (1 to 32). */
  readonly groups?: readonly number[]
  /** What is spoken with the kernel: rtnetlink when left out. */
  readonly family?: keyof typeof FAMILY
}

/** What a receive can find: a datagram, nothing yet, or that the kernel had to drop some. */
export type Received = Uint8Array | 'nothing' | 'overrun'

/** What the client needs of a socket, and a test can stand in for. */
export interface Channel extends Disposable {
  /** Octets that may wait unread, as the kernel counts them. */
  readonly receiveBuffer: number
  send(datagram: Uint8Array): void
  /** Valid until the next call. */
  receive(): Received
  /** Blocks, for replies that are on their way; false when the time is over. */
  waitFor(timeoutMs: number): boolean
}

const AF_NETLINK = 16
const SOCK_RAW = 3
/** netlink(7): NETLINK_ROUTE and NETLINK_NETFILTER. */
const FAMILY = { route: 0, netfilter: 12 }
const SO = { sendBuffer: 7, receiveBuffer: 8, sendBufferForced: 32, receiveBufferForced: 33 }
const SOL_NETLINK = 270
const NETLINK = { capAck: 10, extAck: 11, strictCheck: 12 }
const DEFAULT_RECEIVE_BUFFER = 8 << 20
const SEND_BUFFER = 1 << 20
/** The kernel fills at most 32 KB of a dump into one datagram, and a link with many virtual functions into 64 KB. */
const LARGEST_DATAGRAM = 256 << 10

export class NetlinkSocket implements Channel {
  readonly receiveBuffer: number
  readonly #fd: number
  readonly #into = new Uint8Array(LARGEST_DATAGRAM)
  #open = true

  /** Opens and binds; a namespace that cannot be entered is a Fault that names its path. */
  static open(options: SocketOptions = {}): NetlinkSocket {
    const family = FAMILY[options.family ?? 'route']
    const fd = options.namespace === undefined ? newSocket(family) : inNamespace(options.namespace, () => newSocket(family))
    try {
      tune(fd, options.receiveBuffer ?? DEFAULT_RECEIVE_BUFFER)
      bindSocket(fd, socketAddress(options.groups ?? []))
      return new NetlinkSocket(fd)
    } catch (refused) {
      closeDescriptor(fd)
      throw refused
    }
  }

  private constructor(fd: number) {
    this.#fd = fd
    this.receiveBuffer = getsockoptInt(fd, SOL_SOCKET, SO.receiveBuffer)
  }

  send(datagram: Uint8Array): void {
    const sent = send(this.#checked(), datagram)
    if (sent !== datagram.length) throw this.#fault('send', `${datagram.length} octets`, sent)
  }

  receive(): Received {
    const got = receive(this.#checked(), this.#into)
    if (got === 'EAGAIN') return 'nothing'
    if (got === 'ENOBUFS') return 'overrun'
    if (typeof got === 'string') throw this.#fault('receive', 'a datagram', got)
    if (got > LARGEST_DATAGRAM) throw this.#fault('receive', `a datagram of ${got} octets`, 'EMSGSIZE')
    return this.#into.subarray(0, got)
  }

  waitFor(timeoutMs: number): boolean {
    return readableWithin(this.#checked(), timeoutMs)
  }

  /** Resolves to true when there is something to receive, to false when `signal` aborts. Do not close before it settles. */
  async whenReadable(signal: AbortSignal): Promise<boolean> {
    return readable(this.#checked(), signal)
  }

  [Symbol.dispose](): void {
    if (!this.#open) return
    this.#open = false
    closeDescriptor(this.#fd)
  }

  /** A closed descriptor's number may be somebody else's by now. */
  #checked(): number {
    if (!this.#open) throw new Fault('netlink.closed', { doing: 'use', on: 'a netlink socket', says: 'it is closed' })
    return this.#fd
  }

  #fault(doing: string, what: string, outcome: number | string): Fault {
    const on = `${what} ${doing === 'send' ? 'to' : 'from'} the kernel`
    if (typeof outcome === 'number') return new Fault('netlink.socket', { doing, on, says: `only ${outcome} octets went` })
    return new Fault('netlink.socket', { doing, on, errno: outcome, says: `the socket reported ${outcome}` })
  }
}

function newSocket(family: number): number {
  return openSocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, family)
}

function tune(fd: number, receiveBuffer: number): void {
  enlarge(fd, SO.receiveBufferForced, SO.receiveBuffer, receiveBuffer)
  enlarge(fd, SO.sendBufferForced, SO.sendBuffer, SEND_BUFFER)
  for (const option of [NETLINK.capAck, NETLINK.extAck, NETLINK.strictCheck]) setsockoptInt(fd, SOL_NETLINK, option, 1)
}

/** Past the machine's limit where we may, else up to it. */
function enlarge(fd: number, forced: number, plain: number, octets: number): void {
  try {
    setsockoptInt(fd, SOL_SOCKET, forced, octets)
  } catch (refused) {
    if (!(refused instanceof Fault) || refused.detail.errno !== 'EPERM') throw refused
    setsockoptInt(fd, SOL_SOCKET, plain, octets)
  }
}

/** `struct sockaddr_nl`; the kernel chooses the port. */
function socketAddress(groups: readonly number[]): Uint8Array {
  const mask = groups.reduce((bits, group) => bits | (1 << (group - 1)), 0)
  return new Writer('host')
    .u16(AF_NETLINK)
    .u16(0)
    .u32(0)
    .u32(mask >>> 0)
    .finish()
}
