/**
 * Peers that must hear the same bytes: one Adj-RIB-Out and one log of encoded changes for all of them. RFC 4271 §3.2, §9.2.
 *
 * What differs between members is told beside the routes: each carries who is left out (its source, and the peer that its next hop names), and when that
 * changes, those who are newly left out get a withdrawal of their own.
 */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { type Instant, type Millis, millis } from '@network/base/time/units.ts'
import type { Attributes } from '../attributes/attributes.ts'
import type { Moment } from '../fsm/connection.ts'
import { grownInt32 } from '../rib/byte-table.ts'
import { PrefixTable } from '../rib/prefix-table.ts'
import type { Changes, Rib } from '../rib/rib.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Identified } from '../wire/nlri.ts'
import type { Outlet } from './advertise.ts'
import { Exclusions } from './audience.ts'
import { Buckets } from './buckets.ts'
import { ChangeLog, type Follower, octetsOf } from './change-log.ts'
import { type Held, HeldPaths, type Naming } from './naming.ts'
import { Pace } from './pace.ts'
import { Packer } from './packer.ts'
import { type Audience, type Load, Loader, type Parcel } from './parcel.ts'
import { takeSaid } from './said.ts'
import { Spans } from './spans.ts'
import { type PathsOf, Ways } from './ways.ts'
import { NOT_TOLD, Wording } from './wording.ts'

/** Members with equal ones share a group. */
export interface GroupTerms {
  readonly outlet: Outlet
  readonly dialect: Dialect
  readonly longestMessage: number
  /** Between announcements; left out: none. RFC 4271 §9.2.1.1. */
  readonly interval?: Millis
  /** Families of which several paths of a prefix are told, each with its id; left out: the best one alone. RFC 7911. */
  readonly paths?: readonly PathsOf[]
}

/** A dump smaller than this is kept for the next one that joins. */
const SMALL_DUMP = 1 << 20

interface Dump {
  readonly parcels: readonly Parcel[]
  readonly octets: number
  /** It tells all that was said before this batch. */
  readonly batch: number
}

export class UpdateGroup {
  readonly terms: GroupTerms
  readonly #rib: Rib
  readonly #exclusions = new Exclusions()
  readonly #audiences: Audience[] = []
  readonly #someOnly = new Map<string, Audience>()
  readonly #packer: Packer
  readonly #buckets = new Buckets()
  readonly #log: ChangeLog
  readonly #pace: Pace
  readonly #spans = new Spans()
  readonly #followers = new Set<Follower>()
  /** Those who fell too far behind, with what they hold from us. */
  readonly #stalled = new Map<Follower, Held>()
  /** Where several paths of a prefix may be told; otherwise what is told of a prefix goes by its number in the RIB. */
  readonly #ways: Ways | undefined
  readonly #names: Naming
  /** By that number: what was told, and who was left out. */
  #told = new Int32Array(32).fill(NOT_TOLD)
  #leftOut = new Int32Array(32)
  readonly #toldBy: number[] = [0]
  #toldCount = 0
  #dump: Dump | undefined
  readonly #wording: Wording

  constructor(terms: GroupTerms, rib: Rib) {
    this.terms = terms
    this.#rib = rib
    this.#ways = terms.paths === undefined ? undefined : new Ways(rib, terms.paths)
    this.#names = this.#ways ?? rib.prefixes
    this.#packer = new Packer(this.#names, terms.longestMessage)
    const { outlet, dialect } = terms
    this.#wording = new Wording(rib, { outlet, dialect, packer: this.#packer, exclusions: this.#exclusions })
    this.#log = new ChangeLog(this.#exclusions)
    this.#pace = new Pace(terms.interval ?? millis(0))
    this.#lookAtAll()
  }

  get size(): number {
    return this.#followers.size
  }

  /** Octets kept for members that have not read them yet. */
  get lagging(): number {
    return this.#log.octets
  }

  /** Sessions with equal names may share a group. */
  static nameOf({ outlet: { policy, ...outlet }, dialect, longestMessage, interval, paths }: GroupTerms): string {
    const plain = (_key: string, value: unknown) => (typeof value === 'bigint' ? value.toString(36) : value)
    return JSON.stringify([outlet, policy?.name, dialect, longestMessage, interval, paths], plain)
  }

  /** A new member is told everything, from the dump that others of its time share. */
  join(slot: number, address: AnyAddress): Follower {
    this.#meet(slot, address)
    const dump = this.#freshEnough()
    const follower: Follower = { slot, batch: dump.batch, parcel: 0, dump: dump.parcels, kept: undefined, again: false }
    this.#followers.add(follower)
    return follower
  }

