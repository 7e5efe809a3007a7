/** TCP for BGP: the only file of the speaker that knows sockets. */
import { createServer, type Server, Socket } from 'node:net'
import { formatIpv4, type Ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Millis, millis } from '@network/base/time/units.ts'
import type { Dial, DialFailure, DialListener, Endpoint, Listening, Transport, Wire, WireListener } from './transport.ts'

/** How long a stream that we closed may take to hand over its last octets. */
const LINGER: Millis = millis(1000)

/** Octets that may wait in a stream before its sender is asked to pause. */
const HIGH_WATER = 1 << 16
/** A thousand peers may come back at once. */
const BACKLOG = 4096

export function tcpTransport(clock: Clock): Transport {
  return {
    listen: (at, accept) => listen(at, accept, clock),
    dial: (to, from, listener) => dial(to, from, listener, clock),
    turn: act => void setImmediate(act),
  }
}

async function listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined, clock: Clock): Promise<Listening> {
  const server = createServer({ noDelay: true, highWaterMark: HIGH_WATER }, socket => welcome(socket, accept, clock))
  await bind(server, at)
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : at.port
  return { endpoint: { address: at.address, port }, close: () => new Promise(resolve => server.close(() => resolve())) }
}

function bind(server: Server, at: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) => reject(listenFault(at, error))
    server.once('error', refuse)
    server.listen({ host: formatIpv4(at.address), port: at.port, backlog: BACKLOG }, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}

function listenFault(at: Endpoint, error: Error): Fault {
  const errno = codeOf(error)
  const mend = MENDS.get(errno)
  const detail = { doing: 'listen for BGP on', on: `${formatIpv4(at.address)} port ${at.port}`, says: reasonOf(error), errno }
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

function dial(to: Endpoint, from: Ipv4 | undefined, listener: DialListener, clock: Clock): Dial {
  const socket = new Socket().setNoDelay(true)
  const failed = (error: Error) => {
    socket.destroy()
    listener.failed(failureOf(error, to))
  }
  socket.once('error', failed)
  socket.once('connect', () => {
    socket.off('error', failed)
    const wire = wireOf(socket, clock)
    if (wire === undefined) failed(new Error('the connection has no IPv4 addresses'))
    else wire.attach(listener.opened(wire))
  })
  const origin = from === undefined ? {} : { localAddress: formatIpv4(from) }
  socket.connect({ host: formatIpv4(to.address), port: to.port, ...origin })
  return {
    cancel() {
      socket.removeAllListeners()
      socket.on('error', ignore)
      socket.destroy()
    },
  }
}

function failureOf(error: Error, to: Endpoint): DialFailure {
  return { code: codeOf(error), says: `cannot connect to ${formatIpv4(to.address)} port ${to.port}: ${error.message}` }
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
}

function wireOf(socket: Socket, clock: Clock): SocketWire | undefined {
  const local = parseIpv4(socket.localAddress ?? '')
  const remote = parseIpv4(socket.remoteAddress ?? '')
  const { localPort, remotePort } = socket
  if (local === undefined || remote === undefined || localPort === undefined || remotePort === undefined) return undefined
  return new SocketWire(
    socket,
    { local: { address: local, port: localPort }, remote: { address: remote, port: remotePort } },
    clock,
  )
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
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #socket: Socket
  readonly #clock: Clock

  constructor(socket: Socket, ends: { readonly local: Endpoint; readonly remote: Endpoint }, clock: Clock) {
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

const ignore = (): undefined => undefined
