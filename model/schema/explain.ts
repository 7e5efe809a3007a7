/** What there is to say of a field, by its path: what `calictl explain` and the reference pages print. */

import type { Field } from './field.ts'

export interface Explained {
  /** `spec.cidr`; empty for the document. A list's entries are `spec.filters[]`. */
  readonly path: string
  readonly type: string
  readonly doc: string
  readonly required: boolean
  /** As JSON; undefined where there is none. */
  readonly default: string | undefined
  /** Values or range; empty where everything of the type is taken. */
  readonly bounds: string
  readonly unit: string
  readonly immutable: boolean
  /** Rules between its members, one sentence each. */
  readonly rules: readonly string[]
  /** Directly below it. */
  readonly fields: readonly Explained[]
}

/** Describes a field and all below it. */
export function explain(field: Field<unknown>, path: string): Explained {
  const { type, doc, required, standard, bounds, unit, immutable } = field
  return {
    path,
    type,
    doc,
    required,
    default: standard === undefined ? undefined : JSON.stringify(standard),
    bounds,
    unit,
    immutable,
    rules: rulesOf(field),
    fields: membersBelow(field).map(([name, member]) =>
      explain(member, `${path}${listMark(field)}${path === '' ? '' : '.'}${name}`),
    ),
  }
}

/** The explanation of what is at `path` below `root`; marks of lists may be left out. */
export function explainedAt(root: Explained, path: string): Explained | undefined {
  const wanted = path.replace(/\[[^\]]*\]/g, '')
  if (root.path.replaceAll('[]', '') === wanted) return root
  for (const one of root.fields) {
    const found = explainedAt(one, path)
    if (found !== undefined) return found
  }
  return undefined
}

function listMark(field: Field<unknown>): string {
  return field.items === undefined ? '' : '[]'
}

function membersBelow(field: Field<unknown>): readonly [string, Field<unknown>][] {
  return Object.entries(field.members ?? field.items?.members ?? {})
}

function rulesOf(field: Field<unknown>): readonly string[] {
  const holder = field.members === undefined ? field.items : field
  if (holder === undefined || !('rules' in holder) || !Array.isArray(holder.rules)) return []
  return holder.rules.map((rule: { readonly at: string; readonly says: string }) =>
    rule.at === '' ? rule.says : `${rule.at} ${rule.says}`,
  )
}
