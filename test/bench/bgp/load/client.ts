/** One client of the speaker under test: its connection, its session, what it has still to send and what it has heard. */
import { systemClock } from '@network/base/time/clock.ts'
import {
  BROKEN,
  beginConnecting,
  connectFailure,
  type Endpoint,
  hangUp,
  type Poller,
  READABLE,
  receive,
  transmit,
  WRITABLE,
} from './kernel.ts'
import { END_OF_RIB, KEEPALIVE, KEEPALIVE_MESSAGE, NOTIFICATION, OPEN, openMessage, UPDATE } from './messages.ts'
import type { Counters, Tally } from './tally.ts'

const HEADER_LENGTH = 19
const LONGEST_MESSAGE = 4096
const BUFFER = 256 * 1024

export type State = 'down' | 'connecting' | 'open-sent' | 'open-confirm' | 'up'

/** What all clients share. */
export interface Surroundings {
  readonly poller: Poller
  readonly counters: Counters
  readonly speaker: Endpoint
  readonly asn: number
  /** One buffer for all: a client keeps only the piece of a message that is not whole. */
  readonly incoming: Uint8Array
}

/** Room for the piece of a message before what is received next. */
export function incomingBuffer(): Uint8Array {
  return new Uint8Array(LONGEST_MESSAGE + BUFFER)
}

export class Client {
  state: State = 'down'
  /** When its connection was begun, when its session was up, when it had last become complete. */
  began = 0
  upAt = 0
  completeAt = 0
  retryAt = 0
  readonly address: number
  readonly tally: Tally
  /** Sent as soon as the session is up. */
  greeting: Uint8Array | undefined
  readonly #tag: number
  readonly #around: Surroundings
  readonly #landing: Uint8Array
  #fd = -1
  #queue: Uint8Array[] = []
  #wantsToWrite = false
  #piece: Uint8Array = new Uint8Array()

  constructor(tag: number, address: number, tally: Tally, around: Surroundings) {
    this.#tag = tag
    this.address = address
    this.tally = tally
    this.#around = around
    this.#landing = around.incoming.subarray(LONGEST_MESSAGE)
  }

  connect(): 'begun' | 'refused' {
    const fd = beginConnecting(this.address, this.#around.speaker)
    this.began = systemClock.now()
    if (typeof fd === 'string') return 'refused'
    this.#fd = fd
    this.state = 'connecting'
    this.#wantsToWrite = true
    this.#around.poller.add(fd, READABLE | WRITABLE, this.#tag)
    return 'begun'
  }

  drop(how: 'close' | 'reset'): void {
    if (this.#fd >= 0) hangUp(this.#fd, how)
    this.#fd = -1
    this.state = 'down'
    this.#queue = []
    this.#piece = new Uint8Array()
  }

  /** Sends in order after what waits already; the bytes must not change any more. */
  send(...messages: readonly Uint8Array[]): void {
    if (this.#fd < 0) return
    this.#queue.push(...messages)
    this.#flush()
  }

  /** Does what the socket is ready for; `dead` when the connection is. */
  onReady(readiness: number): 'alive' | 'dead' {
    if (this.state === 'connecting') return this.#connected()
    if ((readiness & WRITABLE) !== 0) this.#flush()
    return (readiness & (READABLE | BROKEN)) === 0 ? 'alive' : this.#read()
  }

  #connected(): 'alive' | 'dead' {
    if (connectFailure(this.#fd) !== undefined) return 'dead'
    this.state = 'open-sent'
    this.send(openMessage(this.#around.asn, this.address))
    return 'alive'
  }

  #read(): 'alive' | 'dead' {
    const got = receive(this.#fd, this.#landing)
    if (got === -1) return 'alive'
    if (got <= 0) return 'dead'
    this.#around.counters.bytes += got
    const from = LONGEST_MESSAGE - this.#piece.length
    if (this.#piece.length > 0) this.#around.incoming.set(this.#piece, from)
    this.#messages(from, LONGEST_MESSAGE + got)
    return 'alive'
  }

  #messages(from: number, to: number): void {
    const bytes = this.#around.incoming
    const wasComplete = this.tally.complete
    let at = from
    while (to - at >= HEADER_LENGTH) {
      const length = ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0)
      if (length < HEADER_LENGTH || length > LONGEST_MESSAGE) throw new Error(`${this.#tag}: a message of ${length} octets`)
      if (to - at < length) break
      this.#message(bytes[at + 18] ?? 0, at, at + length)
      at += length
    }
    this.#piece = at === to ? NOTHING : bytes.slice(at, to)
    if (!wasComplete && this.tally.complete) this.completeAt = systemClock.now()
  }

  #message(type: number, from: number, to: number): void {
    switch (type) {
      case UPDATE: {
        const malformed = this.tally.update(this.#around.incoming, from, to)
        if (malformed !== undefined) throw new Error(`client ${this.#tag} was sent ${malformed}`)
        break
      }
      case OPEN:
        this.state = 'open-confirm'
        this.send(KEEPALIVE_MESSAGE)
        break
      case KEEPALIVE:
        if (this.state === 'open-confirm') this.#up()
        break
      case NOTIFICATION: {
        const [code, sub] = this.#around.incoming.subarray(from + HEADER_LENGTH, to)
        this.#around.counters.notification = `${code}/${sub}`
        break
      }
    }
  }

  #up(): void {
    this.state = 'up'
    this.upAt = systemClock.now()
    this.send(...(this.greeting === undefined ? [] : [this.greeting]), END_OF_RIB)
  }

  /** What the kernel does not take waits until it says that it does: back-pressure of the speaker is its own. */
  #flush(): void {
    while (this.#queue.length > 0) {
      const [next = NOTHING] = this.#queue
      const sent = transmit(this.#fd, next)
      if (sent < 0) break
      if (sent === next.length) this.#queue.shift()
      else this.#queue[0] = next.subarray(sent)
    }
    const wants = this.#queue.length > 0
    if (wants === this.#wantsToWrite) return
    this.#wantsToWrite = wants
    this.#around.poller.change(this.#fd, wants ? READABLE | WRITABLE : READABLE, this.#tag)
  }
}

const NOTHING = new Uint8Array()
