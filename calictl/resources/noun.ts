/** What `calictl bgp peer`, `calictl config` and their like do: one kind, its fields on the command line. */

import { API_VERSION, DEFAULT_NAMESPACE, type Kind } from '@network/model/resources/kind.ts'
import type { Context } from '../context.ts'
import { type ExitCode, failure } from '../exit.ts'
import { type ChangeOptions, change, rewritten, typedWish } from './change.ts'
import { noSuch } from './get.ts'
import { specPatch } from './pairs.ts'
import { merged } from './patch.ts'
import { type Row, readRows } from './stock.ts'
import { kindFrom } from './which.ts'

/** Makes a resource of what is typed. */
export async function createNoun(
  context: Context,
  kindName: string,
  { name, pairs }: { readonly name: string; readonly pairs: readonly string[] },
  options: ChangeOptions,
): Promise<ExitCode> {
  const kind = kindFrom(kindName)
  return change(context, 'create', [await wishFor(context, kind, name, pairs)], options)
}

async function wishFor(context: Context, kind: Kind<unknown>, name: string, pairs: readonly string[]) {
  const { spec } = await specPatch(kind, pairs)
  const document = { apiVersion: API_VERSION, kind: kind.kind, metadata: { name }, spec: merged({}, spec) }
  const parsed = kind.parse(document)
  if (parsed.ok) {
    for (const { at, says } of parsed.warnings) context.err(`warning: ${at} ${says}`)
    return typedWish(kind, kind.keyOf(parsed.value), parsed.document)
  }
  const says = parsed.problems.map(({ at, says }) => `${at}: ${says}`).join('; ')
  throw failure('usage', { doing: 'create', on: `${kind.kind} ${name}`, says, mend: 'nothing was changed' })
}

export interface SetNoun {
  /** Undefined: the only one, or the one of its kind. */
  readonly name: string | undefined
  readonly pairs: readonly string[]
  /** There is one of this name for the cluster, made when first set. */
  readonly standing?: string
}

/** Changes fields of a resource that is there. */
export async function setNoun(
  context: Context,
  kindName: string,
  { name, pairs, standing }: SetNoun,
  options: ChangeOptions,
): Promise<ExitCode> {
  const kind = kindFrom(kindName)
  if (pairs.length === 0)
    throw failure('usage', {
      doing: 'set',
      on: `${kind.kind} ${name ?? standing ?? ''}`.trim(),
      says: 'nothing is given to set',
      mend: `write field=value; calictl explain ${kind.kind.toLowerCase()}.spec lists the fields`,
    })
  const rows = await readRows(context, kind)
  const wanted = name ?? standing ?? onlyOne(kind, rows)
  const row = rows.find(({ document }) => document.metadata.name === wanted)
  if (row !== undefined) {
    const next = merged(row.document, await specPatch(kind, pairs))
    return change(context, 'patch', [rewritten(context, 'set', row, next)], options)
  }
  if (standing === undefined) throw noSuch('set', kind, wanted, rows)
  return change(context, 'apply', [await wishFor(context, kind, wanted, pairs)], options)
}

/** With one resource its name may be left out; with several they are listed. */
function onlyOne({ kind, plural }: Kind<unknown>, rows: readonly Row[]): string {
  const [only, ...others] = rows
  if (only !== undefined && others.length === 0) return only.document.metadata.name
  const names = rows.map(({ document: { metadata } }) =>
    metadata.namespace === undefined || metadata.namespace === DEFAULT_NAMESPACE
      ? metadata.name
      : `${metadata.namespace}/${metadata.name}`,
  )
  throw failure(only === undefined ? 'notFound' : 'usage', {
    doing: 'choose',
    on: `${kind} without its name`,
    says: only === undefined ? `there are no ${plural}` : `there are several: ${names.join(', ')}`,
    mend: only === undefined ? 'create one' : 'name one; nothing was changed',
  })
}
