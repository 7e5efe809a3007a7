/** The decision process as a list of named comparators; a loser keeps the name of the one that beat it. RFC 4271 §9.1.2, RFC 4456 §9. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { AttributeSet } from './attribute-set.ts'
import type { DecisionOptions } from './decision-options.ts'

export type ComparatorName =
  | 'long-lived-stale'
  | 'local-origin'
  | 'weight'
  | 'local-pref'
  | 'as-path-length'
  | 'origin'
  | 'med'
  | 'external-over-internal'
  | 'igp-metric'
  | 'router-id'
  | 'cluster-list-length'
  | 'peer-address'
  | 'path-id'

/** A path, as far as decisions go. */
export type Candidate = Pick<
  AttributeSet,
  | 'source'
  | 'isLongStale'
  | 'weight'
  | 'localPref'
  | 'pathLength'
  | 'originRank'
  | 'med'
  | 'neighbourAs'
  | 'originator'
  | 'clusters'
  | 'distance'
  | 'nextHop'
  | 'attributes'
> & {
  /** What its source calls it; without one, candidates are put in the order of their ids. */
  readonly pathId?: number
}

export interface Comparator {
  readonly name: ComparatorName
  /** The lower wins. */
  readonly rank: (candidate: Candidate) => number
  /** Candidates are compared only inside their group. */
  readonly group?: (candidate: Candidate) => number
}

/** MED compares paths of one neighbour AS only, over all that are left: the result never depends on the order of arrival. */
export const COMPARATORS: readonly Comparator[] = [
  { name: 'long-lived-stale', rank: ({ isLongStale }) => (isLongStale ? 1 : 0) },
  { name: 'local-origin', rank: ({ source }) => (source.kind === 'local' ? 0 : 1) },
  { name: 'weight', rank: ({ weight }) => -weight },
  { name: 'local-pref', rank: ({ localPref }) => -localPref },
  { name: 'as-path-length', rank: ({ pathLength }) => pathLength },
  { name: 'origin', rank: ({ originRank }) => originRank },
  { name: 'med', rank: ({ med }) => med, group: ({ neighbourAs }) => neighbourAs },
  { name: 'external-over-internal', rank: ({ source }) => (source.kind === 'internal' ? 1 : 0) },
  { name: 'igp-metric', rank: ({ distance }) => distance },
  { name: 'router-id', rank: ({ originator }) => originator },
  { name: 'cluster-list-length', rank: ({ clusters }) => clusters },
  { name: 'peer-address', rank: ({ source }) => wordOf(source.address, 3) },
  { name: 'peer-address', rank: ({ source }) => wordOf(source.address, 2) },
  { name: 'peer-address', rank: ({ source }) => wordOf(source.address, 1) },
  { name: 'peer-address', rank: ({ source }) => wordOf(source.address, 0) },
  { name: 'path-id', rank: ({ pathId }) => pathId ?? 0 },
]

/** Addresses compare as numbers, 32 bits at a time and IPv4 first: no number of the language holds them whole. */
function wordOf(address: AnyAddress, place: number): number {
  if (typeof address === 'number') return place === 0 ? address : -1
  return Number((address >> BigInt(32 * place)) & 0xffffffffn)
}

/** The comparators with the switches of the operator. */
export function comparatorsFor(options: DecisionOptions = {}): readonly Comparator[] {
  const { alwaysCompareMed, missingMedWorst, ignoreAsPathLength, ignoreRouterId } = options
  const worst = (candidate: Candidate) => (candidate.attributes.med === undefined ? Number.POSITIVE_INFINITY : candidate.med)
  return COMPARATORS.flatMap(comparator => {
    const { name } = comparator
    if (name === 'as-path-length' && ignoreAsPathLength === true) return []
    if (name === 'router-id' && ignoreRouterId === true) return []
    if (name !== 'med') return [comparator]
    const rank = missingMedWorst === true ? worst : comparator.rank
    return [alwaysCompareMed === true ? { name, rank } : { ...comparator, rank }]
  })
}

/** Where paths only differ from here on, packets may take any of them. */
const TIE_BREAKERS: readonly ComparatorName[] = ['router-id', 'cluster-list-length', 'peer-address', 'path-id']

