/** Adj-RIB-In of every peer, our own routes, and the Loc-RIB chosen from them, in flat tables. RFC 4271 §3.2, §9.1. */
import { type AnyPrefix, formatAnyPrefix, parseAnyPrefix } from '@network/base/net/any-prefix.ts'
import { type Attributes, LLGR_STALE, NO_LLGR } from '../attributes/attributes.ts'
import { IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import type { Identified } from '../wire/nlri.ts'
import { type AttributeSet, AttributeSets } from './attribute-set.ts'
import { grownInt32, grownUint8 } from './byte-table.ts'
import { type Candidate, type Comparator, type ComparatorName, comparatorsFor, decide, equallyGood } from './decide.ts'
import type { DecisionOptions } from './decision-options.ts'
import { NextHops, type ResolveNextHop } from './next-hops.ts'
import { type Path, type Self, type Source, type Standing, USABLE } from './path.ts'
import { NONE, PathTable } from './path-table.ts'
import { eachIdentified4, eachPrefix4, PrefixTable } from './prefix-table.ts'

export type Admitted =
  /** With other attributes, if the policy says so. */
  { readonly is: 'usable'; readonly attributes?: Attributes } | { readonly is: 'refused'; readonly why: string }

/** Says whether a route of one source may be used, and as what; asked again for every route when it changes. Must be pure. */
export type Admission = (prefix: AnyPrefix, attributes: Attributes) => Admitted

export interface Selection {
  readonly best: Path | undefined
  readonly losers: readonly Loser[]
}

export interface Loser {
  readonly path: Path
  readonly lostBy: ComparatorName
}

/** Prefixes whose best path is another one than before; valid until the next `decide`. */
export interface Changes {
  readonly count: number
  readonly ids: Int32Array
  /** Attribute sets of the best path before and after; -1: there was none, there is none. */
  readonly before: Int32Array
  readonly after: Int32Array
  /** Prefixes of which some path that may be used is another one than before, the best or not. */
  readonly looked: { readonly count: number; readonly ids: Int32Array }
}

/** A path that may be used. */
export interface Way {
  /** Stands for the path until it goes. */
  readonly path: number
  readonly set: number
  /** Under which it is told: never 0, the same as long as the path lives. */
  readonly pathId: number
}

/** A path while it is weighed by people. */
type Weighed = Candidate & { readonly path: Path }

/** Routes of one family, or of both. */
export type Which = 'all' | 'ipv4' | 'ipv6'

export interface SourceCounts {
  readonly received: number
  /** Those of IPv6 among the received. */
  readonly six: number
  readonly accepted: number
  readonly stale: number
}

interface Tally {
  received: number
  six: number
  accepted: number
  stale: number
  /** Paths of one prefix. */
  most: number
}

const NO_COUNTS: SourceCounts = { received: 0, six: 0, accepted: 0, stale: 0 }

export class Rib {
  readonly prefixes: PrefixTable
  /** Of all tables that hold what peers say. */
  readonly seed: number
  readonly sets: AttributeSets
  readonly #decision: DecisionOptions
  readonly #comparators: readonly Comparator[]
  /** Enough as long as no route is kept over a long absence: one question less for each choice. */
  readonly #comparatorsOfFresh: readonly Comparator[]
  readonly #paths = new PathTable()
  readonly #slots = new Map<string, number>()
  readonly #freeSlots: number[] = []
  readonly #tallies: Tally[] = []
  readonly #refusals = new Map<number, string>()
  readonly #nextHops: NextHops | undefined
  /** Paths whose next hop, after the policy, cannot be reached. */
  readonly #unreachable = new Set<number>()
  readonly #admissions: (Admission | undefined)[] = []
  /** By number of prefix: the first path, the set of the best one, and whether it waits to be looked at. */
  #first = new Int32Array(32).fill(NONE)
  #chosen = new Int32Array(32).fill(NONE)
  #isDirty = new Uint8Array(32)
  #dirty = new Int32Array(32)
  #dirtyCount = 0
  #looked = new Int32Array(32)
  #lookedCount = 0
  #before = new Int32Array(32)
  #after = new Int32Array(32)
  #changed = new Int32Array(32)
  #chosenCount = 0

  /** Without a resolver every next hop that can be one is as near as any other. The seed is a secret from peers. */
  constructor(self: Self, decision: DecisionOptions = {}, resolve?: ResolveNextHop, seed = 0) {
    this.seed = seed
    this.prefixes = new PrefixTable(seed)
    this.#nextHops = resolve === undefined ? undefined : new NextHops(resolve)
    this.sets = new AttributeSets(self, seed)
    this.#decision = decision
    this.#comparators = comparatorsFor(decision)
    this.#comparatorsOfFresh = this.#comparators.filter(({ name }) => name !== 'long-lived-stale')
  }

  /** The small number of a source, the same in every session with it until it is released. */
  slotOf(sourceId: string): number {
    const known = this.#slots.get(sourceId)
    if (known !== undefined) return known
    const slot = this.#freeSlots.pop() ?? this.#tallies.length
    this.#slots.set(sourceId, slot)
    this.#tallies[slot] = { ...NO_COUNTS, most: 0 }
    return slot
  }

  /** The number of a source that has one and tells nothing; undefined: it may not be taken away. */
  idleSlotOf(sourceId: string): number | undefined {
    const slot = this.#slots.get(sourceId)
    return slot !== undefined && this.#paths.firstOf(slot) === NONE ? slot : undefined
  }

  /** The number of an idle source may be given to another. Whoever names sources by number has forgotten it. */
  release(sourceId: string): void {
    const slot = this.idleSlotOf(sourceId)
    if (slot === undefined) return
    this.#slots.delete(sourceId)
    this.#admissions[slot] = undefined
    this.#freeSlots.push(slot)
  }

  get isDirty(): boolean {
    return this.#dirtyCount > 0
  }

  /** Prefixes that have a best path. */
  get size(): number {
    return this.#chosenCount
  }

  announce(source: Source, prefixes: readonly Identified<AnyPrefix>[], attributes: Attributes): void {
    const slot = this.slotOf(source.id)
    const set = this.sets.of(source, attributes)
    for (const prefix of prefixes) this.#put(this.prefixes.take(prefix), slot, set, prefix.pathId ?? 0)
  }

  /** The same for a field of IPv4 prefixes as it came from the wire; false: it is malformed, and nothing has happened. Hot. */
  announceField(source: Source, set: AttributeSet, field: Uint8Array, withIds = false): boolean {
    const slot = this.slotOf(source.id)
    const { prefixes } = this
    if (!withIds) return eachPrefix4(field, 0, field.length, (at, length) => this.#put(prefixes.take4(at, length), slot, set, 0))
    return eachIdentified4(field, 0, field.length, (at, length, pathId) =>
      this.#put(prefixes.take4(at, length), slot, set, pathId),
    )
  }

  withdraw(sourceId: string, prefixes: readonly Identified<AnyPrefix>[]): void {
    for (const prefix of prefixes) this.#removeOf(sourceId, this.prefixes.find(prefix), prefix.pathId ?? 0)
  }

  withdrawField(sourceId: string, field: Uint8Array, withIds = false): boolean {
    const { prefixes } = this
    if (!withIds)
      return eachPrefix4(field, 0, field.length, (at, length) => this.#removeOf(sourceId, prefixes.find4(at, length), 0))
    return eachIdentified4(field, 0, field.length, (at, length, pathId) =>
      this.#removeOf(sourceId, prefixes.find4(at, length), pathId),
    )
  }

  /** The peer is away, or tells all again: what it told stays, marked. */
  markStale(sourceId: string, which: Which = 'all'): void {
    const tally = this.#tallies[this.#slots.get(sourceId) ?? NONE]
    if (tally !== undefined) tally.most = 0
    this.#mark(sourceId, which, true)
  }

  /** What was marked counts as told again. */
  unmarkStale(sourceId: string, which: Which = 'all'): void {
    this.#mark(sourceId, which, false)
  }

  #mark(sourceId: string, which: Which, stale: boolean): void {
    const slot = this.#slots.get(sourceId) ?? NONE
    for (let path = this.#paths.firstOf(slot); path !== NONE; path = this.#paths.nextOfSlot(path))
      if (this.#isOf(path, which)) this.#setStale(path, slot, stale)
  }

  /** What the peer did not repeat becomes the last resort, and goes where it asks for that. RFC 9494 §4.2. The number of routes that went. */
  keepLong(sourceId: string, which: Which = 'all'): number {
    const isMeant = (path: number) => this.#paths.isStale(path) && this.#isOf(path, which)
    const gone = this.#removeWhere(sourceId, path => isMeant(path) && this.#says(path, NO_LLGR))
    const becomes = new Map<number, AttributeSet>()
    const slot = this.#slots.get(sourceId) ?? NONE
    for (let path = this.#paths.firstOf(slot); path !== NONE; path = this.#paths.nextOfSlot(path)) {
      const heard = this.sets.get(this.#paths.heardOf(path))
      if (heard === undefined || heard.isLongStale || !isMeant(path)) continue
      const set = becomes.get(heard.id) ?? this.sets.of(heard.source, longStale(heard.attributes))
      becomes.set(heard.id, set)
      this.#judge(path, set)
    }
    return gone
  }

  #says(path: number, community: number): boolean {
    return this.sets.get(this.#paths.heardOf(path))?.attributes.communities.includes(community) ?? false
  }

  /** Drops what the peer did not repeat; the number of routes dropped. */
  sweepStale(sourceId: string, which: Which = 'all'): number {
    return this.#removeWhere(sourceId, path => this.#paths.isStale(path) && this.#isOf(path, which))
  }

  drop(sourceId: string, which: Which = 'all'): number {
    const tally = this.#tallies[this.#slots.get(sourceId) ?? NONE]
    if (tally !== undefined) tally.most = 0
    return this.#removeWhere(sourceId, path => this.#isOf(path, which))
  }

  /** Makes the routes of a source exactly these. */
  replace(source: Source, routes: Iterable<{ readonly prefix: AnyPrefix; readonly attributes: Attributes }>): void {
    const wanted = [...routes]
    const kept = new Set(wanted.map(({ prefix }) => this.prefixes.find(prefix)))
    this.#removeWhere(source.id, path => !kept.has(this.#paths.prefixOf(path)))
    for (const { prefix, attributes } of wanted) this.announce(source, [prefix], attributes)
  }

  /** Judges all routes of a source again; without an admission every sound one may be used. */
  setAdmission(sourceId: string, admission: Admission | undefined): void {
    const slot = this.slotOf(sourceId)
    if (admission === undefined && this.#admissions[slot] === undefined) return
    this.#admissions[slot] = admission
    for (let path = this.#paths.firstOf(slot); path !== NONE; path = this.#paths.nextOfSlot(path))
      this.#judge(path, this.sets.get(this.#paths.heardOf(path)))
  }

  /** Next hops came, went, or are nearer or farther than before: asks for all of them again. */
  resolveAgain(): void {
    const nextHops = this.#nextHops
    if (nextHops === undefined) return
    const moved = new Uint8Array(this.sets.limit)
    for (let id = 0; id < moved.length; id++) {
      const set = this.sets.get(id)
      if (set !== undefined && nextHops.measure(set)) moved[id] = 1
    }
    for (let path = 0; path < this.#paths.limit; path++) {
      if (!this.#paths.isTaken(path)) continue
      const isMoved = moved[this.#paths.heardOf(path)] === 1 || moved[this.#paths.usedOf(path)] === 1
      if (!isMoved && !this.#unreachable.has(path)) continue
      this.#judge(path, this.sets.get(this.#paths.heardOf(path)))
      this.#touch(this.#paths.prefixOf(path))
    }
  }

  /** Chooses again wherever something changed, in one pass: a lost best path gives way to the next one without a gap. Hot. */
  decide(): Changes {
    const looked = this.#dirty
    const count = this.#dirtyCount
    this.#dirty = this.#looked
    this.#dirtyCount = 0
    this.#looked = looked
    this.#lookedCount = count
    this.#makeRoomForChanges(count)
    let changes = 0
    for (let at = 0; at < count; at++) {
      const id = looked[at] ?? 0
      this.#isDirty[id] = 0
      const before = this.#chosen[id] ?? NONE
      const after = this.#choose(id)
      if (before === after) continue
      this.#chosen[id] = after
      if (before === NONE) this.#chosenCount++
      if (after === NONE) this.#chosenCount--
      if (this.#areAlike(before, after)) continue
      this.#changed[changes] = id
      this.#before[changes] = before
      this.#after[changes++] = after
    }
    const ids = this.#changed
    return { count: changes, ids, before: this.#before, after: this.#after, looked: { count, ids: looked } }
  }

  /** Once everybody has heard of the changes: gives back the numbers of prefixes and attribute sets that nobody uses. */
  tidy(forgotten: (set: number) => void): void {
    for (let at = 0; at < this.#lookedCount; at++) {
      const id = this.#looked[at] ?? 0
      const isIdle = this.#first[id] === NONE && this.#chosen[id] === NONE && this.#isDirty[id] === 0
      if (isIdle && !this.prefixes.isFree(id)) this.prefixes.free(id)
    }
    this.#lookedCount = 0
    if (this.sets.isFull) this.#sweepSets(forgotten)
  }

  /** The attribute set of the best path, or -1. Hot. */
  chosen(id: number): number {
    return this.#chosen[id] ?? NONE
  }

  best(key: string): Path | undefined {
    const id = this.#find(key)
    return id === NONE ? undefined : this.bestOf(id)
  }

  bestOf(id: number): Path | undefined {
    const chosen = this.chosen(id)
    if (chosen === NONE) return undefined
    let best = NONE
    for (let path = this.#first[id] ?? NONE; path !== NONE; path = this.#paths.nextOf(path)) {
      if (this.#paths.usedOf(path) !== chosen) continue
      if (best === NONE || this.#paths.pathIdOf(path) < this.#paths.pathIdOf(best)) best = path
    }
    return best === NONE ? undefined : this.#view(best)
  }

  /** Numbers of the prefixes that have a best path. */
  *chosenIds(): Generator<number, void, void> {
    for (let id = 0; id < this.prefixes.limit; id++) if (this.#chosen[id] !== NONE) yield id
  }

  /** IPv4 prefixes whose best path a peer told; without making a route of each. */
  learnedCount(): number {
    let count = 0
    for (const id of this.chosenIds())
      if (!this.prefixes.isSix(id) && this.sets.get(this.chosen(id))?.source.kind !== 'local') count++
    return count
  }

  selection(key: string): Selection {
    const losers: Loser[] = []
    const best = decide(this.#weighed(key), this.#comparators, ({ path }, lostBy) => losers.push({ path, lostBy }))
    return { best: best?.path, losers }
  }

  /** The paths that packets may take, the best one first; one, unless multipath is switched on. */
  multipath(key: string): readonly Path[] {
    return equallyGood(this.#weighed(key), this.#comparators, this.#decision).map(({ path }) => path)
  }

  /** The paths of a prefix that may be used and of which somebody wants to hear: the best ones, in order, at most so many. */
  waysOf(id: number, most: number, isWanted: (set: number) => boolean): readonly Way[] {
    const paths = [...this.#pathsAt(id)].filter(path => this.#isWanted(this.#paths.usedOf(path), isWanted))
    const kept = paths.length > most ? this.#bestOf(paths, most) : paths
    const first = this.#first[id] ?? NONE
    return kept.map(path => ({ path, set: this.#paths.usedOf(path), pathId: this.#paths.nameOf(path, first) }))
  }

  #isWanted(set: number, isWanted: (set: number) => boolean): boolean {
    return set !== NONE && isWanted(set)
  }

  #bestOf(paths: readonly number[], most: number): readonly number[] {
    const left = this.#inOrderOfIds(paths)
    const best: number[] = []
    while (best.length < most && left.length > 0) {
      const sets = this.#setsOf(left)
      const next = decide(sets, this.#comparators)
      best.push(...left.splice(next === undefined ? 0 : sets.indexOf(next), 1))
    }
    return best
  }

  /** What a path that is told under this name is used as; -1: it is gone, or may not be used. */
  usedAs(path: number, name: number): number {
    return this.#paths.isNamed(path, name) ? this.#paths.usedOf(path) : NONE
  }

  #weighed(key: string): readonly Weighed[] {
    return [...this.#pathsAt(this.#find(key))].flatMap(path => {
      const set = this.sets.get(this.#paths.usedOf(path))
      return set === undefined ? [] : [weighed(set, this.#view(path), this.#paths.pathIdOf(path))]
    })
  }

  /** Every path of a prefix, used or not. */
  paths(key: string): readonly Path[] {
    return [...this.#pathsAt(this.#find(key))].map(path => this.#view(path)).toReversed()
  }

  /** What a peer told, before any policy. */
  *heardFrom(sourceId: string): Generator<Path, void, void> {
    const slot = this.#slots.get(sourceId) ?? NONE
    for (let path = this.#paths.firstOf(slot); path !== NONE; path = this.#paths.nextOfSlot(path)) {
      const heard = this.sets.get(this.#paths.heardOf(path))
      if (heard !== undefined) yield { ...this.#view(path), attributes: heard.attributes }
    }
  }

  counts(sourceId: string): SourceCounts {
    const tally = this.#tallies[this.#slots.get(sourceId) ?? NONE]
    if (tally === undefined) return NO_COUNTS
    const { received, six, accepted, stale } = tally
    return { received, six, accepted, stale }
  }

  /** The most paths that a source told of one prefix since its session began. */
  mostPathsOf(sourceId: string): number {
    return this.#tallies[this.#slots.get(sourceId) ?? NONE]?.most ?? 0
  }

  /** Hot: once a prefix announced. */
  #put(id: number, slot: number, set: AttributeSet, pathId: number): void {
    if (id >= this.#first.length) this.#growPrefixes(id)
    const tally = this.#tallies[slot]
    if (tally === undefined) return
    let path = this.#pathOf(id, slot, pathId)
    if (path === NONE) {
      path = this.#paths.add(id, slot, this.#first[id] ?? NONE, pathId)
      this.#first[id] = path
      this.#paths.say(path, NONE, NONE)
      tally.received++
      if (this.prefixes.isSix(id)) tally.six++
      if (pathId !== 0) tally.most = Math.max(tally.most, this.#countOf(id, slot))
    } else {
      this.#setStale(path, slot, false)
      if (this.#paths.heardOf(path) === set.id) return
    }
    this.#judge(path, set)
  }

  /** Whether a path may be used, and as what: the protocol first, then the policy. */
  #judge(path: number, set: AttributeSet | undefined): void {
    const tally = this.#tallies[this.#paths.slotOf(path)]
    if (set === undefined || tally === undefined) return
    const before = this.#paths.usedOf(path)
    if (this.#refusals.size > 0) this.#refusals.delete(path)
    if (this.#unreachable.size > 0) this.#unreachable.delete(path)
    const admitted = set.flaw === undefined ? this.#admit(path, set) : NONE
    const used = admitted === NONE || this.#nextHops === undefined ? admitted : this.#reached(path, admitted, this.#nextHops)
    if (before !== NONE) tally.accepted--
    if (used !== NONE) tally.accepted++
    this.#paths.say(path, set.id, used)
    if (before !== used) this.#touch(this.#paths.prefixOf(path))
  }

  #admit(path: number, set: AttributeSet): number {
    const admission = this.#admissions[this.#paths.slotOf(path)]
    if (admission === undefined) return set.id
    const admitted = admission(this.prefixes.prefix(this.#paths.prefixOf(path)), set.attributes)
    if (admitted.is === 'refused') {
      this.#refusals.set(path, admitted.why)
      return NONE
    }
    const { attributes } = admitted
    return attributes === undefined || attributes === set.attributes ? set.id : this.sets.of(set.source, attributes).id
  }

  #reached(path: number, admitted: number, nextHops: NextHops): number {
    const set = this.sets.get(admitted)
    if (set === undefined) return NONE
    nextHops.measure(set)
    if (Number.isFinite(set.distance)) return admitted
    this.#unreachable.add(path)
    return NONE
  }

  #removeOf(sourceId: string, id: number, pathId: number): void {
    if (id === NONE) return
    const path = this.#pathOf(id, this.#slots.get(sourceId) ?? NONE, pathId)
    if (path !== NONE) this.#remove(path)
  }

  #remove(path: number): void {
    const id = this.#paths.prefixOf(path)
    const slot = this.#paths.slotOf(path)
    const tally = this.#tallies[slot]
    this.#setStale(path, slot, false)
    if (tally !== undefined) tally.received--
    if (tally !== undefined && this.prefixes.isSix(id)) tally.six--
    if (tally !== undefined && this.#paths.usedOf(path) !== NONE) tally.accepted--
    if (this.#refusals.size > 0) this.#refusals.delete(path)
    if (this.#unreachable.size > 0) this.#unreachable.delete(path)
    this.#first[id] = this.#paths.remove(path, this.#first[id] ?? NONE)
    this.#touch(id)
  }

  #removeWhere(sourceId: string, isDoomed: (path: number) => boolean): number {
    let count = 0
    let path = this.#paths.firstOf(this.#slots.get(sourceId) ?? NONE)
    while (path !== NONE) {
      const next = this.#paths.nextOfSlot(path)
      if (isDoomed(path)) {
        this.#remove(path)
        count++
      }
      path = next
    }
    return count
  }

  #isOf(path: number, which: Which): boolean {
    return which === 'all' || this.prefixes.isSix(this.#paths.prefixOf(path)) === (which === 'ipv6')
  }

  #setStale(path: number, slot: number, stale: boolean): void {
    const tally = this.#tallies[slot]
    if (tally === undefined || this.#paths.isStale(path) === stale) return
    this.#paths.setStale(path, stale)
    tally.stale += stale ? 1 : -1
  }

  #touch(id: number): void {
    if (this.#isDirty[id] === 1) return
    this.#isDirty[id] = 1
    if (this.#dirtyCount === this.#dirty.length) this.#dirty = grownInt32(this.#dirty, this.#dirty.length * 2)
    this.#dirty[this.#dirtyCount++] = id
  }

  #pathOf(id: number, slot: number, pathId: number): number {
    const paths = this.#paths
    let path = this.#first[id] ?? NONE
    while (path !== NONE && (paths.slotOf(path) !== slot || paths.pathIdOf(path) !== pathId)) path = paths.nextOf(path)
    return path
  }

  /** Paths of a prefix that one source told. */
  #countOf(id: number, slot: number): number {
    let count = 0
    for (let path = this.#first[id] ?? NONE; path !== NONE; path = this.#paths.nextOf(path))
      if (this.#paths.slotOf(path) === slot) count++
    return count
  }

  /** Most prefixes have one path: only where there are more are they weighed. */
  #choose(id: number): number {
    let only = NONE
    let candidates: AttributeSet[] | undefined
    for (let path = this.#first[id] ?? NONE; path !== NONE; path = this.#paths.nextOf(path)) {
      const used = this.#paths.usedOf(path)
      if (used === NONE) continue
      if (only === NONE) {
        only = used
        continue
      }
      candidates ??= this.#candidate(only, [])
      this.#candidate(used, candidates)
    }
    if (candidates === undefined) return only
    const ordered = this.#paths.hasPathIds ? this.#setsOf(this.#inOrderOfIds([...this.#pathsAt(id)])) : candidates
    return decide(ordered, this.sets.hasLongStale ? this.#comparators : this.#comparatorsOfFresh)?.id ?? NONE
  }

  /** Where all else is equal the lowest path id wins, not the latest to arrive. */
  #inOrderOfIds(paths: readonly number[]): number[] {
    return paths.toSorted((a, b) => this.#paths.pathIdOf(a) - this.#paths.pathIdOf(b))
  }

  #setsOf(paths: readonly number[]): readonly AttributeSet[] {
    return paths.flatMap(path => this.sets.get(this.#paths.usedOf(path)) ?? [])
  }

  #candidate(id: number, among: AttributeSet[]): AttributeSet[] {
    const set = this.sets.get(id)
    if (set !== undefined) among.push(set)
    return among
  }

  #areAlike(a: number, b: number): boolean {
    const one = this.sets.get(a)
    const other = this.sets.get(b)
    return one !== undefined && other !== undefined && one.isLike(other)
  }

  #sweepSets(forgotten: (set: number) => void): void {
    const used = new Uint8Array(this.sets.limit)
    this.#paths.markSets(used)
    for (let id = 0; id < this.prefixes.limit; id++) {
      const chosen = this.#chosen[id] ?? NONE
      if (chosen !== NONE) used[chosen] = 1
    }
    this.sets.sweep(id => used[id] === 1, forgotten)
  }

  #find(key: string): number {
    const parsed = parseAnyPrefix(key)
    return parsed.ok ? this.prefixes.find(parsed.value) : NONE
  }

  *#pathsAt(id: number): Generator<number, void, void> {
    for (let path = this.#first[id] ?? NONE; path !== NONE; path = this.#paths.nextOf(path)) yield path
  }

  #view(path: number): Path {
    const used = this.sets.get(this.#paths.usedOf(path))
    const heard = this.sets.get(this.#paths.heardOf(path))
    const set = used ?? heard
    if (set === undefined) throw new TypeError(`path ${path} has no attributes`)
    const id = this.#paths.prefixOf(path)
    const prefix = this.prefixes.prefix(id)
    return {
      key: formatAnyPrefix(prefix),
      prefix,
      source: set.source,
      ...(hasPathIds(set.source, this.prefixes.isSix(id)) ? { pathId: this.#paths.pathIdOf(path) } : {}),
      attributes: set.attributes,
      fingerprint: set.fingerprint,
      stale: this.#paths.isStale(path),
      standing: used === undefined ? this.#objection(path, set) : USABLE,
    }
  }

  #objection(path: number, { flaw }: AttributeSet): Standing {
    if (flaw !== undefined) return { is: 'ineligible', why: flaw }
    if (this.#unreachable.has(path)) return { is: 'ineligible', why: 'next-hop-unreachable' }
    return { is: 'refused', why: this.#refusals.get(path) ?? 'refused' }
  }

  #growPrefixes(id: number): void {
    const length = Math.max(id + 1, this.#first.length * 2)
    this.#first = grownInt32(this.#first, length, NONE)
    this.#chosen = grownInt32(this.#chosen, length, NONE)
    this.#isDirty = grownUint8(this.#isDirty, length)
  }

  #makeRoomForChanges(count: number): void {
    if (count <= this.#changed.length) return
    const length = Math.max(count, this.#changed.length * 2)
    this.#changed = new Int32Array(length)
    this.#before = new Int32Array(length)
    this.#after = new Int32Array(length)
  }
}

function hasPathIds({ pathIds }: Source, isSix: boolean): boolean {
  return pathIds?.some(family => sameFamily(family, isSix ? IPV6_UNICAST : IPV4_UNICAST)) ?? false
}

function weighed(set: AttributeSet, path: Path, pathId: number): Weighed {
  const {
    source,
    isLongStale,
    weight,
    localPref,
    pathLength,
    originRank,
    med,
    neighbourAs,
    originator,
    clusters,
    distance,
    nextHop,
    attributes,
  } = set
  const ranks = { isLongStale, weight, localPref, pathLength, originRank, med, neighbourAs, originator, clusters, distance }
  return { source, ...ranks, nextHop, attributes, pathId, path }
}

function longStale(attributes: Attributes): Attributes {
  return { ...attributes, communities: [...attributes.communities, LLGR_STALE] }
}
