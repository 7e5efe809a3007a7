/** What `calictl explain` prints. */

import { didYouMean } from '@network/base/text/closest.ts'
import { explainKind, explainPath } from '@network/model/resources/describe.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import type { Explained } from '@network/model/schema/explain.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { table } from '../render/table.ts'
import { wrapped } from '../render/wrap.ts'
import { kindFrom } from './which.ts'

export async function explainField(context: Context, path: string): Promise<ExitCode> {
  const dot = path.indexOf('.')
  const kind = kindFrom(dot < 0 ? path : path.slice(0, dot))
  const below = dot < 0 ? '' : path.slice(dot + 1)
  const root = explainKind(kind)
  const found = below === '' ? root : explainPath(kind, below)
  if (found === undefined) throw noField(kind, root, below)
  await show(context, { document: { kind: 'Explanation', of: kind.kind, ...found }, text: textOf(kind, found) })
  return EXIT.ok
}

function noField(kind: Kind<unknown>, root: Explained, path: string) {
  const known = everything(root).map(one => one.path.replaceAll('[]', ''))
  const last = known.filter(one => one.endsWith(`.${path}`))
  const near = didYouMean(path, [...known, ...known.map(one => one.replace(/^spec\./, ''))])
  return failure('notFound', {
    doing: 'explain',
    on: `${kind.kind}.${path}`,
    says: 'there is no such field',
    mend: `${last.length > 0 ? `did you mean ${last.join(' or ')}? ` : near}calictl explain ${kind.kind.toLowerCase()} lists them`,
  })
}

function everything(of: Explained): readonly Explained[] {
  return of.fields.flatMap(field => [field, ...everything(field)])
}

function textOf(kind: Kind<unknown>, found: Explained): string {
  const { path, doc, fields, rules, immutable, required } = found
  const head = path === '' ? `${kind.kind} (${namesOf(kind)})` : `${kind.kind}.${path}: ${kindOfValue(found)}`
  const facts = [
    ...(found.default === undefined ? [] : [`Default: ${found.default}`]),
    ...(required && path !== '' ? ['It must be there.'] : []),
    ...(immutable ? ['It cannot be changed once the resource is there.'] : []),
    ...rules.map(rule => `Rule: ${rule}`),
  ]
  return [
    head,
    ...wrapped(`  ${doc}`, '  ').split('\n'),
    ...facts.map(fact => wrapped(`  ${fact}`, '    ')),
    ...(fields.length === 0 ? [] : ['', fieldTable(found)]),
  ].join('\n')
}

function namesOf({ plural, shortNames, namespaced }: Kind<unknown>): string {
  return `${[plural, ...shortNames].join(', ')}; ${namespaced ? 'in a namespace' : 'for the whole cluster'}`
}

function kindOfValue({ type, bounds, unit }: Explained): string {
  const limits = [bounds, unit].filter(one => one !== '').join(' ')
  return limits === '' ? type : `${type}, ${limits}`
}

/** A field a row; of mappings in it, their fields too. */
function fieldTable(found: Explained): string {
  const shown =
    found.path === '' ? found.fields.flatMap(part => (part.path === 'metadata' ? [part] : [part, ...part.fields])) : found.fields
  return table(
    ['FIELD', 'TYPE', 'DEFAULT', 'MEANING'],
    shown.map(one => [one.path, kindOfValue(one), one.default ?? (one.required ? 'required' : ''), one.doc]),
  )
}
