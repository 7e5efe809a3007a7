/** Why a prefix is used as it is, in plain JSON. */
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6 } from '@network/base/net/ipv6.ts'
import type { Path } from './rib/path.ts'
import type { Selection } from './rib/rib.ts'
import type { ExplainedPath, Explanation } from './status.ts'

/** The best path first, then the rest as they were beaten last to first; `used` are those that packets may take. */
export function explain(prefix: string, paths: readonly Path[], selection: Selection, used: readonly Path[]): Explanation {
  const ways = new Set(used.map(({ source }) => source.id))
  const place = new Map(selection.losers.map(({ path }, index) => [path.source.id, index + 1]))
  const rank = (path: Path) =>
    path.source.id === selection.best?.source.id ? Number.POSITIVE_INFINITY : (place.get(path.source.id) ?? 0)
  const ordered = paths.toSorted((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)))
  return { prefix, paths: ordered.map(path => explainPath(path, selection, ways.has(path.source.id))) }
}

function explainPath(path: Path, selection: Selection, used: boolean): ExplainedPath {
  const { source, attributes, stale } = path
  return {
    from: source.id,
    name: source.name,
    nextHop: source.kind === 'local' ? null : formatNextHop(attributes),
    stale,
    used,
    verdict: verdictOf(path, selection),
  }
}

function formatNextHop({ nextHop, nextHop6 }: Path['attributes']): string {
  return nextHop6 === undefined ? formatIpv4(nextHop) : formatIpv6(nextHop6.address)
}

function verdictOf({ source, standing }: Path, { best, losers }: Selection): ExplainedPath['verdict'] {
  if (standing.is !== 'usable') return standing
  const lost = losers.find(({ path }) => path.source.id === source.id)
  if (lost !== undefined) return { is: 'lost', by: lost.lostBy }
  return best?.source.id === source.id ? { is: 'best' } : { is: 'ineligible', why: 'not yet decided' }
}
