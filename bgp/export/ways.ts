/** The paths that a group is told of which hears several of one prefix: each is a row of its own, named by prefix and path id. RFC 7911. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { grownInt32, grownUint32 } from '../rib/byte-table.ts'
import type { Rib, Way } from '../rib/rib.ts'
import { type Family, IPV4_UNICAST, IPV6_UNICAST, sameFamily } from '../wire/capabilities.ts'
import type { Identified } from '../wire/nlri.ts'
import type { Naming } from './naming.ts'

/** How many paths of each prefix of a family are told, the best ones first. */
export interface PathsOf {
  readonly family: Family
  readonly most: number | 'all'
}

/** A row and what it is to say from now on; set -1: nothing. */
export interface Row {
  readonly row: number
  readonly set: number
}

const NONE = -1
/** Stands for a path id where the family has none: the best path is told, whichever it is. */
const THE_BEST = 0
const NOTHING: readonly Way[] = []

export class Ways implements Naming {
  readonly longest4: number
  readonly #rib: Rib
  readonly #most: { readonly four: number | undefined; readonly six: number | undefined }
  /** By number of prefix: its first row. */
  #first = new Int32Array(32).fill(NONE)
  /** By row. */
  #next = new Int32Array(32)
  #prefix = new Int32Array(32)
  #path = new Int32Array(32)
  #pathId = new Uint32Array(32)
  #rows = 0
  readonly #free: number[] = []
  #gone: number[] = []

  constructor(rib: Rib, paths: readonly PathsOf[]) {
    this.#rib = rib
    this.#most = { four: mostOf(paths, IPV4_UNICAST), six: mostOf(paths, IPV6_UNICAST) }
    this.longest4 = this.#most.four === undefined ? 5 : 9
  }

  get limit(): number {
    return this.#rows
  }

  /** The number of its prefix in the RIB. */
  idOf(row: number): number {
    return this.#prefix[row] ?? NONE
  }

  /** The attribute set that its path has now, or -1. */
  setOf(row: number): number {
    const pathId = this.#pathId[row] ?? THE_BEST
    return pathId === THE_BEST ? this.#rib.chosen(this.idOf(row)) : this.#rib.usedAs(this.#path[row] ?? NONE, pathId)
  }

  isSix(row: number): boolean {
    return this.#rib.prefixes.isSix(this.idOf(row))
  }

  prefix(row: number): Identified<AnyPrefix> {
    const prefix = this.#rib.prefixes.prefix(this.idOf(row))
    const pathId = this.#pathId[row] ?? THE_BEST
    return pathId === THE_BEST ? prefix : { ...prefix, pathId }
  }

  write4(row: number, into: Uint8Array, at: number): number {
    const pathId = this.#pathId[row] ?? THE_BEST
    if (pathId === THE_BEST) return this.#rib.prefixes.write4(this.idOf(row), into, at)
    into[at] = pathId >>> 24
    into[at + 1] = pathId >>> 16
    into[at + 2] = pathId >>> 8
    into[at + 3] = pathId
    return this.#rib.prefixes.write4(this.idOf(row), into, at + 4)
  }

  find(named: Identified<AnyPrefix>): number {
    return this.#rowOf(this.#rib.prefixes.find(named), named.pathId ?? THE_BEST)
  }

  /** Rows of a prefix whose path is gone, or may not be told any more; a path that only fell behind others is not among them. */
  gone(id: number, isTold: (set: number) => boolean): readonly Row[] {
    return this.#endAllBut(id, this.#wanted(id, Number.POSITIVE_INFINITY, isTold))
  }

  /** All rows of a prefix as they are to be now, those first that end. */
  refresh(id: number, isTold: (set: number) => boolean): readonly Row[] {
    const wanted = this.#wanted(id, this.#mostAt(id) ?? 1, isTold)
    const ended = this.#endAllBut(id, wanted)
    return [...ended, ...wanted.map(({ path, set, pathId }) => ({ row: this.#take(id, path, pathId), set }))]
  }

  /** What was said of ended rows has been written: their numbers may stand for others. */
  forgetGone(): void {
    this.#free.push(...this.#gone)
    this.#gone = []
  }

  #mostAt(id: number): number | undefined {
    return this.#rib.prefixes.isSix(id) ? this.#most.six : this.#most.four
  }

  #wanted(id: number, most: number, isTold: (set: number) => boolean): readonly Way[] {
    if (this.#mostAt(id) !== undefined) return this.#rib.waysOf(id, most, isTold)
    const set = this.#rib.chosen(id)
    return set === NONE || !isTold(set) ? NOTHING : [{ path: NONE, set, pathId: THE_BEST }]
  }

  #endAllBut(id: number, wanted: readonly Way[]): readonly Row[] {
    const ended: Row[] = []
    let before = NONE
    for (let row = this.#first[id] ?? NONE; row !== NONE; ) {
      const next = this.#next[row] ?? NONE
      if (wanted.some(({ pathId }) => pathId === this.#pathId[row])) before = row
      else {
        if (before === NONE) this.#first[id] = next
        else this.#next[before] = next
        ended.push({ row, set: NONE })
        this.#gone.push(row)
      }
      row = next
    }
    return ended
  }

  #take(id: number, path: number, pathId: number): number {
    const known = this.#rowOf(id, pathId)
    if (known !== NONE) return known
    const row = this.#free.pop() ?? this.#rows++
    if (row >= this.#next.length) this.#growRows()
    if (id >= this.#first.length) this.#first = grownInt32(this.#first, Math.max(id + 1, this.#first.length * 2), NONE)
    this.#prefix[row] = id
    this.#path[row] = path
    this.#pathId[row] = pathId
    this.#next[row] = this.#first[id] ?? NONE
    this.#first[id] = row
    return row
  }

  #rowOf(id: number, pathId: number): number {
    let row = this.#first[id] ?? NONE
    while (row !== NONE && this.#pathId[row] !== pathId) row = this.#next[row] ?? NONE
    return row
  }

  #growRows(): void {
    const rows = this.#next.length * 2
    this.#next = grownInt32(this.#next, rows)
    this.#prefix = grownInt32(this.#prefix, rows)
    this.#path = grownInt32(this.#path, rows)
    this.#pathId = grownUint32(this.#pathId, rows)
  }
}

function mostOf(paths: readonly PathsOf[], family: Family): number | undefined {
  const most = paths.find(each => sameFamily(each.family, family))?.most
  return most === 'all' ? Number.POSITIVE_INFINITY : most
}
