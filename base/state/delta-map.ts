/** Desired and actual side by side, of the same type or not; the difference is kept, never recomputed. */

/** One key with its two sides. */
export interface Pair<K, W, H> {
  readonly key: K
  readonly want: W | undefined
  readonly have: H | undefined
  readonly differs: boolean
}

/** What was seen; a Map is one. */
export interface Seen<K, H> {
  forEach(visit: (have: H, key: K) => void): void
}

/** All that is known of a key is in one object: tables are long, and each search in a map costs more than all else done for a row. */
class Known<K, W, H> implements Pair<K, W, H> {
  readonly key: K
  want: W | undefined = undefined
  have: H | undefined = undefined
  differs = false
  /** Was equal when that was last asked for. */
  settled = false
  /** The number of the look that last saw it, or of the wish that last named it. */
  named = 0

  constructor(key: K) {
    this.key = key
  }
}

export class DeltaMap<K, W, H = W> {
  readonly #same: (want: W, have: H) => boolean
  readonly #known = new Map<K, Known<K, W, H>>()
  #desired: ReadonlyMap<K, W> = new Map()
  #differing = 0
  #naming = 0

  constructor(same: (want: W, have: H) => boolean) {
    this.#same = same
  }

  /** Makes the desired side exactly `wanted`, which nobody may change afterwards. */
  desireAll(wanted: ReadonlyMap<K, W>): void {
    const naming = ++this.#naming
    this.#desired = wanted
    for (const [key, want] of wanted) {
      const known = this.#take(key)
      known.named = naming
      if (known.want === want) continue
      known.want = want
      this.#review(known)
      // What we change ourselves nobody meddled with.
      if (known.differs) known.settled = false
    }
    for (const known of this.#known.values()) {
      if (known.named === naming || known.want === undefined) continue
      known.want = undefined
      known.settled = false
      this.#review(known)
    }
  }

  /** Makes the actual side exactly `seen`; the pairs that were settled and are no longer equal. */
  observeAll(seen: Seen<K, H>): readonly Pair<K, W, H>[] {
    const naming = ++this.#naming
    const upset: Known<K, W, H>[] = []
    const look = (known: Known<K, W, H>, have: H | undefined) => {
      known.have = have
      this.#review(known)
      if (!known.settled || !known.differs) return
      known.settled = false
      upset.push(known)
    }
    seen.forEach((have, key) => {
      const known = this.#take(key)
      known.named = naming
      look(known, have)
    })
    for (const known of this.#known.values())
      if (known.named !== naming) {
        if (known.have !== undefined) look(known, undefined)
        if (known.want === undefined) this.#known.delete(known.key)
      }
    return upset
  }

  /** Remembers what is equal by now. */
  settle(): void {
    for (const known of this.#known.values()) known.settled = known.want !== undefined && !known.differs
  }

  at(key: K): Pair<K, W, H> | undefined {
    return this.#known.get(key)
  }

  /** Keys whose two sides differ. */
  get differing(): readonly Pair<K, W, H>[] {
    const found: Known<K, W, H>[] = []
    if (this.#differing > 0) for (const known of this.#known.values()) if (known.differs) found.push(known)
    return found
  }

  get desired(): ReadonlyMap<K, W> {
    return this.#desired
  }

  #take(key: K): Known<K, W, H> {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const made = new Known<K, W, H>(key)
    this.#known.set(key, made)
    return made
  }

  #review(known: Known<K, W, H>): void {
    const { want, have } = known
    const differs = want === undefined ? have !== undefined : have === undefined || !this.#same(want, have)
    if (differs === known.differs) return
    known.differs = differs
    this.#differing += differs ? 1 : -1
  }
}
