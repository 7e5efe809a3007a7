/** Desired and actual side by side; the difference is kept, never recomputed. */
export class DeltaMap<K, V> {
  readonly #same: (a: V, b: V) => boolean
  readonly #desired = new Map<K, V>()
  readonly #actual = new Map<K, V>()
  readonly #dirty = new Set<K>()

  constructor(same: (a: V, b: V) => boolean) {
    this.#same = same
  }

  desire(key: K, value: V): void {
    this.#desired.set(key, value)
    this.#review(key)
  }

  forget(key: K): void {
    this.#desired.delete(key)
    this.#review(key)
  }

  /** Makes the desired side exactly `wanted`. */
  desireAll(wanted: ReadonlyMap<K, V>): void {
    for (const key of this.#desired.keys()) if (!wanted.has(key)) this.forget(key)
    for (const [key, value] of wanted) this.desire(key, value)
  }

  /** Records what was seen; undefined means that it is not there. */
  observe(key: K, value: V | undefined): void {
    if (value === undefined) this.#actual.delete(key)
    else this.#actual.set(key, value)
    this.#review(key)
  }

  /** Makes the actual side exactly `seen`. */
  observeAll(seen: ReadonlyMap<K, V>): void {
    for (const key of this.#actual.keys()) if (!seen.has(key)) this.observe(key, undefined)
    for (const [key, value] of seen) this.observe(key, value)
  }

  wanted(key: K): V | undefined {
    return this.#desired.get(key)
  }

  seen(key: K): V | undefined {
    return this.#actual.get(key)
  }

  /** Keys whose two sides differ. */
  get dirty(): ReadonlySet<K> {
    return this.#dirty
  }

  get desired(): ReadonlyMap<K, V> {
    return this.#desired
  }

  get actual(): ReadonlyMap<K, V> {
    return this.#actual
  }

  #review(key: K): void {
    const want = this.#desired.get(key)
    const have = this.#actual.get(key)
    const equal = want === undefined ? have === undefined : have !== undefined && this.#same(want, have)
    if (equal) this.#dirty.delete(key)
    else this.#dirty.add(key)
  }
}
