/** kubectl's templates: text with paths in braces, `{.items[*].metadata.name}`, and `{range …}{end}`. */

import { JSONPath } from 'jsonpath-plus'
import { failure } from '../exit.ts'

type Part =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'path'; readonly path: string }
  | { readonly is: 'range'; readonly path: string; readonly parts: readonly Part[] }

/** A template filled in from a document; values of one path are separated by a blank, as kubectl does. A wrong one is a usage failure. */
export function fillTemplate(template: string, document: unknown): string {
  const parts = partsOf(/[{]/.test(template) ? template : `{${template}}`)
  return fill(parts, document, document)
}

/** The values at a path such as `.metadata.name`; of nothing where it leads nowhere. */
export function valuesAt(path: string, document: unknown): readonly unknown[] {
  return evaluate(path, document, document)
}

function fill(parts: readonly Part[], root: unknown, here: unknown): string {
  return parts
    .map(part => {
      if (part.is === 'text') return part.text
      const values = evaluate(part.path, root, here)
      if (part.is === 'path') return values.map(written).join(' ')
      return values.map(value => fill(part.parts, root, value)).join('')
    })
    .join('')
}

export function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function evaluate(path: string, root: unknown, here: unknown): readonly unknown[] {
  const fromRoot = path.startsWith('$')
  const json = fromRoot ? root : here
  if (typeof json !== 'object' || json === null) return /^[$@]?\.?$/.test(path) ? [json] : []
  try {
    const found: unknown = JSONPath({ path: inFull(path), json, eval: 'safe', wrap: true })
    return Array.isArray(found) ? found : []
  } catch (reason) {
    throw wrong(path, reason instanceof Error ? reason.message : String(reason))
  }
}

/** kubectl leaves the root out, writes dots in names as `\.`, and counts from the end. */
function inFull(path: string): string {
  const body = path.replace(/^[$@]/, '')
  const full = `$${body === '' || /^[.[]/.test(body) ? body : `.${body}`}`
  return full
    .replace(/\.((?:[^.[\]\\\s]|\\.)*\\\.(?:[^.[\]\\\s]|\\.)*)/g, (_, name: string) => `['${name.replaceAll('\\.', '.')}']`)
    .replace(/\[-(\d+)\]/g, (_, back: string) => (back === '1' ? '[-1:]' : `[-${back}:-${Number(back) - 1}]`))
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function partsOf(template: string): readonly Part[] {
  const pieces = template.match(/\{(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^{}"'])*\}|[^{}]+|[{}]/g) ?? []
  const queue = [...pieces]
  const parts = untilEnd(queue, template)
  if (queue.length > 0) throw wrong(template, '{end} without {range}')
  return parts
}

function untilEnd(queue: string[], template: string): Part[] {
  const parts: Part[] = []
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
    if (piece === '{' || piece === '}') throw wrong(template, 'a brace has no partner')
    const inside = piece.startsWith('{') ? piece.slice(1, -1).trim() : undefined
    const quoted = inside === undefined ? undefined : /^(["'])(.*)\1$/s.exec(inside)?.[2]
    if (inside === undefined) parts.push({ is: 'text', text: piece })
    else if (quoted !== undefined) parts.push({ is: 'text', text: unescaped(quoted) })
    else if (inside === 'end') {
      queue.unshift(piece)
      return parts
    } else if (inside.startsWith('range ')) {
      const inner = untilEnd(queue, template)
      if (queue.shift() === undefined) throw wrong(template, '{range} without {end}')
      parts.push({ is: 'range', path: inside.slice('range '.length).trim(), parts: inner })
    } else parts.push({ is: 'path', path: inside })
  }
  return parts
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, one: string) => ESCAPES[one] ?? one)
}

function wrong(template: string, says: string) {
  return failure('usage', {
    doing: 'use',
    on: `-o jsonpath=${template}`,
    says,
    mend: "write for example -o jsonpath='{.items[*].metadata.name}'",
  })
}
