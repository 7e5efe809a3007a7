/** Keeps the kernel as wanted: tables in order of dependence, passes on every doubt, answers who waits for a key. */

import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Cancel, Clock, Random } from '@network/base/time/clock.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { AddressIntent, Intents, LinkIntent, RouteIntent, SysctlIntent, VtepIntent } from '@network/model/intent.ts'
import type { TableStatus } from '@network/model/status.ts'
import { type KeyState, Reconciler, type Reconciliation, type Repair } from './reconciler.ts'
import type { Table } from './table.ts'

/** In order of dependence: an address needs its link, a route both, and into VXLAN its far end. */
export interface Tables<L, S, A, V, R> {
  readonly links: Table<LinkIntent, L>
  readonly sysctls: Table<SysctlIntent, S>
  readonly addresses: Table<AddressIntent, A>
  readonly vteps: Table<VtepIntent, V>
  readonly routes: Table<RouteIntent, R>
}

export type TableName = 'links' | 'sysctls' | 'addresses' | 'vteps' | 'routes'

export interface KernelOptions<L, S, A, V, R> {
  readonly tables: Tables<L, S, A, V, R>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Hears how long each pass took. */
  readonly took?: (duration: Millis) => void
}

export interface RecordedRepair extends Repair {
  /** RFC 3339. */
  readonly at: string
}

const REPAIRS_KEPT = 20
/** The kernel does not tell of changes to route_localnet and proxy_delay: look. */
const AUDIT = millis(30_000)
/** Writing changes what is seen: so many rounds of apply and read back in one pass, then the retry timers take over. */
const ROUNDS = 3
/** Between two passes that only the kernel's news ask for: a flapping table must not keep us busy. */
const PACE = millis(20)
const UNREADABLE = millis(1000)

interface Waiter {
  readonly table: TableName
  readonly key: string
  readonly until: 'installed' | 'absent'
  readonly done: (conflict?: Fault) => void
}

export class Kernel<L, S, A, V, R> {
  readonly #links: Reconciler<LinkIntent, L>
  readonly #sysctls: Reconciler<SysctlIntent, S>
  readonly #addresses: Reconciler<AddressIntent, A>
  readonly #vteps: Reconciler<VtepIntent, V>
  readonly #routes: Reconciler<RouteIntent, R>
  readonly #clock: Clock
  readonly #log: Log
  readonly #took: (duration: Millis) => void
  readonly #waiters = new Set<Waiter>()
  readonly #repairs: RecordedRepair[] = []
  readonly #repaired = new Map<TableName, number>()
  #repairCount = 0
  #desired = false
  #mayRemove = false
  #scheduled: { readonly at: Instant; readonly cancel: Cancel } | undefined
  #passed: Instant
  #timer: Cancel | undefined
  #nextAudit: Instant
  #stopped = false
  #lastTrouble: ReadonlySet<string> = new Set()

  constructor({ tables, clock, random, log, took = () => undefined }: KernelOptions<L, S, A, V, R>) {
    const chance = { clock, random }
    this.#links = new Reconciler(tables.links, chance)
    this.#sysctls = new Reconciler(tables.sysctls, chance)
    this.#addresses = new Reconciler(tables.addresses, chance)
    this.#vteps = new Reconciler(tables.vteps, chance)
    this.#routes = new Reconciler(tables.routes, chance)
    this.#clock = clock
    this.#log = log
    this.#took = took
    this.#passed = clock.now()
    this.#nextAudit = after(clock.now(), AUDIT)
  }

  /** Says what should be true from here on, whole. */
  desire(intents: Intents): void {
    this.#desired = true
    this.#links.desireAll(intents.links)
    this.#sysctls.desireAll(intents.sysctls)
    this.#addresses.desireAll(intents.addresses)
    this.#vteps.desireAll(intents.vteps)
    this.#routes.desireAll(intents.routes)
    this.wake()
  }

