/** Wakes one waiter; a ring that nobody waits for is kept, once. */

export class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves after the next ring, at once when it rang since the last wait, or when the signal aborts. */
  async rung(signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const end = () => resolve()
      signal.addEventListener('abort', end, { once: true })
      await promise
      signal.removeEventListener('abort', end)
    }
    this.#rung = false
  }
}
