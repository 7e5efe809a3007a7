/** The verbs that change resources: what is wished becomes a plan, and the plan is shown or carried out. */

import { DEFAULT_NAMESPACE, type Document, type Kind, keyOfNamed, type Problem } from '@network/model/resources/kind.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { patienceFrom } from '../wait.ts'
import { adviseOn, refuseImpossible } from './advice.ts'
import { type FileOptions, wishesFrom } from './files.ts'
import { noSuch } from './get.ts'
import { PATCH_TYPES, patched } from './patch.ts'
import { placeOf, type Where } from './place.ts'
import type { Verb, Wish } from './plan.ts'
import { awaitAgents } from './reach.ts'
import { report, undone } from './report.ts'
import { isSelected, selectorFrom } from './select.ts'
import { type Row, readRows, titleOf } from './stock.ts'
import { wantedFrom } from './which.ts'
import { carryOut, planned } from './write.ts'

export interface ChangeOptions extends Where {
  readonly dryRun?: true
  readonly wait?: boolean
  /** Seconds, as typed. */
  readonly timeout: string
}

export interface FilesOptions extends ChangeOptions, FileOptions {
  readonly skipExists?: true
  readonly ignoreNotFound?: true
}

/** `-f`: apply, create, replace and delete. */
export async function changeFiles(context: Context, verb: Verb, options: FilesOptions): Promise<ExitCode> {
  const wishes = (await wishesFrom(context, verb, options)).map(wish => inNamespace(wish, options))
  const wanted = verb === 'delete' ? wishes.map(goneFrom) : wishes
  return change(context, verb, wanted, options)
}

/** A file that names no namespace means that of `-n`. */
function inNamespace(wish: Wish, { namespace = DEFAULT_NAMESPACE }: Where): Wish {
  const { kind, document } = wish
  if (!kind.namespaced || document === undefined || document.metadata.namespace !== undefined) return wish
  if (kind.writtenBy === 'agents') return wish
  const placed = { ...document, metadata: { ...document.metadata, namespace } }
  return { ...wish, key: keyOfNamed(kind, placed.metadata), document: placed }
}

function goneFrom(wish: Wish): Wish {
  return { ...wish, document: undefined }
}

export interface DeleteOptions extends ChangeOptions {
  readonly selector?: string
  readonly all?: true
  readonly ignoreNotFound?: true
}

/** By kind and name, or by label. */
export async function deleteNamed(context: Context, words: readonly string[], options: DeleteOptions): Promise<ExitCode> {
  const wanted = wantedFrom(words)
  const selector = options.selector === undefined ? undefined : selectorFrom(options.selector)
  const wishes: Wish[] = []
  for (const { kind, names } of wanted) {
    const rows = await readRows(context, kind)
    if (names === undefined && selector === undefined && options.all !== true)
      throw failure('usage', {
        doing: 'delete',
        on: kind.plural,
        says: 'no name is given',
        mend: 'name them, or write --all or -l; nothing was changed',
      })
    const inside = rows.filter(row => isInside(row, options) && isSelected(selector, row))
    wishes.push(...(names === undefined ? inside.map(goneRow) : named(kind, names, rows, options)))
  }
  return change(context, 'delete', wishes, options)
}

function isInside({ kind, document }: Row, { namespace = DEFAULT_NAMESPACE, allNamespaces }: Where): boolean {
  return !kind.namespaced || allNamespaces === true || (document.metadata.namespace ?? DEFAULT_NAMESPACE) === namespace
}

function named(kind: Kind<unknown>, names: readonly string[], rows: readonly Row[], options: DeleteOptions): readonly Wish[] {
  return names.flatMap(typed => {
    const row = rowNamed(kind, typed, rows, options)
    if (row !== undefined) return [goneRow(row)]
    // It may be there, and nobody can read it: then its key says where it is.
    if (!kind.namespaced && kind.writtenBy !== 'agents' && rows.every(({ document }) => document.metadata.name !== typed))
      return [typedWish(kind, keyOfNamed(kind, placeOf(kind, typed, options)), undefined)]
    if (options.ignoreNotFound === true) return []
    throw noSuch('delete', kind, typed, rows)
  })
}

function rowNamed(kind: Kind<unknown>, typed: string, rows: readonly Row[], where: Where): Row | undefined {
  const at = placeOf(kind, typed, where)
  return rows.find(
    ({ document: { metadata } }) =>
      metadata.name === at.name && (!kind.namespaced || (metadata.namespace ?? DEFAULT_NAMESPACE) === at.namespace),
  )
}

function goneRow({ kind, key }: Row): Wish {
  return typedWish(kind, key, undefined)
}

/** What was typed, not written in a file. */
export function typedWish(kind: Kind<unknown>, key: string, document: Document | undefined): Wish {
  const tell = ({ at, says, shown }: Problem) => `${at === '' ? '' : `${at} `}${says}${shown === undefined ? '' : `\n${shown}`}`
  return { kind, key, document, from: '', tell }
}

