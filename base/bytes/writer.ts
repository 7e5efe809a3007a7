/** Writes bytes into a buffer that grows; the counterpart of Cursor. */
import type { ByteOrder } from './cursor.ts'

const WORD_OCTETS = 4
const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export class Writer {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  /** Made when words are first written: most writers never do. */
  #words: Int32Array | undefined
  readonly #little: boolean
  #at = 0

  /** `capacity` is how many octets fit before the buffer must grow. */
  constructor(order: ByteOrder = 'network', capacity = 256) {
    this.#bytes = new Uint8Array(wholeWords(capacity))
    this.#view = new DataView(this.#bytes.buffer)
    this.#little = order === 'host' && HOST_IS_LITTLE
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): this {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    const at = this.#room(2)
    this.#view.setUint16(at, value, this.#little)
    return this
  }

  u32(value: number): this {
    const at = this.#room(4)
    this.#view.setUint32(at, value, this.#little)
    return this
  }

  /** Network order whatever the writer's own: addresses inside host-order messages. */
  u32be(value: number): this {
    const at = this.#room(4)
    this.#view.setUint32(at, value)
    return this
  }

  i32(value: number): this {
    const at = this.#room(4)
    this.#view.setInt32(at, value, this.#little)
    return this
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** Words as they lie in memory, at a multiple of four octets: for few words far faster than `bytes`. */
  words(words: Int32Array): this {
    const at = this.#room(words.length * WORD_OCTETS) / WORD_OCTETS
    this.#words ??= new Int32Array(this.#bytes.buffer)
    const into = this.#words
    for (let word = 0; word < words.length; word++) into[at + word] = words[word] ?? 0
    return this
  }

  /** Zero octets up to a multiple of `multiple`. */
  align(multiple: number): this {
    while (this.#at % multiple !== 0) this.u8(0)
    return this
  }

  /** Overwrites 16 bits written earlier: lengths known only afterwards. */
  patchU16(at: number, value: number): void {
    this.#view.setUint16(at, value, this.#little)
  }

  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, this.#little)
  }

  /** Network order whatever the writer's own. */
  patchU16be(at: number, value: number): void {
    this.#view.setUint16(at, value)
  }

  patchU32be(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.#at = 0
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at)
  }

  /** What was written, shared with the writer: valid until its next write. */
  peek(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Grows the buffer, and so replaces it: ask before touching bytes or view. Whoever asks for room writes all of it. */
  #room(length: number): number {
    const from = this.#at
    if (from + length > this.#bytes.length) this.#grow(from + length)
    this.#at = from + length
    return from
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, wholeWords(least)))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
    this.#words = undefined
  }
}

function wholeWords(octets: number): number {
  return Math.ceil(octets / WORD_OCTETS) * WORD_OCTETS
}
