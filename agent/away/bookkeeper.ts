/** Says which books are to be kept at each moment, and makes them agree when the datastore comes back. */

import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { Assignment, Ipam, Request } from '@network/datastore/ipam/ipam.ts'
import { beforeAbort, Turns } from '@network/datastore/ipam/turns.ts'
import type { Datastore, Options } from '@network/datastore/port.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { DatastoreStatus } from '@network/model/status.ts'
import type { AwayVerdict } from '../plan/away.ts'
import type { Books } from '../workload/books.ts'
import { AwayBooks, type LastSeen } from './away-books.ts'
import { Gate } from './gate.ts'
import type { Ledger } from './ledger.ts'
import type { Overlay } from './overlay.ts'
import { type Notice, type Settled, settle } from './settle.ts'
import { StoreBooks } from './store-books.ts'

export interface BookkeeperOptions {
  readonly node: string
  readonly store: Datastore
  readonly ipam: Ipam
  readonly ledger: Ledger
  readonly overlay: Overlay
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly datastore: () => DatastoreStatus
  /** Tells this machine from another of the node's name. */
  readonly id: string
  /** False until this life has seen to it that the Node is its own. */
  readonly isRegistered: () => boolean
  readonly lastSeen: () => LastSeen
  readonly isWired: (endpoint: WorkloadEndpoint) => boolean
  /** Hears that the books agree again. */
  readonly settled: () => void
}

export interface Account {
  /** Endpoints that the datastore is still to be told of, or told to forget. */
  readonly unwritten: number
  /** What stands in the way of writing them. */
  readonly conflicts: readonly Notice[]
  /** The last things that were written otherwise than thought; bounded. */
  readonly mended: readonly Notice[]
}

const SETTLE_MS = 60_000
const RETRY = { base: millis(200), cap: millis(5_000) }
/** Whoever is in the way may go. */
const CONFLICTS_AGAIN = millis(30_000)
const MENDED_KEPT = 20
/** A call came through the gate a moment too late. */
const AGAIN = Symbol('again')

export class Bookkeeper {
  readonly #options: BookkeeperOptions
  readonly #gate = new Gate()
  readonly #inStore: StoreBooks
  readonly #away: AwayBooks
  #isSettled = false
  #settling: Promise<void> | undefined
  #last: Settled = { conflicts: [], mended: [] }
  #mended: readonly Notice[] = []
  readonly #waiting = new Set<() => void>()

  constructor(options: BookkeeperOptions) {
    const turns = new Turns()
    this.#options = options
    this.#inStore = new StoreBooks({ ...options, turns })
    this.#away = new AwayBooks({ ...options, turns })
  }

  /** The books of this moment, for work inside of `share`. */
  books(): Books {
    // Between the datastore's return and the settling only what began before is still at work.
    return this.#isAnswering ? this.#inStore : this.#away
  }

  /** Runs `work` when the books may be written: never beside the settling, never before it. */
  async share<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.#usable(signal)
      const outcome = await this.#gate.share(async () => (this.#isUsable() ? work() : AGAIN))
      if (outcome !== AGAIN) return outcome
    }
  }

  /** The tunnel's address is had and given back like a pod's, but not without the datastore. */
  readonly tunnel = {
    assign: (request: Request): Promise<Assignment> => this.share(request.signal, () => this.#answering().take(request)),
    release: (handle: string, { signal }: Options): Promise<readonly Ipv4[]> =>
      this.share(signal, () => this.#answering().free(handle, [], signal)),
  }

  /** The datastore went, or came, or said that the Node is there. */
  stateChanged(): void {
    if (this.#options.datastore().state !== 'in-sync') this.#isSettled = false
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  /** What an ADD would be told while the datastore is away; undefined while it is not. */
  get awayVerdict(): AwayVerdict | undefined {
    return this.#options.datastore().state === 'stale' ? this.#away.verdict() : undefined
  }

  get account(): Account {
    const { conflicts } = this.#last
    const unwritten = this.#isAnswering ? conflicts.length : this.#options.ledger.unwritten.length
    return { unwritten, conflicts, mended: this.#mended }
  }

  /** Settles as soon as the datastore is there, and what was in conflict again and again, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (this.#canSettle()) await this.#settle()
        failures = 0
        await this.#changeOr(this.#last.conflicts.length > 0, signal)
      } catch (reason) {
        if (signal.aborted) return
        if (!(reason instanceof Fault) && !isAbort(reason)) throw reason
        log.warn('the datastore could not be told what came and went without it; tried again soon', { why: reasonOf(reason) })
        await sleep(clock, backoff(failures++, RETRY, random), signal).catch(() => undefined)
      }
    }
  }

  async #usable(signal: AbortSignal): Promise<void> {
    while (!this.#isUsable()) {
      signal.throwIfAborted()
      if (this.#canSettle()) await beforeAbort(this.#settle(), signal)
      else await beforeAbort(this.#change(), signal)
    }
  }

  #isUsable(): boolean {
    return this.#isAnswering || this.#options.datastore().state === 'stale'
  }

  get #isAnswering(): boolean {
    return this.#isSettled && this.#options.datastore().state === 'in-sync'
  }

  #answering(): StoreBooks {
    if (this.#isAnswering) return this.#inStore
    const { url, since } = this.#options.datastore()
    throw new Fault('datastore.stale', { doing: 'ask', on: url, says: `it has not answered since ${since}` })
  }

  /** What lives here is written only in the name of a node that is known to be this one. */
  #canSettle(): boolean {
    const { datastore, isRegistered, ledger } = this.#options
    if (this.#isSettled && this.#last.conflicts.length === 0) return false
    if (datastore().state !== 'in-sync') return false
    return isRegistered() || !ledger.living.some(({ standing }) => standing === 'owed')
  }

  /** One at a time; whoever comes meanwhile has the outcome of the one under way. */
  #settle(): Promise<void> {
    this.#settling ??= this.#gate
      .alone(async () => {
        const outcome = await settle(this.#options, AbortSignal.timeout(SETTLE_MS))
        this.#tell(outcome)
        this.#last = outcome
        this.#isSettled = this.#options.datastore().state === 'in-sync'
      })
      .finally(() => {
        this.#settling = undefined
      })
      .then(() => this.#options.settled())
    // Whoever asked for it may have left.
    this.#settling.catch(() => undefined)
    return this.#settling
  }

  #tell({ conflicts, mended }: Settled): void {
    const { log } = this.#options
    const known = new Set(this.#last.conflicts.map(({ says }) => says))
    for (const { says } of conflicts) if (!known.has(says)) log.error('conflict with the datastore', { says })
    for (const { says } of mended) log.warn('settled with the datastore otherwise than thought', { says })
    this.#mended = [...mended, ...this.#mended].slice(0, MENDED_KEPT)
  }

  #change(): Promise<void> {
    return new Promise(resolve => this.#waiting.add(resolve))
  }

  /** Resolves at the next change, soon enough for conflicts, or when the signal aborts. */
  async #changeOr(hasConflicts: boolean, signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const waits = [beforeAbort(this.#change(), signal)]
    if (hasConflicts) waits.push(sleep(this.#options.clock, CONFLICTS_AGAIN, AbortSignal.any([signal, ending.signal])))
    await Promise.race(waits).catch(reason => {
      if (!signal.aborted) throw reason
    })
    ending.abort()
  }
}

function isAbort(reason: unknown): boolean {
  return reason instanceof DOMException
}
