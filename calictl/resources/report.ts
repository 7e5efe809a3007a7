/** What a change did, or would do: a line a resource, with what became different of it. */

import type { Document } from '@network/model/resources/kind.ts'
import { isRecord } from '@network/model/schema/field.ts'
import { type Context, itemsOf, show } from '../context.ts'
import { counted } from './files.ts'
import type { Does, Step, Verb } from './plan.ts'
import { shown } from './stock.ts'
import type { Done } from './write.ts'

export interface ReportOptions {
  readonly verb: Verb
  /** Nothing was written. */
  readonly dryRun: boolean
}

const DONE: Readonly<Record<Does, string>> = {
  create: 'created',
  change: 'changed',
  delete: 'deleted',
  nothing: 'unchanged',
}

/** People read lines, programs the documents as they are now; what is gone comes as it was. */
export async function report(context: Context, done: readonly Done[], { verb, dryRun }: ReportOptions): Promise<void> {
  const documents = done.map(visible)
  const [only, ...others] = documents
  const text = done.flatMap(one => linesOf(one, verb, dryRun)).join('\n')
  const document = only !== undefined && others.length === 0 ? only : { apiVersion: 'v1', kind: 'List', items: documents }
  if (done.length === 0 && itemsOf(document).length === 0) return context.out(`nothing to ${verb}`)
  await show(context, { document, text })
}

/** Steps of a plan that is not carried out. */
export function undone(steps: readonly Step[]): readonly Done[] {
  return steps.map(step => ({ step, revision: step.before?.revision, also: [] }))
}

function visible({ step: { wish, before, after, does }, revision }: Done): Document | undefined {
  const source = does === 'create' || does === 'change' ? after : before?.document
  const parsed = wish.kind.parseStored(source)
  if (!parsed.ok) return wish.document
  return revision === undefined || does === 'delete' ? parsed.document : shown(parsed.document, revision)
}

function linesOf({ step, also }: Done, verb: Verb, dryRun: boolean): readonly string[] {
  const { wish, does, before, after } = step
  const name = `${wish.kind.kind.toLowerCase()}/${nameIn(step)}`
  const what = does === 'nothing' && before === undefined ? 'not there' : wordFor(verb, does)
  const differences = does === 'change' ? changes(before?.document, after, '') : []
  return [`${name} ${what}${dryRun ? ' (dry run)' : ''}`, ...[...differences, ...also].map(line => `  ${line}`)]
}

function wordFor(verb: Verb, does: Does): string {
  if (does !== 'change') return DONE[does]
  return verb === 'patch' ? 'patched' : verb === 'replace' ? 'replaced' : verb === 'label' ? 'labeled' : 'changed'
}

function nameIn({ wish: { key, document, kind } }: Step): string {
  const name = document?.metadata.name ?? key.slice(key.lastIndexOf('/') + 1)
  const namespace = document?.metadata.namespace ?? (kind.namespaced ? key.split('/').at(-2) : undefined)
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** `spec.ipipMode: Never -> Always`, a line a field. */
export function changes(before: unknown, after: unknown, at: string): readonly string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return names.flatMap(name => changes(before[name], after[name], at === '' ? name : `${at}.${name}`))
  }
  return [`${at}: ${shortly(before)} -> ${shortly(after)}`]
}

function shortly(value: unknown): string {
  if (value === undefined) return '(none)'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** How many of what kind: Calico's users look for it. */
export function summary(done: readonly Done[]): string {
  const words = [...Map.groupBy(done, ({ step }) => DONE[step.does])].map(([word, alike]) => `${alike.length} ${word}`)
  return `${counted(done.length, 'resource')}: ${words.join(', ')}`
}
