/** `natOutgoing=true nodeSelector=all()`: fields as people type them on a line, by the types that their kind gives them. */

import { didYouMean } from '@network/base/text/closest.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import type { Field, Members } from '@network/model/schema/field.ts'
import { failure } from '../exit.ts'

/** A merge patch for `spec`; an empty value takes the field away, so that its default holds again. */
export async function specPatch(kind: Kind<unknown>, pairs: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  let patch: unknown = {}
  for (const pair of pairs) patch = placedIn(patch, await onePatch(kind, pair))
  return { spec: patch }
}

/** A patch with one more member; null stays, for it is what the patch says. */
function placedIn(target: unknown, [path, value]: readonly [readonly string[], unknown]): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  const holder: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {}
  return { ...holder, [step]: placedIn(holder[step], [rest, value]) }
}

async function onePatch(kind: Kind<unknown>, pair: string): Promise<readonly [readonly string[], unknown]> {
  const at = pair.indexOf('=')
  if (at <= 0)
    throw failure('usage', {
      doing: 'use',
      on: pair,
      says: 'it is no field=value',
      mend: `calictl explain ${kind.kind.toLowerCase()}.spec lists the fields; nothing was changed`,
    })
  const { path, field } = fieldAt(kind, pair.slice(0, at))
  const text = pair.slice(at + 1)
  return [path, text === '' ? null : await typedValue(field, text)]
}

interface Found {
  readonly path: readonly string[]
  readonly field: Field<unknown>
}

function fieldAt(kind: Kind<unknown>, typed: string): Found {
  const words = typed.replace(/^spec\./, '').split('.')
  const all = [...leaves(kind.spec.members, [])]
  const exact = all.find(({ path }) => same(path.join('.'), words.join('.')))
  const last = all.filter(({ path }) => words.length === 1 && same(path.at(-1) ?? '', words[0] ?? ''))
  const [only, ...others] = last
  const found = exact ?? (others.length === 0 ? only : undefined)
  if (found !== undefined) return found
  const known = all.map(({ path }) => path.join('.'))
  throw failure('usage', {
    doing: 'set',
    on: typed,
    says: `${kind.kind} has no such field`,
    mend: `${didYouMean(typed, known)}the fields are ${known.join(', ')}; nothing was changed`,
  })
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

function* leaves(members: Members, above: readonly string[]): Generator<Found> {
  for (const [name, field] of Object.entries(members)) {
    const path = [...above, name]
    if (field.members === undefined) yield { path, field }
    else yield* leaves(field.members, path)
  }
}

const TRUE = /^(?:true|yes|on)$/i
const FALSE = /^(?:false|no|off)$/i

/** Words become what the field wants; what does not fit stays text, and the kind says what is wrong with it. */
async function typedValue(field: Field<unknown>, text: string): Promise<unknown> {
  const { json, items } = field
  if (items !== undefined) {
    if (!/^[[{]/.test(text)) return text.split(',').map(one => simple(items, one.trim()))
    const { parse } = await import('yaml')
    try {
      return parse(text)
    } catch {
      return text
    }
  }
  return simple({ json }, text)
}

function simple({ json }: Pick<Field<unknown>, 'json'>, text: string): unknown {
  const { type, enum: choices } = json
  if (type === 'boolean') return TRUE.test(text) ? true : FALSE.test(text) ? false : text
  if ((type === 'integer' || type === 'number') && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (!Array.isArray(choices)) return text
  return choices.find((one: unknown) => typeof one === 'string' && same(one, text)) ?? text
}
