/** Changes to a document as people write them: RFC 7396 merge patches, RFC 6902 lists of operations. */

import { isRecord } from '@network/model/schema/field.ts'
import { failure } from '../exit.ts'

export const PATCH_TYPES = ['merge', 'strategic', 'json'] as const
export type PatchType = (typeof PATCH_TYPES)[number]

/** A document with a patch applied; no document knows lists that a strategic patch would merge, so it is a merge patch. */
export function patched(document: unknown, patch: unknown, type: PatchType): unknown {
  if (type === 'json') return operated(document, patch)
  if (isRecord(patch)) return merged(document, patch)
  throw wrong(Array.isArray(patch) ? 'a list of operations goes with --type json' : 'it is no mapping of fields')
}

/** RFC 7396: null takes a member away, a mapping goes into a mapping, anything else replaces. */
export function merged(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  }
  return result
}

function operated(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw wrong('it is no list of operations', '[{"op": "replace", "path": "/spec/ipipMode", "value": "Never"}]')
  return patch.reduce<unknown>((now, operation: unknown, index) => apply(now, operation, index), structuredClone(document))
}

function apply(document: unknown, operation: unknown, index: number): unknown {
  if (!isRecord(operation) || typeof operation['op'] !== 'string' || typeof operation['path'] !== 'string')
    throw wrong(`operation ${index + 1} lacks op or path`)
  const { op, path, from, value } = operation
  const needsFrom = op === 'move' || op === 'copy'
  if (needsFrom && typeof from !== 'string') throw wrong(`operation ${index + 1} lacks from`)
  const taken = needsFrom && typeof from === 'string' ? valueAt(document, pointer(from), index) : value
  switch (op) {
    case 'add':
    case 'copy':
      return put(document, pointer(path), structuredClone(taken), { index, insert: true })
    case 'move':
      return put(drop(document, pointer(String(from)), index), pointer(path), taken, { index, insert: true })
    case 'replace':
      valueAt(document, pointer(path), index)
      return put(document, pointer(path), taken, { index, insert: false })
    case 'remove':
      return drop(document, pointer(path), index)
    case 'test':
      if (JSON.stringify(valueAt(document, pointer(path), index)) === JSON.stringify(value)) return document
      throw failure('refused', {
        doing: 'patch',
        on: path,
        says: `it is not ${JSON.stringify(value)}`,
        mend: 'nothing was changed',
      })
    default:
      throw wrong(`operation ${index + 1} has op "${op}"`, 'add, remove, replace, move, copy or test')
  }
}

function pointer(path: string): readonly string[] {
  if (path === '') return []
  if (!path.startsWith('/')) throw wrong(`path "${path}" does not begin with "/"`)
  return path
    .slice(1)
    .split('/')
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function valueAt(document: unknown, steps: readonly string[], index: number): unknown {
  return steps.reduce<unknown>((of, step) => {
    const found = Array.isArray(of) ? of[Number(step)] : isRecord(of) && Object.hasOwn(of, step) ? of[step] : undefined
    if (found === undefined) throw wrong(`operation ${index + 1}: there is nothing at /${steps.join('/')}`)
    return found
  }, document)
}

interface Putting {
  readonly index: number
  /** Into a list, not over an entry of it. */
  readonly insert: boolean
}

function put(document: unknown, [step, ...rest]: readonly string[], value: unknown, how: Putting): unknown {
  if (step === undefined) return value
  if (Array.isArray(document)) {
    const at = step === '-' ? document.length : Number(step)
    if (!Number.isInteger(at) || at < 0 || at > document.length)
      throw wrong(`operation ${how.index + 1}: no entry ${step} in the list`)
    if (rest.length > 0) return document.with(at, put(document[at], rest, value, how))
    return document.toSpliced(at, how.insert ? 0 : 1, value)
  }
  const holder = isRecord(document) ? document : {}
  return { ...holder, [step]: put(holder[step], rest, value, how) }
}

function drop(document: unknown, steps: readonly string[], index: number): unknown {
  valueAt(document, steps, index)
  const [step = '', ...rest] = steps
  if (Array.isArray(document))
    return rest.length > 0
      ? document.with(Number(step), drop(document[Number(step)], rest, index))
      : document.toSpliced(Number(step), 1)
  if (!isRecord(document)) return document
  const { [step]: inner, ...others } = document
  return rest.length > 0 ? { ...document, [step]: drop(inner, rest, index) } : others
}

function wrong(says: string, write = '{"spec": {"ipipMode": "Never"}}') {
  return failure('usage', { doing: 'use', on: 'the patch', says, mend: `write ${write}; nothing was changed` })
}
