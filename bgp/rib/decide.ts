/** The decision process as a list of named comparators; a loser keeps the name of the one that beat it. RFC 4271 §9.1.2, RFC 4456 §9. */
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

export interface Comparator {
  readonly name: ComparatorName
  /** The lower wins. */
  readonly rank: (candidate: AttributeSet) => number
  /** Candidates are compared only inside their group. */
  readonly group?: (candidate: AttributeSet) => number
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
  { name: 'peer-address', rank: ({ source }) => source.address },
]

/** The comparators with the switches of the operator. */
export function comparatorsFor(options: DecisionOptions = {}): readonly Comparator[] {
  const { alwaysCompareMed, missingMedWorst, ignoreAsPathLength, ignoreRouterId } = options
  const worst = (candidate: AttributeSet) => (candidate.attributes.med === undefined ? Number.POSITIVE_INFINITY : candidate.med)
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
const TIE_BREAKERS: readonly ComparatorName[] = ['router-id', 'cluster-list-length', 'peer-address']

/** The paths that may be used together with the best one, itself first: equal in all but the tie-breakers. What is told to others is the best alone. */
export function equallyGood(
  candidates: readonly AttributeSet[],
  comparators: readonly Comparator[],
  { multipath = 1, multipathRelax }: DecisionOptions,
): readonly AttributeSet[] {
  const best = decide(candidates, comparators)
  if (best === undefined || multipath <= 1) return best === undefined ? [] : [best]
  const deciding = comparators.filter(({ name }) => !TIE_BREAKERS.includes(name))
  const level = leftBy(candidates, deciding)
  const others = level.filter(each => each !== best && (multipathRelax === true || haveSamePath(each, best)))
  return [best, ...others.toSorted(byTieBreakers(comparators))].slice(0, multipath)
}

/** So that which ones are left out does not depend on the order of arrival. */
function byTieBreakers(comparators: readonly Comparator[]): (a: AttributeSet, b: AttributeSet) => number {
  const breaking = comparators.filter(({ name }) => TIE_BREAKERS.includes(name))
  return (a, b) => breaking.map(({ rank }) => rank(a) - rank(b)).find(difference => difference !== 0) ?? 0
}

function haveSamePath(a: AttributeSet, b: AttributeSet): boolean {
  return JSON.stringify(a.attributes.asPath) === JSON.stringify(b.attributes.asPath)
}

type Lost = (loser: AttributeSet, by: ComparatorName) => void
const unheard: Lost = () => undefined

/** The best of the candidates, one a source; the losers are told in the order in which they lost. */
export function decide(
  candidates: readonly AttributeSet[],
  comparators: readonly Comparator[] = COMPARATORS,
  lost: Lost = unheard,
): AttributeSet | undefined {
  return leftBy(candidates, comparators, lost)[0]
}

function leftBy(
  candidates: readonly AttributeSet[],
  comparators: readonly Comparator[],
  lost: Lost = unheard,
): readonly AttributeSet[] {
  let left = candidates
  for (const comparator of comparators) {
    if (left.length <= 1) break
    left = survivors(left, comparator, lost)
  }
  return left
}

function survivors(all: readonly AttributeSet[], { name, rank, group }: Comparator, lost: Lost): readonly AttributeSet[] {
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

function keep(
  all: readonly AttributeSet[],
  survives: (each: AttributeSet) => boolean,
  falls: (each: AttributeSet) => void,
): readonly AttributeSet[] {
  const left: AttributeSet[] = []
  for (const each of all)
    if (survives(each)) left.push(each)
    else falls(each)
  return left
}

function leadersOf(
  all: readonly AttributeSet[],
  rank: (candidate: AttributeSet) => number,
  group: (candidate: AttributeSet) => number,
): ReadonlyMap<number, number> {
  const leaders = new Map<number, number>()
  for (const each of all) {
    const key = group(each)
    leaders.set(key, Math.min(leaders.get(key) ?? Number.POSITIVE_INFINITY, rank(each)))
  }
  return leaders
}
