/** Why a prefix is used as it is, in plain JSON. */
import { formatNextHop } from './attributes/own-hops.ts'
import type { Path } from './rib/path.ts'
import type { Selection } from './rib/rib.ts'
import type { ExplainedPath, Explanation } from './status.ts'

/** The best path first, then the rest as they were beaten last to first; `used` are those that packets may take. */
export function explain(prefix: string, paths: readonly Path[], selection: Selection, used: readonly Path[]): Explanation {
  const ways = new Set(used.map(nameOf))
  const place = new Map(selection.losers.map(({ path }, index) => [nameOf(path), index + 1]))
  const best = selection.best === undefined ? undefined : nameOf(selection.best)
  const rank = (path: Path) => (nameOf(path) === best ? Number.POSITIVE_INFINITY : (place.get(nameOf(path)) ?? 0))
  const ordered = paths.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)))
  return { prefix, paths: ordered.map(path => explainPath(path, selection, ways.has(nameOf(path)))) }
}

/** A peer may tell several paths, each with its id. */
function nameOf({ source, pathId }: Path): string {
  return `${source.id}#${pathId ?? ''}`
}

function explainPath(path: Path, selection: Selection, used: boolean): ExplainedPath {
  const { source, attributes, stale, pathId } = path
  return {
    from: source.id,
    name: source.name,
    ...(pathId === undefined ? {} : { pathId }),
    nextHop: source.kind === 'local' ? null : formatNextHop(attributes, source.zone),
    stale,
    used,
    verdict: verdictOf(path, selection),
  }
}

function verdictOf(path: Path, { best, losers }: Selection): ExplainedPath['verdict'] {
  const { standing } = path
  if (standing.is !== 'usable') return standing
  const lost = losers.find(loser => nameOf(loser.path) === nameOf(path))
  if (lost !== undefined) return { is: 'lost', by: lost.lostBy }
  return best !== undefined && nameOf(best) === nameOf(path) ? { is: 'best' } : { is: 'ineligible', why: 'not yet decided' }
}
