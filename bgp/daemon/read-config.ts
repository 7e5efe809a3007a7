/** The text of a configuration → its values, or every problem with line, field and what mends it. */
import * as v from 'valibot'
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { type Config, configSchema } from './schema.ts'

export interface Problem {
  /** Both from 1. */
  readonly line: number
  readonly column: number
  /** `neighbours.0.asn`; empty: the document as a whole. */
  readonly field: string
  readonly says: string
}

export type ReadConfig =
  | { readonly ok: true; readonly config: Config; readonly at: (path: readonly (string | number)[]) => Position }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export interface Position {
  readonly line: number
  readonly column: number
}

type Document = ReturnType<typeof parseDocument>

/** YAML, and so JSON too. Total: any text gives a verdict. */
export function readConfig(text: string): ReadConfig {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, strict: true, uniqueKeys: true })
  if (document.errors.length > 0)
    return {
      ok: false,
      problems: document.errors.map(error => ({ ...at(lines, error.pos[0]), field: '', says: oneLine(error.message) })),
    }
  const plain = plainOf(document)
  if (!plain.ok) return { ok: false, problems: [{ line: 1, column: 1, field: '', says: plain.says }] }
  const parsed = v.safeParse(configSchema, plain.value)
  const position = (path: readonly (string | number)[]) => positionOf(document, lines, path)
  if (parsed.success) return { ok: true, config: parsed.output, at: position }
  return { ok: false, problems: parsed.issues.map(issue => problemOf(issue, position)) }
}

/** `file:12:5: neighbours.0.asn: must be …`, one a line. */
export function sayProblems(file: string, problems: readonly Problem[]): string {
  return problems
    .map(({ line, column, field, says }) => `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${says}`)
    .join('\n')
}

type Plain = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly says: string }

/** Aliases that lead nowhere, or that would grow without bound, are problems like others. */
function plainOf(document: Document): Plain {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) ?? {} }
  } catch (thrown) {
    if (thrown instanceof ReferenceError)
      return { ok: false, says: `${thrown.message}: define it with &, or write the value out` }
    throw thrown
  }
}

function problemOf(issue: v.BaseIssue<unknown>, position: (path: readonly (string | number)[]) => Position): Problem {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)))
  return { ...position(path), field: path.join('.'), says: sentenceOf(issue) }
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return `no such setting here${similar(issue)}`
  return issue.received === 'undefined' ? 'is missing: add it' : issue.message
}

/** The mapping around an unknown key tells nothing of its schema: names are compared over the whole of it. */
function similar(issue: v.BaseIssue<unknown>): string {
  const wrong = String(issue.path?.at(-1)?.key ?? '')
  const close = KNOWN_NAMES.filter(name => isClose(name.toLowerCase(), wrong.toLowerCase()))
  return close.length === 0 ? ': remove it' : `: did you mean ${close.join(' or ')}?`
}

const KNOWN_NAMES: readonly string[] = [...new Set(namesIn(configSchema))]

function namesIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'entries' in schema && typeof schema.entries === 'object' && schema.entries !== null ? schema.entries : {}
  const below = ['wrapped', 'item', 'value'].flatMap(part => (part in schema ? namesIn(Reflect.get(schema, part)) : []))
  const piped = 'pipe' in schema && Array.isArray(schema.pipe) ? schema.pipe.slice(1).flatMap(namesIn) : []
  return [...Object.keys(own), ...Object.values(own).flatMap(namesIn), ...below, ...piped]
}

/** At most two letters are missing, too many or others. */
function isClose(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2 || a.length < 3) return false
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1]
    for (const [place, other] of [...b].entries())
      next.push(Math.min((row[place] ?? 0) + (letter === other ? 0 : 1), (row[place + 1] ?? 0) + 1, (next[place] ?? 0) + 1))
    row = next
  }
  return (row.at(-1) ?? 9) <= 2
}

/** Where the value stands, its key where it has one; the nearest thing around it where it is missing. */
function positionOf(document: Document, lines: LineCounter, path: readonly (string | number)[]): Position {
  for (let depth = path.length; depth > 0; depth--) {
    const key = path[depth - 1]
    const around = depth === 1 ? document.contents : nodeAt(document, path.slice(0, depth - 1))
    if (isMap(around)) {
      const pair = around.items.find(item => isScalar(item.key) && String(item.key.value) === String(key))
      if (pair !== undefined && isScalar(pair.key) && pair.key.range) return at(lines, pair.key.range[0])
    }
    const node = nodeAt(document, path.slice(0, depth))
    if (node?.range) return at(lines, node.range[0])
  }
  return { line: 1, column: 1 }
}

function nodeAt(document: Document, path: readonly (string | number)[]): Node | undefined {
  const found: unknown = document.getIn(path, true)
  return isNode(found) ? found : undefined
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'range' in value
}

function at(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function oneLine(message: string): string {
  return message.split('\n')[0]?.replace(/:$/, '') ?? message
}
