/** TCP without Node's event loop: some 0.3 µs a call, so that a thousand clients in one thread are not what is measured. */
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { errnoName, errnoText } from '@network/base/sys/errno.ts'
import { libc } from '@network/base/sys/libc.ts'
import { must, openSocket, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET, setsockopt, setsockoptInt } from '@network/base/sys/socket.ts'

export const READABLE = 0x001
export const WRITABLE = 0x004
/** EPOLLERR | EPOLLHUP, which come unasked. */
export const BROKEN = 0x018

const AF_INET = 2
const SOCK_STREAM = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const EPOLL_CLOEXEC = SOCK_CLOEXEC
const CTL = { add: 1, change: 3 }
const DONT_WAIT = 0x40
const NO_SIGNAL = 0x4000

/** What the project's own bindings lack. Lengths are asked as `int`: nothing here is longer. */
interface Calls {
  readonly connect: (fd: number, address: Uint8Array, length: number) => number
  readonly epollCreate: (flags: number) => number
  readonly epollControl: (epoll: number, act: number, fd: number, event: Uint8Array) => number
  readonly epollWait: (epoll: number, events: Uint8Array, most: number, timeoutMs: number) => number
  readonly recv: (fd: number, into: Uint8Array, length: number, flags: number) => number
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number
}

const calls = bind()

function bind(): Calls {
  // It is a dependency of base, which this only adds calls to.
  const koffi: typeof import('koffi') = createRequire(import.meta.resolve('@network/base/sys/libc.ts'))('koffi')
  const c = koffi.load(null)
  return {
    connect: c.func('int connect(int fd, const void *address, unsigned int length)'),
    epollCreate: c.func('int epoll_create1(int flags)'),
    epollControl: c.func('int epoll_ctl(int epoll, int act, int fd, const void *event)'),
    epollWait: c.func('int epoll_wait(int epoll, void *events, int most, int timeout)'),
    recv: c.func('int recv(int fd, void *into, size_t length, int flags)'),
    send: c.func('int send(int fd, const void *bytes, size_t length, int flags)'),
  }
}

/** One end of a connection; addresses are numbers. */
export interface Endpoint {
  readonly address: number
  readonly port: number
}

/** Begins to connect from an address of one's own; the descriptor, or the name of what refused at once. */
export function beginConnecting(from: number, to: Endpoint): number | string {
  const fd = openSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1)
  const local = socketAddress({ address: from, port: 0 })
  must(libc().bind(fd, local, local.length), 'bind', { doing: 'bind', on: `a client's socket, descriptor ${fd}` })
  const remote = socketAddress(to)
  if (calls.connect(fd, remote, remote.length) === 0) return fd
  const errno = libc().errno()
  if (errno === constants.errno.EINPROGRESS) return fd
  libc().close(fd)
  return errnoName(errno)
}

/** Why a connection did not come about, in the kernel's words; undefined when it did. */
export function connectFailure(fd: number): string | undefined {
  const value = new Int32Array(1)
  libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(value.buffer), new Uint8Array(new Uint32Array([4]).buffer))
  const [errno = 0] = value
  return errno === 0 ? undefined : errnoText(errno)
}

/** Octets received, 0 at the end of the stream, -1 when there is nothing yet, -2 when the connection is dead. */
export function receive(fd: number, into: Uint8Array): number {
  const got = calls.recv(fd, into, into.length, DONT_WAIT)
  return got >= 0 ? got : orDead()
}

/** Octets taken by the kernel, -1 when its buffer is full, -2 when the connection is dead. */
export function transmit(fd: number, bytes: Uint8Array): number {
  const sent = calls.send(fd, bytes, bytes.length, DONT_WAIT | NO_SIGNAL)
  return sent >= 0 ? sent : orDead()
}

function orDead(): -1 | -2 {
  const errno = libc().errno()
  return errno === constants.errno.EAGAIN || errno === constants.errno.EINTR ? -1 : -2
}

/** Closes a connection; with a reset when asked, so that the other side learns of it at once. */
export function hangUp(fd: number, how: 'close' | 'reset'): void {
  if (how === 'reset') setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(new Int32Array([1, 0]).buffer))
  libc().close(fd)
}

/** `struct epoll_event` is packed on x86-64 alone. */
const EVENT = process.arch === 'x64' ? { words: 3, tag: 1 } : { words: 4, tag: 2 }
const MOST_EVENTS = 512

/** An epoll instance; descriptors carry a number of the caller's. */
export class Poller {
  readonly #epoll = must(calls.epollCreate(EPOLL_CLOEXEC), 'epoll_create1', { doing: 'open', on: 'an epoll instance' })
  readonly #events = new Uint32Array(MOST_EVENTS * EVENT.words)
  readonly #bytes = new Uint8Array(this.#events.buffer)
  readonly #one = new Uint32Array(EVENT.words)

  add(fd: number, interest: number, tag: number): void {
    this.#control(CTL.add, fd, interest, tag)
  }

  change(fd: number, interest: number, tag: number): void {
    this.#control(CTL.change, fd, interest, tag)
  }

  /** Waits for events, at most so many milliseconds; how many there are. */
  wait(timeoutMs: number): number {
    return Math.max(0, calls.epollWait(this.#epoll, this.#bytes, MOST_EVENTS, timeoutMs))
  }

  tagOf(event: number): number {
    return this.#events[event * EVENT.words + EVENT.tag] ?? 0
  }

  readinessOf(event: number): number {
    return this.#events[event * EVENT.words] ?? 0
  }

  #control(act: number, fd: number, interest: number, tag: number): void {
    this.#one[0] = interest
    this.#one[EVENT.tag] = tag
    const event = new Uint8Array(this.#one.buffer)
    must(calls.epollControl(this.#epoll, act, fd, event), 'epoll_ctl', { doing: 'watch', on: `descriptor ${fd}` })
  }
}

/** `struct sockaddr_in`. */
function socketAddress({ address, port }: Endpoint): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  new Uint16Array(bytes.buffer)[0] = AF_INET
  view.setUint16(2, port)
  view.setUint32(4, address)
  return bytes
}