/** The one resource that a kind and a name mean. */
async function theOne(context: Context, doing: string, words: readonly string[], where: Where): Promise<Row> {
  const [first, ...more] = wantedFrom(words)
  const [name, ...others] = first?.names ?? []
  if (first === undefined || name === undefined || more.length > 0 || others.length > 0)
    throw failure('usage', {
      doing,
      on: words.join(' '),
      says: 'it takes one resource',
      mend: 'write a kind and a name; nothing was changed',
    })
  const rows = await readRows(context, first.kind)
  const row = rowNamed(first.kind, name, rows, where)
  if (row === undefined) throw noSuch(doing, first.kind, name, rows)
  return row
}

export interface PatchOptions extends ChangeOptions {
  readonly patch: string
  readonly type: string
}

export async function patchNamed(context: Context, words: readonly string[], options: PatchOptions): Promise<ExitCode> {
  const type = PATCH_TYPES.find(one => one === options.type)
  if (type === undefined)
    throw failure('usage', {
      doing: 'use',
      on: `--type ${options.type}`,
      says: 'there is no such type of patch',
      mend: `write ${PATCH_TYPES.join(', ')}; nothing was changed`,
    })
  const row = await theOne(context, 'patch', words, options)
  const { parse } = await import('yaml')
  let patch: unknown
  try {
    patch = parse(options.patch)
  } catch (reason) {
    const says = reason instanceof Error ? (reason.message.split('\n')[0] ?? '') : ''
    throw failure('usage', { doing: 'read', on: 'the patch', says, mend: 'write JSON or YAML; nothing was changed' })
  }
  return change(context, 'patch', [rewritten(context, 'patch', row, patched(row.document, patch, type))], options)
}

/** A resource as it is to be, read by its kind as if it stood in a file; what is wrong is a usage failure with every problem. */
export function rewritten({ err }: Context, doing: string, row: Row, next: unknown): Wish {
  const parsed = row.kind.parse(next)
  if (!parsed.ok) {
    const says = parsed.problems.map(({ at, says }) => (at === '' ? says : `${at}: ${says}`)).join('; ')
    throw failure('usage', { doing, on: titleOf(row), says, mend: 'nothing was changed' })
  }
  for (const { at, says } of parsed.warnings) err(`warning: ${at} ${says}`)
  const wish = typedWish(row.kind, row.key, parsed.document)
  const { name, namespace } = parsed.document.metadata
  const was = row.document.metadata
  if (name === was.name && (namespace ?? DEFAULT_NAMESPACE) === (was.namespace ?? DEFAULT_NAMESPACE)) return wish
  throw failure('usage', {
    doing,
    on: titleOf(row),
    says: 'its name and namespace cannot be changed',
    mend: 'create another resource, and delete this one; nothing was changed',
  })
}

export interface LabelOptions extends ChangeOptions {
  readonly overwrite?: true
  readonly remove?: true
}

/** `rack=r1` puts a label, `rack-` takes it away. */
export async function labelNamed(
  context: Context,
  words: readonly string[],
  labels: readonly string[],
  options: LabelOptions,
): Promise<ExitCode> {
  const row = await theOne(context, 'label', words, options)
  if (labels.length === 0)
    throw failure('usage', {
      doing: 'label',
      on: titleOf(row),
      says: 'no label is given',
      mend: 'write label=value to put one, label- to take it away; nothing was changed',
    })
  const now: Record<string, string> = { ...row.document.metadata.labels }
  for (const text of labels) {
    const [name = '', ...value] = text.split('=')
    if (value.length === 0) delete now[labelGone(text, options)]
    else if (Object.hasOwn(now, name) && now[name] !== value.join('=') && options.overwrite !== true)
      throw failure('refused', {
        doing: 'label',
        on: titleOf(row),
        says: `${name} is ${now[name]} already`,
        mend: 'add --overwrite; nothing was changed',
      })
    else now[name] = value.join('=')
  }
  const { labels: _, ...metadata } = row.document.metadata
  const next = { ...row.document, metadata: { ...metadata, ...(Object.keys(now).length === 0 ? {} : { labels: now }) } }
  return change(context, 'label', [rewritten(context, 'label', row, next)], options)
}

function labelGone(text: string, { remove }: LabelOptions): string {
  if (text.endsWith('-')) return text.slice(0, -1)
  if (remove === true) return text
  throw failure('usage', {
    doing: 'use',
    on: `label ${text}`,
    says: 'it has no value',
    mend: `write ${text}=value to put it, ${text}- to take it away; nothing was changed`,
  })
}

/** Plans, says what there is to say, and does it unless it is a dry run. */
export async function change(
  context: Context,
  verb: Verb,
  wishes: readonly Wish[],
  options: ChangeOptions & { readonly skipExists?: true; readonly ignoreNotFound?: true },
): Promise<ExitCode> {
  const patience = options.wait === true ? patienceFrom(options) : undefined
  const request = {
    verb,
    wishes,
    options: {
      now: context.clock.wall().toISOString(),
      lenient: options.skipExists === true || options.ignoreNotFound === true,
    },
    made: verb === 'apply' || verb === 'create',
  }
  const plan = await planned(context, request)
  await refuseImpossible(context, plan.steps)
  await adviseOn(context, plan)
  if (options.dryRun === true) {
    await report(context, undone(plan.steps), { verb, dryRun: true })
    return EXIT.ok
  }
  const done = await carryOut(context, request, plan)
  await report(context, done, { verb, dryRun: false })
  return patience === undefined ? EXIT.ok : awaitAgents(context, done, patience)
}
