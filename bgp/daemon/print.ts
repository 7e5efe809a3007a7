/** Answers as tables for people: aligned columns without lines, so that grep, awk and narrow terminals get along with them. */
import Table from 'cli-table3'
import type { PeerStatus } from '../status.ts'
import { type Answer, type RouteLine, sayVerdict } from './answers.ts'

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

export function print(answer: Answer): string {
  switch (answer.is) {
    case 'peers':
      return table(
        ['PEER', 'NAME', 'AS', 'STATE', 'SINCE', 'RECEIVED', 'USED', 'TOLD', 'STALE', 'LAST ERROR'],
        answer.peers.map(peerRow),
      )
    case 'routes':
      return table(
        ['PREFIX', 'FROM', 'NEXT HOP', 'LOCAL PREF', 'MED', 'AS PATH', 'ORIGIN', 'COMMUNITIES'],
        answer.routes.map(routeRow),
      )
    case 'why':
      return table(
        ['FROM', 'NAME', 'NEXT HOP', 'VERDICT'],
        answer.explanation.paths.map(path => [
          `${path.from}${sayPathId(path.pathId)}`,
          path.name,
          path.nextHop ?? '',
          sayVerdict(path),
        ]),
      )
    case 'peer':
      return table(['WHAT', 'VALUE'], facts('', answer.peer))
    case 'done':
      return table(
        ['PEER', 'DONE'],
        answer.lines.map(({ peer, says }) => [peer, says]),
      )
    case 'unknown':
      return answer.says
    default:
      return answer satisfies never
  }
}

/** Every leaf of a status under the path of its names. */
function facts(path: string, value: unknown): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [[path, value === null ? '' : String(value)]]
  return Object.entries(value).flatMap(([name, inner]) => facts(path === '' ? name : `${path}.${name}`, inner))
}

function peerRow({ address, name, remoteAsn, state, draining, since, prefixes, lastError }: PeerStatus): readonly string[] {
  const { received, accepted, advertised, stale } = prefixes
  const counts = [received, accepted, advertised, stale].map(String)
  return [address, name, `${remoteAsn}`, draining ? `${state} (draining)` : state, since, ...counts, lastError?.text ?? '']
}

function routeRow(route: RouteLine): readonly string[] {
  const {
    prefix,
    from,
    pathId,
    nextHop,
    localPref,
    med,
    asPath,
    origin,
    communities,
    largeCommunities,
    extendedCommunities,
    stale,
  } = route
  const said = [...communities, ...largeCommunities, ...extendedCommunities].join(' ')
  return [
    prefix,
    `${from}${sayPathId(pathId)}${stale ? ' (stale)' : ''}`,
    nextHop,
    `${localPref ?? ''}`,
    `${med ?? ''}`,
    asPath,
    origin,
    said,
  ]
}

function sayPathId(pathId: number | null | undefined): string {
  return pathId === null || pathId === undefined ? '' : ` #${pathId}`
}

/** One line a row under a line of headings; an empty cell is a dash, so that columns can be counted. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const grid = new Table({
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  })
  for (const row of [head, ...rows]) grid.push(row.map(cell => (cell === '' ? '-' : cell)))
  return grid
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}

const KINDS: readonly string[] = ['peers', 'peer', 'routes', 'why', 'done', 'unknown'] satisfies readonly Answer['is'][]

/** The daemon and its client are of one make: the kind of an answer vouches for the rest. */
export function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'is' in value && typeof value.is === 'string' && KINDS.includes(value.is)
}
