/** One watch stream of one member: what it says, in order, until it ends. */

import type { IWatchResponse } from 'etcd3'
import { Bell } from '../bell.ts'
import type { Connection, Session } from './connection.ts'
import type { Range } from './range.ts'

/** Answers that nobody took yet; beyond that the stream is ended, and its reader goes on with another where it was. */
const MOST_WAITING = 10_000

type Stream = Awaited<ReturnType<Session['client']['watchClient']['watch']>>

export class WatchStream {
  readonly #stream: Stream
  readonly #waiting: IWatchResponse[] = []
  readonly #bell = new Bell()
  #end: Error | undefined

  private constructor(stream: Stream) {
    this.#stream = stream
      .on('data', answer => this.#take(answer))
      .on('error', error => this.#finish(error))
      .on('end', () => this.#finish(new Error('the watch was ended by the other side')))
  }

  /**
   * Every change in the range from a revision on, that one included. Resolves when the member has said that it watches: a line that falls
   * silent while it is connected would else never be noticed, for gRPC waits for its other end without a limit.
   */
  static async open(connection: Connection, { client }: Session, range: Range, from: string, signal: AbortSignal) {
    const opening = client.watchClient.watch().then(stream => new WatchStream(stream))
    try {
      const opened = await connection.soon(opening, signal)
      opened.#stream.write({ create_request: { ...range, start_revision: from, progress_notify: true } })
      await connection.soon(opened.#spoken(signal), signal)
      return opened
    } catch (reason) {
      // What is opened too late is left as well.
      opening.then(
        late => late[Symbol.dispose](),
        () => undefined,
      )
      throw reason
    }
  }

  /** What came since the last time; waits for the first. Rejects when the stream has ended and all that it said was taken. */
  async next(signal: AbortSignal): Promise<readonly IWatchResponse[]> {
    await this.#spoken(signal)
    return this.#waiting.splice(0)
  }

  [Symbol.dispose](): void {
    this.#finish(new Error('it was left'))
    this.#stream.cancel()
  }

  async #spoken(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length === 0 && !signal.aborted) {
      if (this.#end !== undefined) throw this.#end
      await this.#bell.rung(signal)
    }
  }

  #take(answer: IWatchResponse): void {
    if (this.#end !== undefined) return
    this.#waiting.push(answer)
    if (this.#waiting.length > MOST_WAITING) this.#stream.cancel()
    this.#bell.ring()
  }

  #finish(reason: Error): void {
    this.#end ??= reason
    this.#bell.ring()
  }
}
