/** Chunks of a TCP stream → whole BGP messages; all lengths are decided from the header alone. RFC 4271 §4.1, §6.1. */
import { HEADER_OCTETS, LONGEST_EXTENDED, LONGEST_MESSAGE, type MessageKind } from './header.ts'
import { HEADER_FAULT, type Notification, notification } from './notification.ts'

/** `body` shares memory with the chunk: copy what must outlive it. */
export interface Frame {
  readonly kind: MessageKind
  readonly body: Uint8Array
}

export type Framed =
  | { readonly is: 'frame'; readonly frame: Frame }
  | { readonly is: 'fault'; readonly notification: Notification }

interface KindRow {
  readonly kind: MessageKind
  readonly shortest: number
  readonly longest: number
  /** Octets allowed once extended messages are agreed on. RFC 8654 §3. */
  readonly longestExtended: number
}

const KINDS: ReadonlyMap<number, KindRow> = new Map([
  [1, { kind: 'open', shortest: 29, longest: LONGEST_MESSAGE, longestExtended: LONGEST_MESSAGE }],
  [2, { kind: 'update', shortest: 23, longest: LONGEST_MESSAGE, longestExtended: LONGEST_EXTENDED }],
  [3, { kind: 'notification', shortest: 21, longest: LONGEST_MESSAGE, longestExtended: LONGEST_EXTENDED }],
  [4, { kind: 'keepalive', shortest: 19, longest: 19, longestExtended: 19 }],
  [5, { kind: 'routeRefresh', shortest: 23, longest: LONGEST_MESSAGE, longestExtended: LONGEST_EXTENDED }],
])

const NOTHING: Uint8Array = new Uint8Array(0)

/** Keeps the unfinished tail between chunks; never more than one message of it. */
export class Framer {
  #tail = NOTHING
  #failed = false
  #extended = false

  /** From here on messages may be longer. RFC 8654 §4. */
  allowExtended(): void {
    this.#extended = true
  }

  /** Whole messages in order; after a fault the stream is beyond repair and yields nothing more. */
  *push(chunk: Uint8Array): Generator<Framed, void, void> {
    if (this.#failed) return
    let bytes = this.#tail.length === 0 ? chunk : concat(this.#tail, chunk)
    while (bytes.length >= HEADER_OCTETS) {
      const header = readHeader(bytes, this.#extended)
      if (header.is === 'fault') {
        this.#failed = true
        yield header
        return
      }
      if (bytes.length < header.length) break
      const body = bytes.subarray(HEADER_OCTETS, header.length)
      bytes = bytes.subarray(header.length)
      this.#tail = bytes
      yield { is: 'frame', frame: { kind: header.kind, body } }
    }
    // A copy of its own: a view would keep the whole chunk in memory.
    this.#tail = bytes.length === 0 ? NOTHING : new Uint8Array(bytes)
  }
}

type Header =
  | { readonly is: 'header'; readonly kind: MessageKind; readonly length: number }
  | { readonly is: 'fault'; readonly notification: Notification }

function readHeader(bytes: Uint8Array, extended: boolean): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < 16; at++)
    if (view.getUint8(at) !== 0xff)
      return { is: 'fault', notification: notification(HEADER_FAULT.code, HEADER_FAULT.notSynchronized) }
  const length = view.getUint16(16)
  const type = view.getUint8(18)
  const row = KINDS.get(type)
  if (length < HEADER_OCTETS || length > (extended ? LONGEST_EXTENDED : LONGEST_MESSAGE)) return badLength(bytes)
  if (row === undefined)
    return { is: 'fault', notification: notification(HEADER_FAULT.code, HEADER_FAULT.badType, Uint8Array.of(type)) }
  if (length < row.shortest || length > (extended ? row.longestExtended : row.longest)) return badLength(bytes)
  return { is: 'header', kind: row.kind, length }
}

function badLength(bytes: Uint8Array): Header {
  return { is: 'fault', notification: notification(HEADER_FAULT.code, HEADER_FAULT.badLength, bytes.slice(16, 18)) }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
