/** `calictl get`: resources of any kind, by name or by label, once or as they change. */

import type { Fault } from '@network/base/run/fault.ts'
import { didYouMean } from '@network/base/text/closest.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { DEFAULT_NAMESPACE } from '@network/model/resources/kind.ts'
import { oneKindNamed } from '@network/model/resources/one-kind.ts'
import { type Context, isForPeople, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { listed } from '../read.ts'
import { placeOf, type Wanted, type Where } from './place.ts'
import { isSelected, selectorFrom } from './select.ts'
import { type Row, readRows } from './stock.ts'
import { listOfRows, resultOf } from './view.ts'
import { watchRows } from './watch.ts'

export interface GetOptions extends Where {
  readonly selector?: string
  readonly watch?: true
}

export async function getResources(context: Context, words: readonly string[], options: GetOptions): Promise<ExitCode> {
  const wanted = await wantedBy(words)
  const selector = options.selector === undefined ? undefined : selectorFrom(options.selector)
  const isWanted = (row: Row) => isSelected(selector, row) && wanted.some(one => covers(one, row, options))
  const kinds = [...new Set(wanted.map(({ kind }) => kind))]
  const look = { namespaces: options.allNamespaces === true, kinds: kinds.length > 1 }
  if (options.watch === true) return watchRows(context, kinds, isWanted, look)
  const all = (await Promise.all(kinds.map(kind => readRows(context, kind)))).flat()
  const rows = all.filter(isWanted)
  const absent = absentOf(wanted, all, options)
  const [one] = rows
  const single = wanted.length === 1 && wanted[0]?.names?.length === 1 && one !== undefined && rows.length === 1
  if (rows.length > 0 || absent.length === 0)
    await show(context, {
      document: single ? one.document : listOfRows(kinds, rows),
      ...(rows.length > 0 ? resultOf(kinds, rows, look) : { text: nothing(context, kinds, all, options) }),
    })
  const [first, ...more] = absent
  for (const fault of more) context.err(`error: ${fault.message}`)
  if (first !== undefined) throw first
  return EXIT.ok
}

/** Most lines name one kind; whatever else one may write needs them all. */
async function wantedBy(words: readonly string[]): Promise<readonly Wanted[]> {
  const [first = '', ...names] = words
  // As kubectl's users type it: here it is everything.
  if (first.toLowerCase() === 'all' && names.length === 0) return (await import('./which.ts')).everything()
  const kind = await oneKindNamed(first)
  if (kind === undefined) return (await import('./which.ts')).wantedFrom(words)
  return [{ kind, names: names.length === 0 ? undefined : names }]
}

function covers({ kind, names }: Wanted, row: Row, where: Where): boolean {
  if (row.kind !== kind) return false
  const { name, namespace } = row.document.metadata
  const inside = (wanted: string | undefined) => !kind.namespaced || (namespace ?? DEFAULT_NAMESPACE) === wanted
  if (names === undefined) return where.allNamespaces === true || inside(where.namespace ?? DEFAULT_NAMESPACE)
  return names.some(typed => {
    const at = placeOf(kind, typed, where)
    return at.name === name && (where.allNamespaces === true || inside(at.namespace))
  })
}

function absentOf(wanted: readonly Wanted[], all: readonly Row[], where: Where): readonly Fault[] {
  return wanted.flatMap(({ kind, names = [] }) =>
    names
      .filter(typed => !all.some(row => covers({ kind, names: [typed] }, row, where)))
      .map(typed => noSuch('show', kind, typed, all)),
  )
}

/** A failure that names what there is. */
export function noSuch(doing: string, kind: Kind<unknown>, typed: string, all: readonly Row[]): Fault {
  const known = all
    .filter(row => row.kind === kind)
    .map(({ document: { metadata } }) =>
      typed.includes('/') || metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`,
    )
  const names = kind.plural
  return failure('notFound', {
    doing,
    on: `${kind.kind} ${typed}`,
    says: 'there is no such resource',
    mend:
      known.length === 0
        ? `there are no ${names} at all`
        : `${didYouMean(typed, known)}${listed(`the ${names} are`, known, `calictl get ${names}`)}`,
  })
}

/** As many as a sentence takes by name. */
const FEW_KINDS = 6

/** What people read where a table would be empty. */
function nothing(context: Context, kinds: readonly Kind<unknown>[], all: readonly Row[], options: GetOptions): string {
  const names = kinds.length > FEW_KINDS ? 'resources' : kinds.map(({ plural }) => plural).join(' and ')
  const elsewhere = options.allNamespaces === true || options.selector !== undefined ? 0 : all.length
  if (elsewhere > 0 && isForPeople(context))
    return `There are no ${names} in namespace ${options.namespace ?? DEFAULT_NAMESPACE}; ${elsewhere} in others: --all-namespaces shows them.`
  return options.selector === undefined ? `There are no ${names}.` : `There are no ${names} with such labels.`
}
