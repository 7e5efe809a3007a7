/** TCP for BGP: the only file of the speaker that knows sockets. */
import { createServer, type Server, Socket } from 'node:net'
import { type AnyAddress, isUnspecified } from '@network/base/net/any-address.ts'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { Secret } from '@network/base/run/secret.ts'
import { AF_INET, AF_INET6 } from '@network/base/sys/sockaddr.ts'
import { closeDescriptor, openSocket, SOCK_CLOEXEC, SOCK_NONBLOCK } from '@network/base/sys/socket.ts'
import { type Cancel, type Clock, systemRandom } from '@network/base/time/clock.ts'
import { after, type Millis, millis } from '@network/base/time/units.ts'
import { udpDatagrams } from '../bfd/datagrams.ts'
import { Discovery } from '../unnumbered/discovery.ts'
import { openIcmp } from '../unnumbered/icmp.ts'
import { applyGuard, FULL_TTL, setKeyOfRange, setListenerTtl } from './guard.ts'
import { endOf, hostOf } from './hosts.ts'
import { ourEnd } from './links.ts'
import {
  type Dial,
  type DialFailure,
  type DialListener,
  type Endpoint,
  type Expected,
  type Guard,
  type Listening,
  type LocalEnd,
  type Transport,
  UNGUARDED,
  type Wire,
  type WireListener,
} from './transport.ts'

/** How long a stream that we closed may take to hand over its last octets. */
const LINGER: Millis = millis(1000)

/** After so much silence the kernel asks whether the other end is there; without a hold time nobody else does. */
const QUIET: Millis = millis(60_000)

/** Octets that may wait in a stream before its sender is asked to pause. */
const HIGH_WATER = 1 << 16
/** Between two dials: of a thousand peers few are dialled at a time, and the sockets of those that do not answer are gone before the next. */
const DIAL_PACE: Millis = millis(0.5)
/** A thousand peers may come back at once. */
const BACKLOG = 4096
const SOCK_STREAM = 1

export function tcpTransport(clock: Clock): Transport {
  const inTurn = paced(clock)
  return {
    listen: (at, accept) => listen(at, accept, clock),
    dial: (to, from, listener, guard = UNGUARDED) => {
      let dialled: Dial | undefined
      const abandon = inTurn(() => {
        dialled = dial({ to, from, guard }, listener, clock)
      })
      return {
        cancel() {
          abandon()
          dialled?.cancel()
        },
      }
    },
    datagrams: udpDatagrams,
    links: new Discovery(clock, systemRandom, openIcmp),
    turn: act => void setImmediate(act),
  }
}

/** Runs each piece of work at its turn, the first at once. */
function paced(clock: Clock): (work: () => void) => Cancel {
  let next = clock.now()
  return work => {
    const now = clock.now()
    const turn = next > now ? next : now
    next = after(turn, DIAL_PACE)
    if (turn > now) return clock.wakeAt(turn, work)
    work()
    return ignore
  }
}

async function listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined, clock: Clock): Promise<Listening> {
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: QUIET, highWaterMark: HIGH_WATER },
    socket => welcome(socket, accept, clock),
  )
  await bind(server, at)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : at.port
  const keys = new Keys(server, typeof at.address === 'number')
  return {
    endpoint: { ...at, port },
    expect: peers => keys.replace(peers),
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}

/** The keys of a listening socket: those who connect are signed with and checked by them before anybody sees the connection. */
class Keys {
  readonly #server: Server
  #present = new Map<string, Expected>()
  #isFull = false
  readonly #isV4: boolean

  constructor(server: Server, isV4: boolean) {
    this.#server = server
    this.#isV4 = isV4
  }

