/** Prefixes as small dense numbers: IPv4 in flat arrays, IPv6 beside them. */
import { type AnyPrefix, isPrefix6 } from '@network/base/net/any-prefix.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import type { Prefix6 } from '@network/base/net/ipv6.ts'
import { maskOf, type Prefix } from '@network/base/net/prefix.ts'
import { grownUint8, grownUint32, powerAbove } from './byte-table.ts'

const EMPTY = -1
/** Marks a number that is free, and one that stands for an IPv6 prefix, where an IPv4 length would be. */
const FREE = 254
const SIX = 255

export class PrefixTable {
  /** Octets that an IPv4 prefix takes at most in a message. */
  readonly longest4 = 5
  readonly #seed: number
  /** Open addressing, at most half full; IPv4 only. The address stands beside the number, so that a search touches one line of memory. */
  #index = new Int32Array(128).fill(EMPTY)
  #address = new Uint32Array(32)
  #bits = new Uint8Array(32)
  readonly #six = new Map<number, Prefix6>()
  readonly #idOfSix = new Map<string, number>()
  readonly #free: number[] = []
  #ids = 0
  #fours = 0

  /** Who does not know the seed, any 32 bits, cannot choose prefixes that all want one place. */
  constructor(seed = 0) {
    this.#seed = seed | 0
  }

  /** One more than the highest number ever given: what arrays beside this one must hold. */
  get limit(): number {
    return this.#ids
  }

  get size(): number {
    return this.#ids - this.#free.length
  }

