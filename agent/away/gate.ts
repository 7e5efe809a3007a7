/** Many may pass together, one may have the room alone; who came first goes first. */

export class Gate {
  readonly #passing = new Set<Promise<unknown>>()
  #alone: Promise<unknown> = Promise.resolve()

  /** Runs `work` beside others who share, after whoever asked before to be alone. */
  async share<T>(work: () => Promise<T>): Promise<T> {
    for (let before = this.#alone; ; before = this.#alone) {
      await before
      if (before === this.#alone) break
    }
    const mine = work()
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    this.#passing.add(settled)
    try {
      return await mine
    } finally {
      this.#passing.delete(settled)
    }
  }

  /** Runs `work` when all who share are done; who comes meanwhile waits for it. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#alone.then(() => Promise.all(this.#passing)).then(work)
    this.#alone = mine.then(
      () => undefined,
      () => undefined,
    )
    return mine
  }
}
