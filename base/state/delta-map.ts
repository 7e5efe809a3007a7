/** Desired and actual side by side, of the same type or not; the difference is kept, never recomputed. */
export class DeltaMap<K, W, H = W> {
  readonly #same: (want: W, have: H) => boolean
  readonly #desired = new Map<K, W>()
  readonly #actual = new Map<K, H>()
  readonly #dirty = new Set<K>()

  constructor(same: (want: W, have: H) => boolean) {
    this.#same = same
  }

  desire(key: K, value: W): void {
    this.#desired.set(key, value)
    this.#review(key, value, this.#actual.get(key))
  }

  forget(key: K): void {
    this.#desired.delete(key)
    this.#review(key, undefined, this.#actual.get(key))
  }

  /** Makes the desired side exactly `wanted`. */
  desireAll(wanted: ReadonlyMap<K, W>): void {
    for (const key of this.#desired.keys()) if (!wanted.has(key)) this.forget(key)
    for (const [key, value] of wanted) this.desire(key, value)
  }

  /** Records what was seen; undefined means that it is not there. */
  observe(key: K, value: H | undefined): void {
    if (value === undefined) this.#actual.delete(key)
    else this.#actual.set(key, value)
    this.#review(key, this.#desired.get(key), value)
  }

  /** Makes the actual side exactly `seen`. */
  observeAll(seen: ReadonlyMap<K, H>): void {
    for (const key of this.#actual.keys()) if (!seen.has(key)) this.observe(key, undefined)
    for (const [key, value] of seen) this.observe(key, value)
  }

  wanted(key: K): W | undefined {
    return this.#desired.get(key)
  }

  seen(key: K): H | undefined {
    return this.#actual.get(key)
  }

  /** Keys whose two sides differ. */
  get dirty(): ReadonlySet<K> {
    return this.#dirty
  }

  get desired(): ReadonlyMap<K, W> {
    return this.#desired
  }

  get actual(): ReadonlyMap<K, H> {
    return this.#actual
  }

  #review(key: K, want: W | undefined, have: H | undefined): void {
    const equal = want === undefined ? have === undefined : have !== undefined && this.#same(want, have)
    if (equal) this.#dirty.delete(key)
    else this.#dirty.add(key)
  }
}
