/** Adj-RIB-In of every peer, our own routes, and the Loc-RIB chosen from them. RFC 4271 §3.2, §9.1. */
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import type { Attributes } from '../attributes/attributes.ts'
import { fingerprint } from '../attributes/encode.ts'
import { decide, type Selection } from './decide.ts'
import { eligibility, type Path, type Self, type Source, type Standing, sameRoute } from './path.ts'

/** Says whether a route of this peer may be used; asked again for every route when it changes. */
export type Admission = (prefix: Prefix, source: Source) => Standing

export interface BestChange {
  readonly key: string
  readonly before: Path | undefined
  readonly after: Path | undefined
}

export interface SourceCounts {
  readonly received: number
  readonly accepted: number
  readonly stale: number
}

const NOTHING_CHOSEN: Selection = { best: undefined, losers: [] }

export class Rib {
  readonly #self: Self
  #admission: Admission
  readonly #bySource = new Map<string, Map<string, Path>>()
  readonly #byPrefix = new Map<string, Map<string, Path>>()
  readonly #selections = new Map<string, Selection>()
  readonly #dirty = new Set<string>()

  constructor(self: Self, admission: Admission) {
    this.#self = self
    this.#admission = admission
  }

  announce(source: Source, prefixes: readonly Prefix[], attributes: Attributes): void {
    const print = fingerprint(attributes)
    const sound = eligibility(attributes, source, this.#self)
    for (const prefix of prefixes) {
      const standing = sound.is === 'usable' ? this.#admission(prefix, source) : sound
      this.#put({ key: formatPrefix(prefix), prefix, source, attributes, fingerprint: print, stale: false, standing })
    }
  }

  withdraw(sourceId: string, prefixes: readonly Prefix[]): void {
    for (const prefix of prefixes) this.#remove(sourceId, formatPrefix(prefix))
  }

  /** The peer is away: what it told stays, marked. What was marked already goes (RFC 4724 §4.2, consecutive restarts). */
  markStale(sourceId: string): void {
    this.sweepStale(sourceId)
    for (const path of [...this.#pathsOf(sourceId)]) this.#put({ ...path, stale: true })
  }

  /** Drops what the peer did not repeat; the number of routes dropped. */
  sweepStale(sourceId: string): number {
    return this.#removeWhere(sourceId, path => path.stale)
  }

  drop(sourceId: string): number {
    return this.#removeWhere(sourceId, () => true)
  }

  /** Makes the routes of a source exactly these. */
  replace(source: Source, routes: ReadonlyMap<string, { readonly prefix: Prefix; readonly attributes: Attributes }>): void {
    this.#removeWhere(source.id, path => !routes.has(path.key))
    for (const { prefix, attributes } of routes.values()) this.announce(source, [prefix], attributes)
  }

  setAdmission(admission: Admission): void {
    this.#admission = admission
    for (const paths of this.#bySource.values())
      for (const path of paths.values())
        if (path.standing.is !== 'ineligible') this.#put({ ...path, standing: admission(path.prefix, path.source) })
  }

  /** Chooses again wherever something changed, in one pass: a lost best path gives way to the next one without a gap. */
  decide(): readonly BestChange[] {
    const changes: BestChange[] = []
    for (const key of this.#dirty) {
      const before = this.best(key)
      const selection = decide(this.paths(key).filter(path => path.standing.is === 'usable'))
      if (selection.best === undefined) this.#selections.delete(key)
      else this.#selections.set(key, selection)
      if (!sameRoute(before, selection.best)) changes.push({ key, before, after: selection.best })
    }
    this.#dirty.clear()
    return changes
  }

  best(key: string): Path | undefined {
    return this.#selections.get(key)?.best
  }

  /** Prefixes that have a best path. */
  chosen(): MapIterator<string> {
    return this.#selections.keys()
  }

  selection(key: string): Selection {
    return this.#selections.get(key) ?? NOTHING_CHOSEN
  }

  /** Every path of a prefix, used or not. */
  paths(key: string): readonly Path[] {
    return [...(this.#byPrefix.get(key)?.values() ?? [])]
  }

  counts(sourceId: string): SourceCounts {
    let accepted = 0
    let stale = 0
    let received = 0
    for (const path of this.#pathsOf(sourceId)) {
      received++
      if (path.standing.is === 'usable') accepted++
      if (path.stale) stale++
    }
    return { received, accepted, stale }
  }

  #pathsOf(sourceId: string): Iterable<Path> {
    return this.#bySource.get(sourceId)?.values() ?? []
  }

  #put(path: Path): void {
    const { key, source } = path
    slot(this.#bySource, source.id).set(key, path)
    slot(this.#byPrefix, key).set(source.id, path)
    this.#dirty.add(key)
  }

  #remove(sourceId: string, key: string): boolean {
    const removed = pluck(this.#bySource, sourceId, key)
    pluck(this.#byPrefix, key, sourceId)
    if (removed) this.#dirty.add(key)
    return removed
  }

  #removeWhere(sourceId: string, doomed: (path: Path) => boolean): number {
    let count = 0
    for (const path of [...this.#pathsOf(sourceId)]) if (doomed(path) && this.#remove(sourceId, path.key)) count++
    return count
  }
}

function slot(maps: Map<string, Map<string, Path>>, name: string): Map<string, Path> {
  const known = maps.get(name)
  if (known !== undefined) return known
  const fresh = new Map<string, Path>()
  maps.set(name, fresh)
  return fresh
}

function pluck(maps: Map<string, Map<string, Path>>, name: string, inner: string): boolean {
  const map = maps.get(name)
  const had = map?.delete(inner) ?? false
  if (map?.size === 0) maps.delete(name)
  return had
}
