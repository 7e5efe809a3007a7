/** The datastore's side of the agent: the snapshot as it is known here, and how fresh it is. */

import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { sync } from '@network/datastore/sync.ts'
import { KEY_ROOT } from '@network/model/resources/kind.ts'
import { type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import type { Copied } from './copy.ts'
import { HeardOf } from './heard-of.ts'

export interface ClusterOptions {
  readonly store: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What an earlier life of this agent saw last; asked only when the store does not answer at the start. */
  readonly copy?: () => Copied | undefined
  /** Called after every change once the first list is whole. */
  readonly changed: () => void
}

export class Cluster {
  readonly heardOf = new HeardOf()
  readonly #options: ClusterOptions
  readonly #builder = new SnapshotBuilder()
  #state: DatastoreStatus['state'] = 'connecting'
  #since: string
  #error: string | null = null
  readonly #completion = Promise.withResolvers<void>()
  readonly #word = Promise.withResolvers<void>()
  #complete = false
  /** Acted upon until the first whole list. */
  #copy: Copied | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#since = options.clock.wall().toISOString()
  }

  get snapshot(): Snapshot {
    return this.#copy?.snapshot ?? this.#builder.snapshot
  }

  /** True from the first whole list on, or with a copy of an earlier one: before, the absence of a document means nothing. */
  get complete(): boolean {
    return this.#complete || this.#copy !== undefined
  }

  /** The snapshot is the store's own, not a copy. */
  get isFirstHand(): boolean {
    return this.#complete
  }

  /** Resolves with the first whole list. */
  get completed(): Promise<void> {
    return this.#completion.promise
  }

  /** Resolves when the store has answered, or was found not to: from then on `status` tells which. */
  get judged(): Promise<void> {
    return this.#word.promise
  }

  get status(): DatastoreStatus {
    return { url: this.#options.store.url, state: this.#state, since: this.#since, error: this.#error }
  }

  /** Follows the store until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { store, clock, random, log, changed } = this.#options
    for await (const event of sync(store, { prefix: KEY_ROOT, clock, random, signal })) {
      switch (event.is) {
        case 'changes':
          for (const change of event.changes) {
            this.heardOf.apply(change)
            const problems = this.#builder.apply(change)
            if (problems.length > 0) log.warn('document cannot be read and counts as absent', { key: change.key, problems })
          }
          break
        case 'in-sync':
          this.#complete = true
          this.#copy = undefined
          this.#completion.resolve()
          this.#become('in-sync', null)
          log.info('datastore in sync', { datastore: store.url })
          break
        case 'stale':
          this.#fallBack()
          this.#become(
            'stale',
            this.#copy === undefined ? event.error : `${event.error}; acting from the copy of ${this.#copy.at}`,
          )
          log.warn('datastore does not answer; everything goes on as it was', {
            datastore: store.url,
            why: event.error,
          })
          break
        default:
          event satisfies never
      }
      if (this.complete && (event.is !== 'changes' || event.changes.some(({ key }) => this.#builder.concerns(key)))) changed()
    }
  }

  #fallBack(): void {
    if (this.complete) return
    this.#copy = this.#options.copy?.()
    if (this.#copy !== undefined) this.#options.log.warn('acting from a copy of the datastore', { of: this.#copy.at })
  }

  #become(state: DatastoreStatus['state'], error: string | null): void {
    if (state !== this.#state) this.#since = this.#copy?.at ?? this.#options.clock.wall().toISOString()
    this.#state = state
    this.#error = error
    this.#word.resolve()
  }
}