  /** The number of an IPv4 network without host bits, or -1. Hot. */
  find4(address: number, length: number): number {
    const index = this.#index
    const mask = (index.length >> 1) - 1
    const wanted = address | 0
    for (let place = hashOf(address ^ this.#seed, length) & mask; ; place = (place + 1) & mask) {
      const id = index[2 * place] ?? EMPTY
      if (id === EMPTY || (index[2 * place + 1] === wanted && this.#bits[id] === length)) return id
    }
  }

  /** The same, giving a number to a network that has none. Hot. */
  take4(address: number, length: number): number {
    const known = this.find4(address, length)
    if (known !== EMPTY) return known
    const id = this.#takeId()
    this.#address[id] = address
    this.#bits[id] = length
    this.#fours++
    if (this.#fours * 4 > this.#index.length) this.#reindex(this.#index.length)
    else this.#place(id)
    return id
  }

  find(prefix: AnyPrefix): number {
    return isPrefix6(prefix) ? (this.#idOfSix.get(keyOfSix(prefix)) ?? EMPTY) : this.find4(prefix.address, prefix.length)
  }

  take(prefix: AnyPrefix): number {
    if (!isPrefix6(prefix)) return this.take4(prefix.address, prefix.length)
    const key = keyOfSix(prefix)
    const known = this.#idOfSix.get(key)
    if (known !== undefined) return known
    const id = this.#takeId()
    this.#bits[id] = SIX
    this.#six.set(id, prefix)
    this.#idOfSix.set(key, id)
    return id
  }

  /** The number is free to stand for another prefix. */
  free(id: number): void {
    const six = this.#six.get(id)
    if (six === undefined) this.#unplace(id)
    else {
      this.#six.delete(id)
      this.#idOfSix.delete(keyOfSix(six))
    }
    this.#bits[id] = FREE
    this.#free.push(id)
  }

  isSix(id: number): boolean {
    return this.#bits[id] === SIX
  }

  isFree(id: number): boolean {
    return this.#bits[id] === FREE
  }

  prefix(id: number): AnyPrefix {
    return this.#six.get(id) ?? this.prefix4(id)
  }

  prefix4(id: number): Prefix {
    return { address: toIpv4(this.#address[id] ?? 0), length: this.#bits[id] ?? 0 }
  }

  /** Writes an IPv4 prefix as UPDATE carries it, and says where the next one goes. Hot. */
  write4(id: number, into: Uint8Array, at: number): number {
    const address = this.#address[id] ?? 0
    const length = this.#bits[id] ?? 0
    into[at] = length
    if (length > 0) into[at + 1] = address >>> 24
    if (length > 8) into[at + 2] = address >>> 16
    if (length > 16) into[at + 3] = address >>> 8
    if (length > 24) into[at + 4] = address
    return at + 1 + ((length + 7) >> 3)
  }

  #takeId(): number {
    const id = this.#free.pop() ?? this.#ids++
    if (id >= this.#address.length) {
      this.#address = grownUint32(this.#address, this.#address.length * 2)
      this.#bits = grownUint8(this.#bits, this.#bits.length * 2)
    }
    return id
  }

  #place(id: number): void {
    const index = this.#index
    const mask = (index.length >> 1) - 1
    const address = this.#address[id] ?? 0
    let place = hashOf(address ^ this.#seed, this.#bits[id] ?? 0) & mask
    while (index[2 * place] !== EMPTY) place = (place + 1) & mask
    index[2 * place] = id
    index[2 * place + 1] = address
  }

  /** Takes an entry out and moves those behind it up, so that no search ends too early. */
  #unplace(id: number): void {
    const index = this.#index
    const mask = (index.length >> 1) - 1
    let hole = hashOf((this.#address[id] ?? 0) ^ this.#seed, this.#bits[id] ?? 0) & mask
    while (index[2 * hole] !== id) hole = (hole + 1) & mask
    for (let place = (hole + 1) & mask; index[2 * place] !== EMPTY; place = (place + 1) & mask) {
      const other = index[2 * place] ?? EMPTY
      const home = hashOf((this.#address[other] ?? 0) ^ this.#seed, this.#bits[other] ?? 0) & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      index.copyWithin(2 * hole, 2 * place, 2 * place + 2)
      hole = place
    }
    index[2 * hole] = EMPTY
    this.#fours--
  }

  #reindex(places: number): void {
    this.#index = new Int32Array(2 * powerAbove(places)).fill(EMPTY)
    for (let id = 0; id < this.#ids; id++) if ((this.#bits[id] ?? FREE) <= 32) this.#place(id)
  }
}

/**
 * Calls back with address and length of every IPv4 prefix of a field of UPDATE, host bits masked away. False, before the first call, when the
 * field is malformed.
 */
export function eachPrefix4(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (address: number, length: number) => void,
): boolean {
  if (!isSound(bytes, from, to)) return false
  for (let at = from; at < to; ) {
    const length = bytes[at] ?? 0
    const octets = (length + 7) >> 3
    let address = 0
    if (octets > 0) address = (bytes[at + 1] ?? 0) << 24
    if (octets > 1) address |= (bytes[at + 2] ?? 0) << 16
    if (octets > 2) address |= (bytes[at + 3] ?? 0) << 8
    if (octets > 3) address |= bytes[at + 4] ?? 0
    visit((address & maskOf(length)) >>> 0, length)
    at += 1 + octets
  }
  return true
}

/** The same where a path id stands in front of every prefix. RFC 7911 §3. */
export function eachIdentified4(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (address: number, length: number, pathId: number) => void,
): boolean {
  if (!areSoundWithIds(bytes, from, to)) return false
  for (let at = from; at < to; ) {
    const pathId =
      (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
    const end = at + 5 + (((bytes[at + 4] ?? 0) + 7) >> 3)
    eachPrefix4(bytes, at + 4, end, (address, length) => visit(address, length, pathId))
    at = end
  }
  return true
}

function areSoundWithIds(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (at + 4 < to) {
    const length = bytes[at + 4] ?? 0
    if (length > 32) return false
    at += 5 + ((length + 7) >> 3)
  }
  return at === to
}

function isSound(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from
  while (at < to) {
    const length = bytes[at] ?? 0
    if (length > 32) return false
    at += 1 + ((length + 7) >> 3)
  }
  return at === to
}

function keyOfSix({ address, length }: Prefix6): string {
  return `${address.toString(36)}/${length}`
}

/** Where a search begins. */
export function hashOf(address: number, length: number): number {
  let hash = Math.imul(address ^ Math.imul(length, 0x9e3779b1), 0x85ebca6b)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 13)
}
