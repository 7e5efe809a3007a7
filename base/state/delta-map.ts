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
  /** The one that became known after it: whoever names keys names them in the order of the last time, as a rule. */
  next: Known<K, W, H> | undefined = undefined

  constructor(key: K) {
    this.key = key
  }
}

export class DeltaMap<K, W, H = W> {
  readonly #same: (want: W, have: H) => boolean
  readonly #known = new Map<K, Known<K, W, H>>()
  #first: Known<K, W, H> | undefined
  #last: Known<K, W, H> | undefined
  /** Where the next key that somebody names is looked for before the map is asked. */
  #expected: Known<K, W, H> | undefined
  #desired: ReadonlyMap<K, W> = new Map()
  #differing = 0
  #naming = 0
  /** How many keys the present look or wish has named. */
  #named = 0

  constructor(same: (want: W, have: H) => boolean) {
    this.#same = same
  }

  /** Makes the desired side exactly `wanted`, which nobody may change afterwards. */
  desireAll(wanted: ReadonlyMap<K, W>): void {
    this.#beginNaming()
    this.#desired = wanted
    wanted.forEach((want, key) => {
      const known = this.#name(key)
      if (known.want === want) return
      known.want = want
      this.#review(known)
      // What we change ourselves nobody meddled with.
      if (known.differs) known.settled = false
    })
    this.#forUnnamed(known => {
      if (known.want === undefined) return
      known.want = undefined
      known.settled = false
      this.#review(known)
    })
  }

  /** Makes the actual side exactly `seen`; the pairs that were settled and are no longer equal. */
  observeAll(seen: Seen<K, H>): readonly Pair<K, W, H>[] {
    this.#beginNaming()
    const upset: Known<K, W, H>[] = []
    const look = (known: Known<K, W, H>, have: H | undefined) => {
      known.have = have
      this.#review(known)
      if (!known.settled || !known.differs) return
      known.settled = false
      upset.push(known)
    }
    seen.forEach((have, key) => {
      look(this.#name(key), have)
    })
    this.#forUnnamed(known => {
      if (known.have !== undefined) look(known, undefined)
    })
    return upset
  }

  /** Remembers what is equal by now. */
  settle(): void {
    for (let known = this.#first; known !== undefined; known = known.next)
      known.settled = known.want !== undefined && !known.differs
  }

  at(key: K): Pair<K, W, H> | undefined {
    return this.#known.get(key)
  }

  /** Keys whose two sides differ. */
  get differing(): readonly Pair<K, W, H>[] {
    const found: Known<K, W, H>[] = []
    if (this.#differing === 0) return found
    for (let known = this.#first; known !== undefined; known = known.next) if (known.differs) found.push(known)
    return found
  }

  get desired(): ReadonlyMap<K, W> {
    return this.#desired
  }

  #beginNaming(): void {
    this.#naming++
    this.#named = 0
    this.#expected = this.#first
  }

  #name(key: K): Known<K, W, H> {
    const expected = this.#expected
    const known = expected !== undefined && expected.key === key ? expected : (this.#known.get(key) ?? this.#add(key))
    this.#expected = known.next
    if (known.named !== this.#naming) this.#named++
    known.named = this.#naming
    return known
  }

  #add(key: K): Known<K, W, H> {
    const made = new Known<K, W, H>(key)
    this.#known.set(key, made)
    if (this.#last === undefined) this.#first = made
    else this.#last.next = made
    this.#last = made
    return made
  }

  /** Visits what nobody named, and then forgets of it what is neither wanted nor there. */
  #forUnnamed(visit: (known: Known<K, W, H>) => void): void {
    if (this.#named === this.#known.size) return
    let before: Known<K, W, H> | undefined
    for (let known = this.#first; known !== undefined; known = known.next) {
      if (known.named !== this.#naming) visit(known)
      if (known.want === undefined && known.have === undefined) this.#forget(known, before)
      else before = known
    }
  }

  #forget(known: Known<K, W, H>, before: Known<K, W, H> | undefined): void {
    this.#known.delete(known.key)
    if (before === undefined) this.#first = known.next
    else before.next = known.next
    if (this.#last === known) this.#last = before
  }

  #review(known: Known<K, W, H>): void {
    const { want, have } = known
    const differs = want === undefined ? have !== undefined : have === undefined || !this.#same(want, have)
    if (differs === known.differs) return
    known.differs = differs
    this.#differing += differs ? 1 : -1
  }
}
