/** One piece of work after the other, in order of asking; who waits may give up. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `work` when all who asked before are done; rejects with the signal's reason when that comes first. */
  async take<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last
    const mine = Promise.withResolvers<void>()
    this.#last = Promise.all([before, mine.promise])
    try {
      await beforeAbort(before, signal)
      return await work()
    } finally {
      mine.resolve()
    }
  }
}

/** The promise's outcome, or the signal's reason when that comes first. */
export async function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abandon = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abandon, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}
