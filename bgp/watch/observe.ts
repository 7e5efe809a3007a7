/** A transport that tells an observer of every message that passes, for BMP, MRT and whoever else only watches. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import type { DialListener, Endpoint, Guard, Transport, Wire, WireListener } from '../session/transport.ts'
import { Framer } from '../wire/framing.ts'
import { frame, type MessageKind } from '../wire/header.ts'

/** One TCP connection, as long as it stands. */
export interface Line {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly dialledBy: 'us' | 'peer'
}

export interface Observer {
  /** A whole message with its header; it may be kept. What is received is told before it is acted upon. */
  message(line: Line, way: 'in' | 'out', kind: MessageKind, bytes: Uint8Array): void
  /** The connection is gone: closed by us, or lost for the reason given. */
  gone(line: Line, by: 'us' | 'peer', why: string): void
}

/** The same transport, watched. Octets that are no BGP message are not told. */
export function observed(transport: Transport, observer: Observer): Transport {
  return {
    listen: (at, accept) =>
      transport.listen(at, wire => {
        const watched = new WatchedWire(wire, 'peer', observer)
        const listener = accept(watched)
        return listener === undefined ? undefined : watched.listenerAround(listener)
      }),
    dial: (to: Endpoint, from: Ipv4 | undefined, listener: DialListener, guard?: Guard) => {
      const watching: DialListener = {
        failed: reason => listener.failed(reason),
        opened: wire => {
          const watched = new WatchedWire(wire, 'us', observer)
          return watched.listenerAround(listener.opened(watched))
        },
      }
      return transport.dial(to, from, watching, guard)
    },
    ...(transport.datagrams === undefined ? {} : { datagrams: transport.datagrams }),
    ...(transport.links === undefined ? {} : { links: transport.links }),
    turn: act => transport.turn(act),
  }
}

class WatchedWire implements Wire {
  readonly #wire: Wire
  readonly #observer: Observer
  readonly #line: Line
  readonly #in = new Messages()
  readonly #out = new Messages()
  #open = true

  constructor(wire: Wire, dialledBy: 'us' | 'peer', observer: Observer) {
    this.#wire = wire
    this.#observer = observer
    this.#line = { local: wire.local, remote: wire.remote, dialledBy }
  }

  get local(): Endpoint {
    return this.#wire.local
  }

  get remote(): Endpoint {
    return this.#wire.remote
  }

  listenerAround(listener: WireListener): WireListener {
    return {
      data: bytes => {
        this.#tell('in', this.#in, bytes)
        listener.data(bytes)
      },
      drained: () => listener.drained(),
      lost: why => {
        this.#end('peer', why)
        listener.lost(why)
      },
    }
  }

  send(bytes: Uint8Array): boolean {
    this.#tell('out', this.#out, bytes)
    return this.#wire.send(bytes)
  }

  sendAll(slices: readonly Uint8Array[]): boolean {
    for (const slice of slices) this.#tell('out', this.#out, slice)
    return this.#wire.sendAll(slices)
  }

  guard(guard: Guard): string | undefined {
    return this.#wire.guard(guard)
  }

  close(): Promise<void> {
    this.#end('us', 'closed by us')
    return this.#wire.close()
  }

  #tell(way: 'in' | 'out', messages: Messages, bytes: Uint8Array): void {
    for (const { kind, whole } of messages.push(bytes)) this.#observer.message(this.#line, way, kind, whole)
  }

  #end(by: 'us' | 'peer', why: string): void {
    if (!this.#open) return
    this.#open = false
    this.#observer.gone(this.#line, by, why)
  }
}

/** Cuts a stream into messages once more, long ones included: whether they were agreed upon is the session's business. */
class Messages {
  readonly #framer = new Framer()

  constructor() {
    this.#framer.allowExtended()
  }

  *push(bytes: Uint8Array): Generator<{ readonly kind: MessageKind; readonly whole: Uint8Array }, void, void> {
    for (const framed of this.#framer.push(bytes))
      if (framed.is === 'frame') yield { kind: framed.frame.kind, whole: frame(framed.frame.kind, framed.frame.body) }
  }
}

/** Several observers as one. */
export function together(observers: readonly Observer[]): Observer {
  return {
    message: (line, way, kind, bytes) => {
      for (const observer of observers) observer.message(line, way, kind, bytes)
    },
    gone: (line, by, why) => {
      for (const observer of observers) observer.gone(line, by, why)
    },
  }
}
