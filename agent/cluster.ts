/** The datastore's side of the agent: the snapshot as it is known here, and how fresh it is. */

import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { type Datastore, NOT_JSON } from '@network/datastore/port.ts'
import { sync } from '@network/datastore/sync.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import type { IpamBlock } from '@network/model/resources/ipam-block.ts'
import { KEY_ROOT, keyPrefixOf } from '@network/model/resources/kind.ts'
import { type Change, type Snapshot, SnapshotBuilder } from '@network/model/snapshot.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import type { Overlay } from './away/overlay.ts'
import { OwnBlocks } from './away/own-blocks.ts'
import type { Copied } from './copy.ts'
import { HeardOf } from './heard-of.ts'

export interface ClusterOptions {
  /** This node's name. */
  readonly node: string
  readonly store: Datastore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** What an earlier life of this agent saw last; asked only when the store does not answer at the start. */
  readonly copy?: () => Copied | undefined
  /** Called after every change once the first list is whole; `decisive` where it says whether addresses may be given without the datastore. */
  readonly changed: (decisive: boolean) => void
  /** Called when `status` says another state. */
  readonly stateChanged?: () => void
  /** What is known better here than there, if anything. */
  readonly overlay?: () => Overlay
}

const DECISIVE = [IPAM_CONFIGURATION, IP_RESERVATION, IP_POOL].map(({ plural }) => keyPrefixOf(plural))

export class Cluster {
  readonly heardOf = new HeardOf()
  readonly #options: ClusterOptions
  readonly #builder = new SnapshotBuilder()
  readonly #foreign = new Set<string>()
  readonly #blocks: OwnBlocks
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
    this.#blocks = new OwnBlocks(options.node)
    this.#since = options.clock.wall().toISOString()
  }

  /** With what lives here, whether the datastore knows it or not. */
  get snapshot(): Snapshot {
    const { stored } = this
    const overlay = this.#options.overlay?.()
    return overlay === undefined ? stored : { ...stored, workloads: overlay.over(stored.workloads) }
  }

  /** What the datastore last said. */
  get stored(): Snapshot {
    return this.#copy?.snapshot ?? this.#builder.snapshot
  }

  /** Blocks of this node, as the datastore last said. */
  get blocks(): readonly IpamBlock[] {
    return this.#copy?.blocks ?? this.#blocks.all
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

  /** What somebody should know of single keys; documents that cannot be read are told by the plan. */
  get problems(): readonly string[] {
    return [...this.#foreign].map(key => `${key} in the datastore is not JSON and counts as absent; delete that key`)
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
          for (const change of event.changes) this.#take(change)
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
      this.#options.overlay?.().baseChanged()
      if (this.complete && (event.is !== 'changes' || event.changes.some(({ key }) => this.#builder.concerns(key))))
        changed(event.is === 'changes' && event.changes.some(({ key }) => DECISIVE.some(prefix => key.startsWith(prefix))))
    }
  }

  #take(change: Change): void {
    const { log } = this.#options
    this.#blocks.apply(change)
    this.heardOf.apply(change)
    const problems = this.#builder.apply(change)
    if (problems.length > 0) log.warn('document cannot be read and counts as absent', { key: change.key, problems })
    if (this.#builder.concerns(change.key)) return
    this.#foreign.delete(change.key)
    if (change.document !== NOT_JSON) return
    this.#foreign.add(change.key)
    log.warn('what lies there is not JSON and counts as absent', { key: change.key })
  }

  #fallBack(): void {
    if (this.complete) return
    this.#copy = this.#options.copy?.()
    if (this.#copy !== undefined) this.#options.log.warn('acting from a copy of the datastore', { of: this.#copy.at })
  }

  #become(state: DatastoreStatus['state'], error: string | null): void {
    const isNews = state !== this.#state
    if (isNews) this.#since = this.#copy?.at ?? this.#options.clock.wall().toISOString()
    this.#state = state
    this.#error = error
    this.#word.resolve()
    if (isNews) this.#options.stateChanged?.()
  }
}
