/** Kinds, their fields and the names of their resources, for those who type them. */

import { explainKind } from '@network/model/resources/describe.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { KINDS, kindNamed } from '@network/model/resources/kinds.ts'
import type { Explained } from '@network/model/schema/explain.ts'
import type { Context } from '../context.ts'
import { readRows } from '../resources/stock.ts'
import type { Candidate } from './complete.ts'

export function kinds(): readonly Candidate[] {
  return KINDS.map(({ plural, doc }) => ({ word: plural, about: doc }))
}

/** `ippool.spec.c` goes on with the fields below `ippool.spec`; without a dot, the kinds. */
export function fields(partial: string): readonly Candidate[] {
  const dot = partial.lastIndexOf('.')
  const kind = kindNamed(partial.slice(0, Math.max(0, partial.indexOf('.'))))
  if (dot < 0 || kind === undefined) return KINDS.map(one => ({ word: one.kind.toLowerCase(), about: one.doc }))
  const front = partial.slice(0, dot)
  const above = front.includes('.') ? front.slice(front.indexOf('.') + 1) : ''
  return below(explainKind(kind), above).map(({ path, doc }) => ({
    word: `${front}.${path.slice(path.lastIndexOf('.') + 1)}`,
    about: doc,
  }))
}

function below(of: Explained, path: string): readonly Explained[] {
  if (of.path.replaceAll('[]', '') === path) return of.fields
  return of.fields.flatMap(field => below(field, path))
}

/** Names of the kind that stands before them on the line. */
export async function names(context: Context, [first = '']: readonly string[]): Promise<readonly Candidate[]> {
  const kind = kindNamed(first)
  return kind === undefined ? [] : namesOf({ ...context, err: () => undefined }, kind)
}

export async function namesOf(context: Context, kind: Kind<unknown>): Promise<readonly Candidate[]> {
  return (await readRows(context, kind)).map(({ document }) => ({ word: document.metadata.name }))
}