  replace(all: readonly Expected[]): void {
    const peers = all.filter(({ range }) => (typeof range.address === 'number') === this.#isV4)
    const wanted = new Map(
      peers.flatMap(peer => (peer.guard.password === undefined ? [] : [[formatAnyPrefix(peer.range), peer]])),
    )
    const isFull = peers.some(({ guard }) => guard.minTtl !== undefined)
    if (wanted.size === 0 && this.#present.size === 0 && isFull === this.#isFull) return
    const fd = descriptorOf(this.#server)
    if (isFull !== this.#isFull) setListenerTtl(fd, this.#isV4, isFull ? FULL_TTL : undefined)
    this.#isFull = isFull
    for (const [name, { range }] of this.#present)
      if (!wanted.has(name)) {
        setKeyOfRange(fd, range, undefined)
        this.#present.delete(name)
      }
    for (const [name, peer] of wanted) {
      const { password } = peer.guard
      if (this.#present.has(name) && Secret.same(this.#present.get(name)?.guard.password, password)) continue
      setKeyOfRange(fd, peer.range, password)
      this.#present.set(name, peer)
    }
  }
}

/** Node keeps it to itself; a listening or accepted socket has no other way to its options. Throws a Fault when it is not there. */
function descriptorOf(holder: Server | Socket): number {
  const handle: unknown = Reflect.get(holder, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  if (typeof fd === 'number' && fd >= 0) return fd
  throw new Fault('bgp.descriptor', { doing: 'find the descriptor of', on: 'a socket', says: 'it is closed' })
}

function bind(server: Server, at: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(listenFault(at, error))
    server.once('error', refuse)
    // A socket of both families would have to know the keys of IPv4 peers by other names: who wants both listens twice.
    server.listen({ host: hostOf(at), port: at.port, backlog: BACKLOG, ipv6Only: true }, () => {
      server.off('error', refuse)
      // One connection that the system could not hand over is no reason to end all others: it stays in the backlog, or its peer dials again.
      server.on('error', ignore)
      resolve()
    })
  })
}

function listenFault(at: Endpoint, error: Error): Fault {
  const errno = codeOf(error)
  const mend = MENDS.get(errno)
  const detail = { doing: 'listen for BGP on', on: `${hostOf(at)} port ${at.port}`, says: reasonOf(error), errno }
  return new Fault('bgp.listen', mend === undefined ? detail : { ...detail, mend }, { cause: error })
}

const MENDS = new Map([
  ['EADDRINUSE', 'stop the other BGP speaker on this machine, or choose another port'],
  ['EADDRNOTAVAIL', 'choose an address that this machine has'],
  ['EACCES', 'ports below 1024 need CAP_NET_BIND_SERVICE'],
])

function welcome(socket: Socket, accept: (wire: Wire) => WireListener | undefined, clock: Clock): void {
  const wire = wireOf(socket, clock)
  const listener = wire === undefined ? undefined : accept(wire)
  if (wire === undefined || listener === undefined) {
    socket.on('error', ignore)
    socket.destroy()
  } else wire.attach(listener)
}

interface Route {
  readonly to: Endpoint
  readonly from: AnyAddress | undefined
  readonly guard: Guard
}

function dial(route: Route, listener: DialListener, clock: Clock): Dial {
  const { to, from, guard } = route
  const made = make(route)
  if (typeof made === 'string') {
    const soon = setImmediate(() => listener.failed({ code: 'guard', says: made }))
    return { cancel: () => clearImmediate(soon) }
  }
  const socket = made.setNoDelay(true).setKeepAlive(true, QUIET)
  const failed = (error: Error) => {
    socket.destroy()
    listener.failed(failureOf(error, to))
  }
  socket.once('error', failed)
  socket.once('connect', () => {
    socket.off('error', failed)
    const wire = wireOf(socket, clock, guard)
    if (wire === undefined) failed(new Error('the connection has no addresses'))
    else wire.attach(listener.opened(wire))
  })
  const origin = from === undefined || isUnspecified(from) ? {} : { localAddress: hostOf({ ...to, address: from }) }
  socket.connect({ host: hostOf(to), port: to.port, ...origin })
  return {
    cancel() {
      socket.removeAllListeners()
      socket.on('error', ignore)
      socket.destroy()
    },
  }
}

/** A socket that has its options before the first segment, which Node's own do not; in words why not. */
function make({ to, guard }: Route): Socket | string {
  if (Object.values(guard).every(each => each === undefined)) return new Socket()
  const fd = openSocket(typeof to.address === 'number' ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  try {
    applyGuard(fd, to.address, UNGUARDED, guard)
    return new Socket({ fd, readable: true, writable: true })
  } catch (reason) {
    closeDescriptor(fd)
    return reasonOf(reason)
  }
}

function failureOf(error: Error, to: Endpoint): DialFailure {
  return { code: codeOf(error), says: `cannot connect to ${hostOf(to)} port ${to.port}: ${error.message}` }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}

function wireOf(socket: Socket, clock: Clock, guard: Guard = UNGUARDED): SocketWire | undefined {
  const local = endOf(socket.localAddress, socket.localPort)
  const remote = endOf(socket.remoteAddress, socket.remotePort)
  if (local === undefined || remote === undefined) return undefined
  return new SocketWire(socket, { local: ourEnd(local, remote, clock), remote }, clock, guard)
}

/** Who listens to a socket, until its loss is told: five closures for each of thousands would be more. */
const LISTENERS = new WeakMap<Socket, WireListener>()

function hear(this: Socket, chunk: Uint8Array): void {
  LISTENERS.get(this)?.data(chunk)
}

function drained(this: Socket): void {
  LISTENERS.get(this)?.drained()
}

function ended(this: Socket): void {
  tellLoss(this, 'the peer closed the connection')
}

function failed(this: Socket, error: Error): void {
  tellLoss(this, error.message)
}

function gone(this: Socket): void {
  tellLoss(this, 'the connection is gone')
}

function tellLoss(socket: Socket, why: string): void {
  const listener = LISTENERS.get(socket)
  LISTENERS.delete(socket)
  listener?.lost(why)
}

class SocketWire implements Wire {
  readonly local: LocalEnd
  readonly remote: Endpoint
  readonly #socket: Socket
  readonly #clock: Clock
  #guard: Guard

  constructor(socket: Socket, ends: { readonly local: LocalEnd; readonly remote: Endpoint }, clock: Clock, guard: Guard) {
    this.#guard = guard
    this.#socket = socket
    this.local = ends.local
    this.remote = ends.remote
    this.#clock = clock
  }

  /** Each chunk is taken in before the next is read, so a fast sender waits in its own kernel. */
  attach(listener: WireListener): void {
    LISTENERS.set(this.#socket, listener)
    this.#socket.on('data', hear).on('drain', drained).on('end', ended).on('error', failed).on('close', gone)
  }

  send(bytes: Uint8Array): boolean {
    return this.#socket.writable ? this.#socket.write(bytes) : true
  }

  sendAll(slices: readonly Uint8Array[]): boolean {
    const [first] = slices
    if (first === undefined) return true
    if (slices.length === 1) return this.send(first)
    this.#socket.cork()
    let takesMore = true
    for (const slice of slices) takesMore = this.send(slice)
    this.#socket.uncork()
    return takesMore
  }

  guard(guard: Guard): string | undefined {
    if (isSameGuard(this.#guard, guard)) return undefined
    try {
      applyGuard(descriptorOf(this.#socket), this.remote.address, this.#guard, guard)
      this.#guard = guard
      return undefined
    } catch (reason) {
      return reasonOf(reason)
    }
  }

  /** Keeps reading until the peer's FIN: octets left unread would turn our FIN into RST and eat the last NOTIFICATION. */
  close(): Promise<void> {
    const socket = this.#socket
    socket.removeAllListeners()
    socket.on('error', ignore)
    if (socket.destroyed) return Promise.resolve()
    return new Promise(resolve => {
      const cancel = this.#clock.wakeAt(after(this.#clock.now(), LINGER), () => socket.destroy())
      socket.once('close', () => {
        cancel()
        resolve()
      })
      socket.resume()
      socket.end()
    })
  }
}

function isSameGuard(a: Guard, b: Guard): boolean {
  return a.ttl === b.ttl && a.minTtl === b.minTtl && a.device === b.device && Secret.same(a.password, b.password)
}

const ignore = (): undefined => undefined
