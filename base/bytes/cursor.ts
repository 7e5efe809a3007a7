/** Reads bytes and never lies: short data throws, nothing is clamped, padded or guessed. */

/** Bytes that end, or a value that cannot be, before the reader is done. */
export class WireFault extends Error {
  override readonly name = 'WireFault'
  readonly wanted: number
  readonly left: number
  constructor(what: string, sizes: { readonly wanted: number; readonly left: number }) {
    super(`${what}: wanted ${sizes.wanted} octets, ${sizes.left} left`)
    this.wanted = sizes.wanted
    this.left = sizes.left
  }
}

export type ByteOrder = 'network' | 'host'
/** How this machine keeps numbers in memory. */
export const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export class Cursor {
  readonly #view: DataView
  readonly #little: boolean
  readonly #from: number
  readonly #end: number
  #at: number

  /** Reads from octet `from` up to `end`; a view can be shared by many cursors, and making one is dear. */
  constructor(source: Uint8Array | DataView, order: ByteOrder = 'network', from = 0, end = source.byteLength) {
    if (from < 0 || from > end || end > source.byteLength) throw new WireFault('bounds', { wanted: end, left: source.byteLength })
    this.#view = source instanceof DataView ? source : new DataView(source.buffer, source.byteOffset, source.byteLength)
    this.#little = order === 'host' && HOST_IS_LITTLE
    this.#from = from
    this.#end = end
    this.#at = from
  }

  /** Where in its source the first octet lies. */
  get from(): number {
    return this.#from
  }

  /** Octets read so far. */
  get at(): number {
    return this.#at - this.#from
  }

  /** Octets not yet read. */
  get left(): number {
    return this.#end - this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), this.#little)
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), this.#little)
  }

  /** Network order whatever the cursor's own: addresses inside host-order messages. */
  u32be(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), this.#little)
  }

  /** A view of the next `length` octets; copy it to keep it past the life of the buffer. */
  take(length: number): Uint8Array {
    const from = this.#advance(length)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + from, length)
  }

  rest(): Uint8Array {
    return this.take(this.left)
  }

  /** A cursor that cannot read past the next `length` octets; this one moves behind them. */
  sub(length: number): Cursor {
    const from = this.#advance(length)
    return new Cursor(this.#view, this.#little ? 'host' : 'network', from, from + length)
  }

  skip(length: number): void {
    this.#advance(length)
  }

  #advance(length: number): number {
    if (length < 0 || length > this.left) throw new WireFault('truncated', { wanted: length, left: this.left })
    const from = this.#at
    this.#at += length
    return from
  }
}
