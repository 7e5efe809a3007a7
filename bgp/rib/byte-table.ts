/** Byte strings as small numbers: equal bytes, equal number. One arena holds them all, so a hundred thousand cost no object each. */

const EMPTY = -1

/** Below so many strings, and so many octets of them, nobody looks for unused ones. */
const FEW = 4096
const FEW_OCTETS = 8 << 20

export class ByteTable {
  /** Open addressing, at most half full: place → number. */
  #index = new Int32Array(64).fill(EMPTY)
  #hash = new Int32Array(32)
  #salt = new Int32Array(32)
  #start = new Uint32Array(32)
  #length = new Uint32Array(32)
  #alive = new Uint8Array(32)
  #arena = new Uint8Array(2048)
  #arenaUsed = 0
  #ids = 0
  readonly #free: number[] = []
  #sweepAt = FEW
  #sweepAtOctets = FEW_OCTETS
  readonly #seed: number

  /** Who does not know the seed, any 32 bits, cannot choose bytes that all want one place. */
  constructor(seed = 0) {
    this.#seed = seed | 0
  }

  /** Numbers in use. */
  get size(): number {
    return this.#ids - this.#free.length
  }

  /** One more than the highest number ever given. */
  get limit(): number {
    return this.#ids
  }

  /** It has doubled since the last sweep, by number or by octets: few strings may be long ones. */
  get isFull(): boolean {
    return this.size >= this.#sweepAt || this.#arenaUsed >= this.#sweepAtOctets
  }

  /** The number of bytes kept before under the same salt, or -1. Hot: called for every message received. */
  find(bytes: Uint8Array, from: number, to: number, salt: number): number {
    const hash = hashOf(bytes, from, to, salt ^ this.#seed)
    const mask = this.#index.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const id = this.#index[place] ?? EMPTY
      if (id === EMPTY) return EMPTY
      if (this.#hash[id] === hash && this.#salt[id] === salt && this.#equals(id, bytes, from, to)) return id
    }
  }

  /** Keeps bytes that are not there yet, and gives their number. */
  add(bytes: Uint8Array, from: number, to: number, salt: number): number {
    const id = this.#free.pop() ?? this.#ids++
    if (id >= this.#hash.length) this.#growRows()
    const length = to - from
    this.#makeRoom(length)
    this.#arena.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#arenaUsed)
    this.#hash[id] = hashOf(bytes, from, to, salt ^ this.#seed)
    this.#salt[id] = salt
    this.#start[id] = this.#arenaUsed
    this.#length[id] = length
    this.#alive[id] = 1
    this.#arenaUsed += length
    if (this.size * 2 > this.#index.length) this.#reindex(this.#index.length * 2)
    else this.#place(id)
    return id
  }

  /** A view, valid until the next `add` or `sweep`. */
  bytes(id: number): Uint8Array {
    const start = this.#start[id] ?? 0
    return this.#arena.subarray(start, start + (this.#length[id] ?? 0))
  }

  lengthOf(id: number): number {
    return this.#length[id] ?? 0
  }

  /** Forgets all numbers that nobody uses; they will be given again. */
  sweep(isUsed: (id: number) => boolean, forgotten: (id: number) => void): void {
    for (let id = 0; id < this.#ids; id++) {
      if (this.#alive[id] === 0 || isUsed(id)) continue
      this.#alive[id] = 0
      this.#free.push(id)
      forgotten(id)
    }
    this.#compact()
    this.#reindex(powerAbove(this.size * 2))
    this.#sweepAt = Math.max(FEW, this.size * 2)
    this.#sweepAtOctets = Math.max(FEW_OCTETS, this.#arenaUsed * 2)
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#length[id] !== to - from) return false
    const arena = this.#arena
    let at = this.#start[id] ?? 0
    for (let other = from; other < to; other++) if (arena[at++] !== bytes[other]) return false
    return true
  }

  #place(id: number): void {
    const mask = this.#index.length - 1
    let place = (this.#hash[id] ?? 0) & mask
    while (this.#index[place] !== EMPTY) place = (place + 1) & mask
    this.#index[place] = id
  }

  #reindex(places: number): void {
    this.#index = new Int32Array(places).fill(EMPTY)
    for (let id = 0; id < this.#ids; id++) if (this.#alive[id] === 1) this.#place(id)
  }

  #growRows(): void {
    const rows = this.#hash.length * 2
    this.#hash = grownInt32(this.#hash, rows)
    this.#salt = grownInt32(this.#salt, rows)
    this.#start = grownUint32(this.#start, rows)
    this.#length = grownUint32(this.#length, rows)
    this.#alive = grownUint8(this.#alive, rows)
  }

  #makeRoom(octets: number): void {
    const wanted = this.#arenaUsed + octets
    if (wanted > this.#arena.length) this.#arena = grownUint8(this.#arena, Math.max(wanted, this.#arena.length * 2))
  }

  #compact(): void {
    let octets = 0
    for (let id = 0; id < this.#ids; id++) if (this.#alive[id] === 1) octets += this.#length[id] ?? 0
    const arena = new Uint8Array(Math.max(2048, octets))
    let used = 0
    for (let id = 0; id < this.#ids; id++) {
      if (this.#alive[id] === 0) continue
      arena.set(this.bytes(id), used)
      this.#start[id] = used
      used += this.#length[id] ?? 0
    }
    this.#arena = arena
    this.#arenaUsed = used
  }
}

/** FNV-1a with a last stir, for the low bits choose the place. */
function hashOf(bytes: Uint8Array, from: number, to: number, salt: number): number {
  let hash = Math.imul(salt + 1, 0x9e3779b1) ^ 0x811c9dc5
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  return hash ^ (hash >>> 15)
}

export function powerAbove(count: number): number {
  let power = 64
  while (power < count) power *= 2
  return power
}

export function grownInt32(array: Int32Array, length: number, fill = 0): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length)
  larger.set(array)
  if (fill !== 0) larger.fill(fill, array.length)
  return larger
}

export function grownUint32(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(length)
  larger.set(array)
  return larger
}

export function grownUint8(array: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length)
  larger.set(array)
  return larger
}
