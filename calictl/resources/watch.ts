/** Resources as they change: a line for each that is there, and then one for every change, until somebody ends it. */

import { systemRandom } from '@network/base/time/clock.ts'
import { sync } from '@network/datastore/sync.ts'
import { type Document, EVERY_KEY, type Kind, keyPrefixOf } from '@network/model/resources/kind.ts'
import type { Change } from '@network/model/snapshot.ts'
import { type Context, isForPeople } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { reportJunk } from '../read.ts'
import { yaml } from '../render/yaml.ts'
import { byPlace, type Row } from './stock.ts'
import { cellsOf, headOf, type Look } from './view.ts'

type Event = 'ADDED' | 'MODIFIED' | 'DELETED'

interface Happening {
  readonly type: Event
  readonly row: Row
}

/** Ends, with exit code 0, when the reader goes or the signal aborts. */
export async function watchRows(
  context: Context,
  kinds: readonly Kind<unknown>[],
  isWanted: (row: Row) => boolean,
  look: Look,
): Promise<ExitCode> {
  const store = await context.store()
  const signal = AbortSignal.any([context.signal, context.readerGone])
  const [only, ...others] = kinds
  const prefix = only !== undefined && others.length === 0 ? keyPrefixOf(only.plural) : EVERY_KEY
  const known = new Map<string, Row>()
  const printer = printerFor(context, look)
  for await (const event of sync(store, { prefix, clock: context.clock, random: systemRandom, signal })) {
    if (event.is === 'stale') context.err(`note: the datastore does not answer since ${event.since}: ${event.error}`)
    if (event.is !== 'changes') continue
    const happenings = event.changes.flatMap(change => happeningOf(context, kinds, known, change) ?? [])
    await printer(happenings.filter(({ row }) => isWanted(row)).toSorted((a, b) => byPlace(a.row, b.row)))
  }
  return EXIT.ok
}

/** Keeps in mind what was there: of what is deleted, the last state is told. */
function happeningOf(
  context: Context,
  kinds: readonly Kind<unknown>[],
  known: Map<string, Row>,
  { key, document }: Change,
): Happening | undefined {
  const before = known.get(key)
  if (document === undefined) {
    known.delete(key)
    return before === undefined ? undefined : { type: 'DELETED', row: before }
  }
  const kind = kinds.find(({ plural }) => key.startsWith(keyPrefixOf(plural)))
  if (kind === undefined) return undefined
  const parsed = kind.parseStored(document)
  if (!parsed.ok) {
    reportJunk(context, [{ key, revision: '', problems: parsed.problems }])
    return undefined
  }
  const row = { kind, key, document: parsed.document }
  known.set(key, row)
  return { type: before === undefined ? 'ADDED' : 'MODIFIED', row }
}

/** Columns keep the widths of the first lines, as far as later ones fit in. */
function printerFor(context: Context, look: Look): (happenings: readonly Happening[]) => Promise<void> {
  const { format, template, out } = context
  if (isForPeople(context)) return tablePrinter(out, { ...look, wide: format === 'wide' })
  return async happenings => {
    for (const { type, row } of happenings) await printOne(type, row.document)
  }
  async function printOne(type: Event, document: Document): Promise<void> {
    if (format === 'yaml') out(`---\n${await yaml({ type, object: document })}`)
    else if (format === 'name') out(`${document.kind.toLowerCase()}/${document.metadata.name}`)
    else if (format === 'jsonpath') out((await import('../render/jsonpath.ts')).fillTemplate(template, document))
    else if (format === 'custom-columns') out((await import('../render/custom-columns.ts')).customTable(template, [document]))
    else out(JSON.stringify({ type, object: document }))
  }
}

function tablePrinter(out: Context['out'], look: Look & { readonly wide: boolean }) {
  const widths = new Map<Kind<unknown>, readonly number[]>()
  return async (happenings: readonly Happening[]) => {
    for (const [kind, own] of Map.groupBy(happenings, ({ row }) => row.kind)) {
      const lines = own.map(({ type, row }) => [type, ...cellsOf(row, look)])
      const head = ['EVENT', ...headOf(kind, look)]
      const known = widths.get(kind)
      const all = known === undefined ? [head, ...lines] : lines
      const wide =
        known ?? head.map((_, at) => Math.max(at === 0 ? 'MODIFIED'.length : 0, ...all.map(line => (line[at] ?? '').length)))
      widths.set(kind, wide)
      for (const line of all) out(padded(line, wide))
    }
  }
}

function padded(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, at) => (cell === '' ? '-' : cell).padEnd(widths[at] ?? 0))
    .join('  ')
    .trimEnd()
}