/**
 * The paths that may be used together with the best one, itself first: equal in all but the tie-breakers, each by another next hop. It changes
 * nothing in what is told to others.
 */
export function equallyGood<C extends Candidate>(
  candidates: readonly C[],
  comparators: readonly Comparator[],
  { multipath = 1, multipathRelax }: DecisionOptions,
): readonly C[] {
  const best = decide(candidates, comparators)
  if (best === undefined || multipath <= 1) return best === undefined ? [] : [best]
  const deciding = comparators.filter(({ name }) => !TIE_BREAKERS.includes(name))
  const level = leftBy(candidates, deciding)
  const others = level.filter(each => each !== best && (multipathRelax === true || haveSamePath(each, best)))
  return withoutDoubles([best, ...others.toSorted(byTieBreakers(comparators))]).slice(0, multipath)
}

/** Several reflectors, or one with ADD-PATH, tell of the same way more than once. */
function withoutDoubles<C extends Candidate>(candidates: readonly C[]): readonly C[] {
  const seen = new Set<string>()
  return candidates.filter(({ source, nextHop, attributes: { nextHop6 } }) => {
    const way = source.kind === 'local' ? source.id : `${nextHop} ${nextHop6?.address ?? ''} ${nextHop6?.linkLocal ?? ''}`
    return seen.size < seen.add(way).size
  })
}

/** So that which ones are left out does not depend on the order of arrival. */
function byTieBreakers(comparators: readonly Comparator[]): (a: Candidate, b: Candidate) => number {
  const breaking = comparators.filter(({ name }) => TIE_BREAKERS.includes(name))
  return (a, b) => breaking.map(({ rank }) => rank(a) - rank(b)).find(difference => difference !== 0) ?? 0
}

function haveSamePath(a: Candidate, b: Candidate): boolean {
  return JSON.stringify(a.attributes.asPath) === JSON.stringify(b.attributes.asPath)
}

type Lost<C> = (loser: C, by: ComparatorName) => void
const unheard = () => undefined

/** The best of the candidates; the losers are told in the order in which they lost. */
export function decide<C extends Candidate>(
  candidates: readonly C[],
  comparators: readonly Comparator[] = COMPARATORS,
  lost: Lost<C> = unheard,
): C | undefined {
  return leftBy(candidates, comparators, lost)[0]
}

function leftBy<C extends Candidate>(
  candidates: readonly C[],
  comparators: readonly Comparator[],
  lost: Lost<C> = unheard,
): readonly C[] {
  let left = candidates
  for (const comparator of comparators) {
    if (left.length <= 1) break
    left = survivors(left, comparator, lost)
  }
  return left
}

function survivors<C extends Candidate>(all: readonly C[], { name, rank, group }: Comparator, lost: Lost<C>): readonly C[] {
  if (group !== undefined) {
    const leaders = leadersOf(all, rank, group)
    return keep(
      all,
      each => rank(each) === leaders.get(group(each)),
      each => lost(each, name),
    )
  }
  let lowest = Number.POSITIVE_INFINITY
  let isTie = true
  for (const each of all) {
    const place = rank(each)
    if (lowest !== Number.POSITIVE_INFINITY && place !== lowest) isTie = false
    if (place < lowest) lowest = place
  }
  return isTie
    ? all
    : keep(
        all,
        each => rank(each) === lowest,
        each => lost(each, name),
      )
}

function keep<C>(all: readonly C[], survives: (each: C) => boolean, falls: (each: C) => void): readonly C[] {
  const left: C[] = []
  for (const each of all)
    if (survives(each)) left.push(each)
    else falls(each)
  return left
}

function leadersOf(
  all: readonly Candidate[],
  rank: (candidate: Candidate) => number,
  group: (candidate: Candidate) => number,
): ReadonlyMap<number, number> {
  const leaders = new Map<number, number>()
  for (const each of all) {
    const key = group(each)
    leaders.set(key, Math.min(leaders.get(key) ?? Number.POSITIVE_INFINITY, rank(each)))
  }
  return leaders
}