  /** For a member that came from another group with all this in hand: what is not told here is withdrawn before all else. */
  retract(follower: Follower, held: Held): void {
    this.#stalled.set(follower, held)
  }

  /** What the member holds from us: all that it has read, and nothing that it has not. */
  heldBy(follower: Follower): Held {
    const stalled = this.#stalled.get(follower)
    if (stalled !== undefined) return stalled
    const { dump, kept } = follower
    const held = dump === undefined || kept === 'all' ? this.#heldAt(follower) : (kept ?? this.#nothingHeld())
    if (kept === 'all') return held
    takeSaid(held, this.#log.readBy(follower), this.terms.dialect)
    return held
  }

  /** What a member held that had read all before its batch. */
  #heldAt({ slot, batch }: Follower): Held {
    const held = this.#nothingHeld()
    for (const id of this.toldIds(slot)) if (this.#spans.sinceOf(id) < batch) held.take(this.#names.prefix(id))
    for (const { prefix, since, exclusion } of this.#log.endedFrom(batch))
      if (since < batch && !this.#exclusions.excludes(exclusion, slot)) held.take(prefix)
    return held
  }

  #nothingHeld(): Held {
    return this.#ways === undefined ? new PrefixTable(this.#rib.seed) : new HeldPaths()
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower)
    this.#stalled.delete(follower)
  }

  /** Everything is to be said again: the peer asked for it. */
  resend(follower: Follower): void {
    follower.again = true
  }

  /** What waits for its time is not told yet: End-of-RIB waits too. */
  isCurrent(follower: Follower): boolean {
    return this.#pace.isIdle && !this.#stalled.has(follower) && this.#log.isCurrent(follower)
  }

  /** What the member writes next; no slices: it has been told all. */
  pull(follower: Follower): Load {
    const held = this.#stalled.get(follower)
    if (held !== undefined) return this.#takeUpAgain(follower, held)
    const load = this.#log.pull(follower)
    if (load.slices.length > 0 || !follower.again) return load
    this.#startOver(follower)
    return this.#log.pull(follower)
  }

  /** Paths that the member holds or will hold when it has read all. */
  toldTo(slot: number): number {
    let count = this.#toldCount
    for (const [exclusion, told] of this.#toldBy.entries())
      if (told > 0 && this.#exclusions.excludes(exclusion, slot)) count -= told
    return count
  }

  /** What the member is told under a number; undefined: nothing. */
  tells(slot: number, id: number): Attributes | undefined {
    if ((this.#told[id] ?? NOT_TOLD) < 0 || this.#exclusions.excludes(this.#leftOut[id] ?? 0, slot)) return undefined
    const set = this.#rib.sets.get(this.#setOf(id))
    return set === undefined ? undefined : this.#wording.attributesFor(this.#ways?.idOf(id) ?? id, set)
  }

  /** What a number stands for: a prefix, or one path of it. */
  named(id: number): Identified<AnyPrefix> {
    return this.#names.prefix(id)
  }

  /** Numbers of all that the member is told of. */
  *toldIds(slot: number): Generator<number, void, void> {
    for (let id = 0; id < this.#told.length; id++)
      if ((this.#told[id] ?? NOT_TOLD) >= 0 && !this.#exclusions.excludes(this.#leftOut[id] ?? 0, slot)) yield id
  }

  /** When announcements that wait for their time may go; undefined: none waits. */
  get dueAt(): Instant | undefined {
    return this.#pace.dueAt
  }

  /** Which of the prefixes that changed matter here: those with another best path, or with any other one. */
  concernOf({ ids, count, looked }: Changes): { readonly ids: Int32Array; readonly count: number } {
    return this.#ways === undefined ? { ids, count } : looked
  }

  /** Looks again at these prefixes and logs what changes for the members; without a moment nothing waits. Hot. */
  absorb(ids: Int32Array, count: number, at?: Moment): void {
    this.#makeRoom()
    if (at !== undefined && !this.#pace.isOpen(at.now)) this.#withdraw(ids, count)
    else {
      for (let index = 0; index < count; index++) this.#look(ids[index] ?? 0)
      for (const id of this.#pace.release()) this.#look(id)
      if (at !== undefined && this.#buckets.hasAnnouncements) this.#pace.announced(at)
    }
    this.#append()
    this.#keepInBounds()
  }

  #append(): void {
    const parcels = this.#buckets.pack(this.#packer, out => this.#wording.saying(out))
    this.#log.append(parcels, () => this.#spans.takeEnded())
    this.#ways?.forgetGone()
  }

  /** What is gone is told at once, all else waits. */
  #withdraw(ids: Int32Array, count: number): void {
    for (let index = 0; index < count; index++) {
      const id = ids[index] ?? 0
      if (this.#ways !== undefined) this.#withdrawWays(this.#ways, id)
      else if (this.#isGone(id)) this.#look(id)
      else this.#pace.hold(id)
    }
  }

  #withdrawWays(ways: Ways, id: number): void {
    for (const { row } of ways.gone(id, set => this.#wording.outFor(id, set) >= 0)) this.#compare(row, id, NOT_TOLD)
    if (this.#rib.chosen(id) >= 0) this.#pace.hold(id)
  }

  #isGone(id: number): boolean {
    const set = this.#rib.chosen(id)
    return set < 0 || this.#wording.outFor(id, set) < 0
  }

  /** Looks at everything again: a policy changed. */
  reconsider(): void {
    this.#wording.forgetAll()
    this.#lookAtAll()
  }

  /** The numbers of these attribute sets will be given to others. */
  forget(set: number): void {
    this.#wording.forget(set)
  }

  /** The numbers of these members will be given to others: from here on nothing is kept from them. */
  forgetSlots(gone: ReadonlySet<number>): void {
    const named = this.#exclusions.naming(gone)
    this.#wording.forgetSlots(gone, named)
    for (let id = 0; id < this.#told.length; id++)
      if ((this.#told[id] ?? NOT_TOLD) >= 0 && named.has(this.#leftOut[id] ?? 0))
        this.#compare(id, this.#ways?.idOf(id) ?? id, this.#setOf(id))
    this.#append()
    this.#dump = undefined
  }

  /** Routes whose attributes fit in no message, since the last call: not told, and withdrawn where they were told before. */
  takeOversized(): readonly AnyPrefix[] {
    return this.#wording.takeOversized()
  }

  #lookAtAll(): void {
    const ids = new Int32Array(this.#rib.prefixes.limit)
    for (let id = 0; id < ids.length; id++) ids[id] = id
    this.absorb(ids, ids.length)
  }

  /** Hot: one prefix. */
  #look(id: number): void {
    if (this.#ways === undefined) this.#compare(id, id, this.#rib.chosen(id))
    else this.#lookAtWays(this.#ways, id)
  }

  #lookAtWays(ways: Ways, id: number): void {
    const rows = ways.refresh(id, set => this.#wording.outFor(id, set) >= 0)
    this.#makeRoom()
    for (const { row, set } of rows) this.#compare(row, id, set)
  }

  /** The attribute set of what a number stands for, or -1. */
  #setOf(id: number): number {
    return this.#ways === undefined ? this.#rib.chosen(id) : this.#ways.setOf(id)
  }

  /** What has become of a prefix, or of one path of it, since it was told. */
  #compare(id: number, prefix: number, set: number): void {
    const before = this.#told[id] ?? NOT_TOLD
    const six = this.#rib.prefixes.isSix(prefix)
    const out = set < 0 ? NOT_TOLD : this.#wording.outFor(prefix, set, six)
    if (out < 0) {
      if (before >= 0) this.#tellGone(id, this.#leftOut[id] ?? 0)
      return
    }
    const exclusion = this.#wording.exclusionOf(six, set)
    const exclusionBefore = this.#leftOut[id] ?? 0
    if (out === before && exclusion === exclusionBefore) return
    if (out !== before) this.#buckets.announce(id, six, out, this.#allBut(exclusion))
    this.#told[id] = out
    this.#leftOut[id] = exclusion
    this.#count(exclusion, 1)
    if (before >= 0) this.#count(exclusionBefore, -1)
    if (before >= 0 && exclusion === exclusionBefore) return
    if (before >= 0) this.#spans.end(id, this.#names.prefix(id), exclusionBefore)
    this.#spans.begin(id, this.#log.end)
    if (before < 0) return
    const welcome = this.#exclusions.difference(exclusionBefore, exclusion)
    const parted = this.#exclusions.difference(exclusion, exclusionBefore)
    if (out === before && welcome.length > 0) this.#buckets.announce(id, six, out, this.#only(welcome))
    if (parted.length > 0) this.#buckets.withdraw(id, six, this.#only(parted))
  }

  #tellGone(id: number, exclusion: number): void {
    this.#buckets.withdraw(id, this.#names.isSix(id), this.#allBut(exclusion))
    this.#told[id] = NOT_TOLD
    this.#count(exclusion, -1)
    this.#spans.end(id, this.#names.prefix(id), exclusion)
  }

  #count(exclusion: number, change: number): void {
    this.#toldCount += change
    this.#toldBy[exclusion] = (this.#toldBy[exclusion] ?? 0) + change
  }

  #allBut(exclusion: number): Audience {
    const known = this.#audiences[exclusion]
    if (known !== undefined) return known
    const fresh: Audience = { is: 'but', exclusion }
    this.#audiences[exclusion] = fresh
    return fresh
  }

  #only(slots: readonly number[]): Audience {
    const name = slots.join()
    const known = this.#someOnly.get(name)
    if (known !== undefined) return known
    const fresh: Audience = { is: 'only', slots }
    this.#someOnly.set(name, fresh)
    return fresh
  }

  /** Routes told before it came may point at a member that joins for the first time. */
  #meet(slot: number, address: AnyAddress): void {
    if (this.#wording.meet(slot, address)) this.reconsider()
  }

  #freshEnough(): Dump {
    const kept = this.#dump
    if (kept !== undefined && this.#log.octetsSince(kept.batch) <= kept.octets + SMALL_DUMP) return kept
    return this.#freshDump()
  }

  #freshDump(): Dump {
    if (this.#dump?.batch === this.#log.end) return this.#dump
    this.#makeRoom()
    for (let id = 0; id < this.#names.limit; id++) {
      const out = this.#told[id] ?? NOT_TOLD
      if (out >= 0) this.#buckets.announce(id, this.#names.isSix(id), out, this.#allBut(this.#leftOut[id] ?? 0))
    }
    const parcels = this.#buckets.pack(this.#packer, out => this.#wording.saying(out))
    this.#dump = { parcels, octets: octetsOf(parcels), batch: this.#log.end }
    return this.#dump
  }

  #startOver(follower: Follower): void {
    const dump = this.#freshDump()
    follower.again = false
    follower.dump = dump.parcels
    follower.kept = 'all'
    follower.parcel = 0
    follower.batch = dump.batch
  }

  #keepInBounds(): void {
    if (this.#log.isTooLong) {
      for (const follower of this.#followers) if (this.#lags(follower)) this.#letGo(follower)
      this.#dump = undefined
    }
    this.#dropDump()
    let needed = this.#dump?.batch ?? this.#log.end
    for (const follower of this.#followers) if (follower.batch < needed && !this.#stalled.has(follower)) needed = follower.batch
    this.#log.trim(needed)
    this.#spans.age(needed)
    if (this.#wording.isFull) this.#wording.sweep(this.#told, id => this.#setOf(id))
  }

  #dropDump(): void {
    const dump = this.#dump
    if (dump === undefined) return
    const isRead = dump.octets > SMALL_DUMP && [...this.#followers].some(follower => follower.dump === dump.parcels)
    const isOld = this.#log.octetsSince(dump.batch) > dump.octets + SMALL_DUMP
    if (isOld || (dump.octets > SMALL_DUMP && !isRead)) this.#dump = undefined
  }

  /** It has not read even the older half of a log that is too long. */
  #lags(follower: Follower): boolean {
    return !this.#stalled.has(follower) && this.#log.octetsSince(follower.batch) * 2 > this.#log.octets
  }

  /** From here on the member costs no more than the names of what it holds. */
  #letGo(follower: Follower): void {
    const held = this.heldBy(follower)
    follower.dump = undefined
    follower.kept = undefined
    this.#stalled.set(follower, held)
  }

  /** It reads again: what it holds and should not is withdrawn, and then it is told everything. */
  #takeUpAgain(follower: Follower, held: Held): Load {
    this.#stalled.delete(follower)
    this.#startOver(follower)
    const kept = this.#nothingHeld()
    follower.kept = kept
    const gone = new Buckets()
    gone.makeRoom(held.limit)
    const audience = this.#only([follower.slot])
    for (let each = 0; each < held.limit; each++) {
      if (held.isFree(each)) continue
      const prefix = held.prefix(each)
      const id = this.#names.find(prefix)
      const isTold = (this.#told[id] ?? NOT_TOLD) >= 0 && !this.#exclusions.excludes(this.#leftOut[id] ?? 0, follower.slot)
      if (isTold) kept.take(prefix)
      else gone.withdraw(each, held.isSix(each), audience)
    }
    const parcels = gone.pack(new Packer(held, this.terms.longestMessage), out => this.#wording.saying(out))
    if (parcels.length === 0) return this.#log.pull(follower)
    const loader = new Loader()
    for (const parcel of parcels) loader.add(parcel)
    return loader.finish()
  }

  #makeRoom(): void {
    const { limit } = this.#names
    this.#buckets.makeRoom(limit)
    this.#spans.makeRoom(limit)
    if (limit > this.#told.length) {
      const length = Math.max(limit, this.#told.length * 2)
      this.#told = grownInt32(this.#told, length, NOT_TOLD)
      this.#leftOut = grownInt32(this.#leftOut, length)
    }
    this.#wording.makeRoom(this.#rib.sets.limit)
  }
}