  /** The desired side is complete: what carries our mark and is wanted by nobody may go. */
  desiredIsComplete(): void {
    if (this.#mayRemove) return
    this.#mayRemove = true
    this.wake()
  }

  /** Somebody wants or waits for something: a pass at once, one for many calls. */
  wake(): void {
    this.#passAt(this.#clock.now())
  }

  /** The kernel tells of a change, maybe one of many: a pass soon. */
  changed(): void {
    this.#passAt(after(this.#passed, PACE))
  }

  /** Something that may have been in the way has changed. */
  retrySoon(): void {
    for (const [, table] of this.#all) table.retrySoon()
  }

  /** Resolves once the key is in the kernel as wanted (`installed`), or is there no more (`absent`); rejects when a stranger holds it. */
  reached(table: TableName, key: string, until: 'installed' | 'absent', signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const abandon = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        table,
        key,
        until,
        done: conflict => {
          signal.removeEventListener('abort', abandon)
          if (conflict === undefined) resolve()
          else reject(conflict)
        },
      }
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiters.add(waiter)
      this.wake()
    })
  }

  stateOf(table: TableName, key: string): KeyState {
    return this.#table(table).stateOf(key)
  }

  /** Nothing that is wanted is missing, and nothing of ours is left over. */
  get converged(): boolean {
    return this.#all.every(([, table]) => table.unsettled.length === 0 && (!this.#mayRemove || table.stale.length === 0))
  }

  /** What is wanted against what is there, as of the last pass. */
  get tables(): readonly TableStatus[] {
    return this.#all.map(([name, table]) => ({
      name,
      wanted: table.wanted,
      actual: table.wanted - table.unsettled.length,
      stale: table.stale.length,
      repairs: this.#repaired.get(name) ?? 0,
    }))
  }

  get repairs(): { readonly count: number; readonly last: readonly RecordedRepair[] } {
    return { count: this.#repairCount, last: this.#repairs }
  }

  /** What is wanted and cannot be had, one sentence each. */
  get problems(): string[] {
    return this.#all.flatMap(([name, table]) =>
      table.unsettled.flatMap(key => {
        const state = table.stateOf(key)
        if (state.is === 'installed' || (state.is === 'pending' && state.says === undefined)) return []
        return [`${name} ${key}: ${state.is === 'conflict' ? `not ours to change, held by ${state.says}` : state.says}`]
      }),
    )
  }

  stop(): void {
    this.#stopped = true
    this.#scheduled?.cancel()
    this.#timer?.()
  }

  get #all(): readonly (readonly [TableName, Reconciliation])[] {
    return [
      ['links', this.#links],
      ['sysctls', this.#sysctls],
      ['addresses', this.#addresses],
      ['vteps', this.#vteps],
      ['routes', this.#routes],
    ]
  }

  #table(name: TableName): Reconciliation {
    switch (name) {
      case 'links':
        return this.#links
      case 'sysctls':
        return this.#sysctls
      case 'addresses':
        return this.#addresses
      case 'vteps':
        return this.#vteps
      case 'routes':
        return this.#routes
      default:
        return name satisfies never
    }
  }

  #passAt(at: Instant): void {
    if (this.#stopped || (this.#scheduled !== undefined && this.#scheduled.at <= at)) return
    this.#scheduled?.cancel()
    const pass = () => {
      this.#scheduled = undefined
      this.#tryPass()
    }
    this.#scheduled = { at, cancel: at > this.#clock.now() ? this.#clock.wakeAt(at, pass) : afterThisTurn(pass) }
  }

  /** A kernel that does not answer, or not whole, is asked again; anything else thrown is a bug, and ends the process. */
  #tryPass(): void {
    const began = this.#clock.now()
    try {
      this.#pass()
      this.#took(between(began, this.#clock.now()))
    } catch (reason) {
      if (!(reason instanceof Fault)) throw reason
      this.#log.warn('the kernel could not be read; tried again soon', { why: reason.message })
      this.#passAt(after(this.#clock.now(), UNREADABLE))
    } finally {
      this.#passed = this.#clock.now()
    }
  }

  #pass(): void {
    if (!this.#desired) return
    let changed = true
    for (let round = 0; changed && round < ROUNDS; round++) {
      for (const [name, table] of this.#all) this.#record(name, table.observe())
      changed = this.#round()
    }
    for (const [, table] of this.#all) table.settle()
    this.#answer()
    this.#tell()
    if (changed) this.wake()
    this.#setTimer()
  }

  /** Upserts go forward through the tables, removals back. True when all must be looked at again. */
  #round(): boolean {
    let again = false
    for (const [name, table] of this.#all) {
      if (!table.upsert()) continue
      // Somebody may have been at it between the two looks.
      this.#record(name, table.observe())
      // Nothing depends on routes, and a list of them is long: when they are as wanted, one is enough.
      again ||= table !== this.#routes || table.unsettled.length > 0
    }
    if (this.#mayRemove) for (const [, table] of this.#all.toReversed()) again = table.remove() || again
    return again
  }

  #record(name: TableName, repairs: readonly Repair[]): void {
    if (repairs.length > 0) this.#repaired.set(name, (this.#repaired.get(name) ?? 0) + repairs.length)
    for (const repair of repairs) {
      this.#repairCount++
      this.#repairs.unshift({ ...repair, at: this.#clock.wall().toISOString() })
      this.#repairs.length = Math.min(this.#repairs.length, REPAIRS_KEPT)
      this.#log.warn('repairing', { object: repair.object, found: repair.found })
    }
  }

  #answer(): void {
    for (const waiter of this.#waiters) {
      const table = this.#table(waiter.table)
      const reached = waiter.until === 'absent' ? !table.isPresent(waiter.key) : table.isInstalled(waiter.key)
      const conflict = waiter.until === 'installed' ? this.#conflictAt(waiter.table, waiter.key) : undefined
      if (!reached && conflict === undefined) continue
      this.#waiters.delete(waiter)
      waiter.done(conflict)
    }
  }

  #conflictAt(name: TableName, key: string): Fault | undefined {
    const state = this.#table(name).stateOf(key)
    if (state.is !== 'conflict') return undefined
    return new Fault('kernel.conflict', {
      doing: 'write to the kernel',
      on: `${name} ${key}`,
      says: `somebody else holds it: ${state.says}`,
      mend: 'remove that row if it is a leftover',
    })
  }

  /** One line when a key begins or ceases to be in trouble. */
  #tell(): void {
    const trouble = new Set(this.problems)
    for (const problem of trouble) if (!this.#lastTrouble.has(problem)) this.#log.warn('not as wanted', { problem })
    for (const problem of this.#lastTrouble) if (!trouble.has(problem)) this.#log.info('no longer in trouble', { problem })
    this.#lastTrouble = trouble
  }

  #setTimer(): void {
    this.#timer?.()
    const now = this.#clock.now()
    if (this.#nextAudit <= now) this.#nextAudit = after(now, AUDIT)
    const next = this.#all.reduce(
      (soonest, [, { nextRetry }]) => (nextRetry !== undefined && nextRetry < soonest ? nextRetry : soonest),
      this.#nextAudit,
    )
    this.#timer = this.#clock.wakeAt(next, () => this.wake())
  }
}

/** Whoever calls many times in one turn of the event loop is served once. */
function afterThisTurn(work: () => void): Cancel {
  const handle = setImmediate(work)
  return () => clearImmediate(handle)
}
