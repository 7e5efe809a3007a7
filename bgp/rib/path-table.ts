/** Paths in flat arrays: each is in the chain of its prefix and in the ring of its source. */
import { grownInt32, grownUint8 } from './byte-table.ts'

export const NONE = -1

export class PathTable {
  #prefix = new Int32Array(32)
  #slot = new Int32Array(32)
  #heard = new Int32Array(32)
  #used = new Int32Array(32)
  #stale = new Uint8Array(32)
  /** The next path of the same prefix. */
  #next = new Int32Array(32)
  #slotBefore = new Int32Array(32)
  #slotAfter = new Int32Array(32)
  #firstOfSlot: number[] = []
  #ids = 0
  readonly #free: number[] = []

  get size(): number {
    return this.#ids - this.#free.length
  }

  /** One more than the highest number ever given. */
  get limit(): number {
    return this.#ids
  }

  isTaken(path: number): boolean {
    return this.#prefix[path] !== NONE
  }

  prefixOf(path: number): number {
    return this.#prefix[path] ?? NONE
  }

  slotOf(path: number): number {
    return this.#slot[path] ?? NONE
  }

  /** The attribute set as its source said it. */
  heardOf(path: number): number {
    return this.#heard[path] ?? NONE
  }

  /** The attribute set as it is used, after the import policy; NONE: it may not be used. */
  usedOf(path: number): number {
    return this.#used[path] ?? NONE
  }

  isStale(path: number): boolean {
    return this.#stale[path] === 1
  }

  nextOf(path: number): number {
    return this.#next[path] ?? NONE
  }

  firstOf(slot: number): number {
    return this.#firstOfSlot[slot] ?? NONE
  }

  nextOfSlot(path: number): number {
    return this.#slotAfter[path] ?? NONE
  }

  setStale(path: number, stale: boolean): void {
    this.#stale[path] = stale ? 1 : 0
  }

  say(path: number, heard: number, used: number): void {
    this.#heard[path] = heard
    this.#used[path] = used
  }

  /** A fresh path in front of a chain. */
  add(prefix: number, slot: number, next: number): number {
    const path = this.#free.pop() ?? this.#ids++
    if (path >= this.#prefix.length) this.#grow()
    this.#prefix[path] = prefix
    this.#slot[path] = slot
    this.#stale[path] = 0
    this.#next[path] = next
    const first = this.firstOf(slot)
    this.#slotBefore[path] = NONE
    this.#slotAfter[path] = first
    if (first !== NONE) this.#slotBefore[first] = path
    this.#firstOfSlot[slot] = path
    return path
  }

  /** Takes a path out of the chain that begins with `first`; what the chain begins with then. */
  remove(path: number, first: number): number {
    const begin = this.#unchain(path, first)
    const before = this.#slotBefore[path] ?? NONE
    const after = this.nextOfSlot(path)
    if (before === NONE) this.#firstOfSlot[this.slotOf(path)] = after
    else this.#slotAfter[before] = after
    if (after !== NONE) this.#slotBefore[after] = before
    this.#prefix[path] = NONE
    this.#free.push(path)
    return begin
  }

  /** Marks every attribute set that a path names. */
  markSets(used: Uint8Array): void {
    for (let path = 0; path < this.#ids; path++) {
      if (this.#prefix[path] === NONE) continue
      used[this.heardOf(path)] = 1
      const set = this.usedOf(path)
      if (set !== NONE) used[set] = 1
    }
  }

  #unchain(path: number, first: number): number {
    const next = this.nextOf(path)
    if (first === path) return next
    let at = first
    while (this.nextOf(at) !== path) at = this.nextOf(at)
    this.#next[at] = next
    return first
  }

  #grow(): void {
    const rows = this.#prefix.length * 2
    this.#prefix = grownInt32(this.#prefix, rows)
    this.#slot = grownInt32(this.#slot, rows)
    this.#heard = grownInt32(this.#heard, rows)
    this.#used = grownInt32(this.#used, rows)
    this.#stale = grownUint8(this.#stale, rows)
    this.#next = grownInt32(this.#next, rows)
    this.#slotBefore = grownInt32(this.#slotBefore, rows)
    this.#slotAfter = grownInt32(this.#slotAfter, rows)
  }
}
