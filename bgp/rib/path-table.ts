/** Paths in flat arrays: each is in the chain of its prefix and in the ring of its source. */
import { grownInt32, grownUint8, grownUint32 } from './byte-table.ts'

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
  /** What the source calls each of its paths; there is none before the first path id that is not 0. RFC 7911. */
  #pathId: Uint32Array | undefined
  /** What we call each path; there is none before anybody asks. */
  #name: Uint32Array | undefined
  #nextName = 1
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

  /** Some path has an id that is not 0. */
  get hasPathIds(): boolean {
    return this.#pathId !== undefined
  }

  /** 0 for a source that does not use ids. */
  pathIdOf(path: number): number {
    return this.#pathId === undefined ? 0 : (this.#pathId[path] ?? 0)
  }

  /**
   * The id under which the path is told to others: never 0, kept as long as the path lives, and given to no other one before all 32 bits are used up; two
   * paths of a chain never share it, not even then.
   */
  nameOf(path: number, first: number): number {
    this.#name ??= new Uint32Array(this.#prefix.length)
    const known = this.#name[path] ?? 0
    if (known !== 0) return known
    while (this.#nextName === 0 || this.#isNameOfAny(this.#nextName, first)) this.#nextName = (this.#nextName + 1) >>> 0
    const name = this.#nextName
    this.#nextName = (name + 1) >>> 0
    this.#name[path] = name
    return name
  }

  isNamed(path: number, name: number): boolean {
    return this.#name?.[path] === name && this.isTaken(path)
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
  add(prefix: number, slot: number, next: number, pathId = 0): number {
    const path = this.#free.pop() ?? this.#ids++
    if (path >= this.#prefix.length) this.#grow()
    this.#prefix[path] = prefix
    this.#slot[path] = slot
    this.#stale[path] = 0
    this.#next[path] = next
    if (pathId !== 0) this.#pathId ??= new Uint32Array(this.#prefix.length)
    if (this.#pathId !== undefined) this.#pathId[path] = pathId
    if (this.#name !== undefined) this.#name[path] = 0
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

  #isNameOfAny(name: number, first: number): boolean {
    let path = first
    while (path !== NONE && this.#name?.[path] !== name) path = this.nextOf(path)
    return path !== NONE
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
    if (this.#pathId !== undefined) this.#pathId = grownUint32(this.#pathId, rows)
    if (this.#name !== undefined) this.#name = grownUint32(this.#name, rows)
  }
}
