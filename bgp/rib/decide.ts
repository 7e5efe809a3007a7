/** The decision process as a list of named comparators; a loser keeps the name of the one that beat it. RFC 4271 §9.1.2, RFC 4456 §9. */
import { neighbourAs, pathLength } from '../attributes/as-path.ts'
import type { Path } from './path.ts'

export interface Selection {
  readonly best: Path | undefined
  readonly losers: readonly Loser[]
}

export interface Loser {
  readonly path: Path
  readonly lostBy: ComparatorName
}

export type ComparatorName =
  | 'local-origin'
  | 'local-pref'
  | 'as-path-length'
  | 'origin'
  | 'med'
  | 'external-over-internal'
  | 'router-id'
  | 'cluster-list-length'
  | 'peer-address'

interface Comparator {
  readonly name: ComparatorName
  /** The lower wins. */
  readonly rank: (path: Path) => number
  /** Paths are compared only inside their group. */
  readonly group?: (path: Path) => number
}

const ORIGIN_RANK = { igp: 0, egp: 1, incomplete: 2 } as const
export const DEFAULT_LOCAL_PREF = 100

/** MED compares paths of one neighbour AS only, over all that are left: the result never depends on the order of arrival. */
export const COMPARATORS: readonly Comparator[] = [
  { name: 'local-origin', rank: path => (path.source.kind === 'local' ? 0 : 1) },
  { name: 'local-pref', rank: path => -(path.attributes.localPref ?? DEFAULT_LOCAL_PREF) },
  { name: 'as-path-length', rank: path => pathLength(path.attributes.asPath) },
  { name: 'origin', rank: path => ORIGIN_RANK[path.attributes.origin] },
  { name: 'med', rank: path => path.attributes.med ?? 0, group: path => neighbourAs(path.attributes.asPath) ?? 0 },
  { name: 'external-over-internal', rank: path => (path.source.kind === 'internal' ? 1 : 0) },
  { name: 'router-id', rank: path => path.attributes.originatorId ?? path.source.routerId },
  { name: 'cluster-list-length', rank: path => path.attributes.clusterList.length },
  { name: 'peer-address', rank: path => path.source.address },
]

/** Chooses among usable paths of one prefix. */
export function decide(paths: readonly Path[]): Selection {
  let left = paths
  const losers: Loser[] = []
  for (const comparator of COMPARATORS) {
    if (left.length <= 1) break
    const leaders = leadersOf(left, comparator)
    const survivors: Path[] = []
    for (const path of left) {
      if (comparator.rank(path) === leaders.get(comparator.group?.(path) ?? 0)) survivors.push(path)
      else losers.push({ path, lostBy: comparator.name })
    }
    left = survivors
  }
  return { best: left[0], losers }
}

function leadersOf(paths: readonly Path[], { rank, group }: Comparator): ReadonlyMap<number, number> {
  const leaders = new Map<number, number>()
  for (const path of paths) {
    const key = group?.(path) ?? 0
    leaders.set(key, Math.min(leaders.get(key) ?? Number.POSITIVE_INFINITY, rank(path)))
  }
  return leaders
}
