/** What the driver needs from a network: TCP in life, a network in memory in tests. */
import type { Ipv4 } from '@network/base/net/ipv4.ts'

export interface Endpoint {
  readonly address: Ipv4
  readonly port: number
}

/** One byte stream. Nothing is told to its listener after `close`. */
export interface Wire {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** False asks the sender to wait for `drained`. The bytes may be read later: they never change again. */
  send(bytes: Uint8Array): boolean
  /** The same for several, in one system call where there is one. */
  sendAll(slices: readonly Uint8Array[]): boolean
  /** Flushes and sends FIN; resolves when the stream is gone, after a short linger at the latest. */
  close(): Promise<void>
}

/** What a stream tells its owner. */
export interface WireListener {
  data(bytes: Uint8Array): void
  drained(): void
  /** The stream is gone; says how, in words. */
  lost(why: string): void
}

export interface Dial {
  /** Gives up; nothing is told any more. */
  cancel(): void
}

export interface DialListener {
  /** The stream stands: gives who listens to it. */
  opened(wire: Wire): WireListener
  failed(reason: DialFailure): void
}

export interface DialFailure {
  /** `ECONNREFUSED` and its like. */
  readonly code: string
  readonly says: string
}

export interface Transport {
  /** Resolves when bound; `accept` returns undefined to refuse. Rejects with a Fault that names the address. */
  listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined): Promise<Listening>
  dial(to: Endpoint, from: Ipv4 | undefined, listener: DialListener): Dial
  /** Calls back when all that has arrived by now has been told to its listeners. */
  turn(act: () => void): void
}

export interface Listening {
  /** As bound: port 0 has become a real one. */
  readonly endpoint: Endpoint
  close(): Promise<void>
}
