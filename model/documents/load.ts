/** Reads files of documents: YAML or JSON, one or many, lists taken apart; every problem with its line. */

import { isMap, isNode, isScalar, LineCounter, parseAllDocuments } from 'yaml'
import { API_VERSION, type Document, isRecord, type Kind, type Problem } from '../resources/kind.ts'
import { closestKind, KINDS, KINDS_LACKING, kindOfDocument } from '../resources/kinds.ts'

export interface Place {
  /** From 1. */
  readonly line: number
}

export type Loaded = Place &
  (
    | {
        readonly is: 'read'
        readonly kind: Kind<unknown>
        readonly key: string
        /** As it is to be stored. */
        readonly document: Document
        readonly warnings: readonly Located[]
        /** Of a path of the document, for problems that only its neighbours make. */
        readonly lineOf: (at: string) => number
      }
    /** Of a kind that Calico has and we do not: nothing to store, and no mistake of the user's. */
    | { readonly is: 'lacking'; readonly kindName: string; readonly name: string }
    | {
        readonly is: 'wrong'
        readonly kindName: string | undefined
        readonly name: string | undefined
        readonly problems: readonly Located[]
      }
  )

export type Located = Problem & Place

const MAX_ALIASES = 100

/** All documents of a text, in their order; empty ones are passed over. */
export function loadDocuments(text: string): readonly Loaded[] {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  if (!Array.isArray(parsed)) return []
  return parsed.flatMap(one => readOne(one, offset => lines.linePos(offset).line))
}

function readOne(one: YamlDocument, lineAt: (offset: number) => number): readonly Loaded[] {
  const line = lineAt(one.contents?.range?.[0] ?? 0)
  const wrong = (problems: readonly Located[]): readonly Loaded[] => [
    { is: 'wrong', line: problems[0]?.line ?? line, kindName: undefined, name: undefined, problems },
  ]
  if (one.errors.length > 0)
    return wrong(one.errors.map(({ message, pos }) => ({ at: '', says: `is not YAML: ${message}`, line: lineAt(pos[0]) })))
  const value = valueOfDocument(() => one.toJS({ maxAliasCount: MAX_ALIASES }))
  if (!value.ok) return wrong([{ at: '', says: value.says, line }])
  if (value.js === null || value.js === undefined) return []
  return itemsOf(value.js).map(({ item, path }) =>
    understand(item, at => lineOfPath(one.contents, [...path, ...stepsOf(at)], lineAt) ?? line),
  )
}

type YamlDocument = ReturnType<typeof parseAllDocuments>[number]

type Value = { readonly ok: true; readonly js: unknown } | { readonly ok: false; readonly says: string }

function valueOfDocument(read: () => unknown): Value {
  try {
    return { ok: true, js: read() }
  } catch (reason) {
    return { ok: false, says: `cannot be read: ${reason instanceof Error ? reason.message : String(reason)}` }
  }
}

interface Item {
  readonly item: unknown
  readonly path: readonly (string | number)[]
}

/** `kind: List` and `kind: IPPoolList` are their items. */
function itemsOf(value: unknown): readonly Item[] {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || !value['kind'].endsWith('List') || !Array.isArray(value['items']))
    return [{ item: value, path: [] }]
  return value['items'].map((item: unknown, index) => ({ item, path: ['items', index] }))
}

function understand(item: unknown, lineOf: (at: string) => number): Loaded {
  const line = lineOf('')
  const located = (problem: Problem): Located => ({ ...problem, line: lineOf(problem.at) })
  if (!isRecord(item)) {
    const problems = [located({ at: '', says: 'must be a document with apiVersion, kind, metadata and spec' })]
    return { is: 'wrong', line, kindName: undefined, name: undefined, problems }
  }
  const kindName = typeof item['kind'] === 'string' ? item['kind'] : undefined
  const meta = item['metadata']
  const name = isRecord(meta) && typeof meta['name'] === 'string' ? meta['name'] : undefined
  const kind = kindName === undefined ? undefined : kindOfDocument(kindName)
  if (kind === undefined && kindName !== undefined && KINDS_LACKING.includes(kindName))
    return { is: 'lacking', line, kindName, name: name ?? '' }
  if (kind === undefined) return { is: 'wrong', line, kindName, name, problems: [located(unknownKind(item))] }
  const parsed = kind.parse(item)
  if (!parsed.ok) return { is: 'wrong', line, kindName, name, problems: parsed.problems.map(located) }
  const { value, document, warnings } = parsed
  return { is: 'read', line, kind, key: kind.keyOf(value), document, warnings: warnings.map(located), lineOf }
}

function unknownKind(item: Readonly<Record<string, unknown>>): Problem {
  const { kind, apiVersion } = item
  if (kind === undefined || kind === null)
    return { at: 'kind', says: `is missing; the kinds are ${KINDS.map(one => one.kind).join(', ')}` }
  if (typeof kind !== 'string') return { at: 'kind', says: 'must be text, such as IPPool' }
  const near = closestKind(kind)
  if (near !== undefined) return { at: 'kind', says: `there is no kind ${kind}: did you mean ${near}?` }
  const foreign = typeof apiVersion === 'string' && apiVersion !== API_VERSION ? ` (apiVersion ${apiVersion} is not of Cali)` : ''
  return { at: 'kind', says: `there is no kind ${kind}${foreign}; the kinds are ${KINDS.map(one => one.kind).join(', ')}` }
}

/** `spec.rules[0].cidr` taken apart. */
function stepsOf(at: string): readonly (string | number)[] {
  const found = at.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)
  return [...found].map(([, quoted, index, plain]) => quoted ?? (index === undefined ? (plain ?? '') : Number(index)))
}

/** The line of what is at a path, or of the nearest thing above it that is there. */
function lineOfPath(root: unknown, steps: readonly (string | number)[], lineAt: (offset: number) => number): number | undefined {
  let node = root
  let line = isNode(node) ? offsetLine(node.range?.[0], lineAt) : undefined
  for (const step of steps) {
    const next = below(node, step)
    if (next === undefined) return line
    line = offsetLine(next.offset, lineAt) ?? line
    node = next.node
  }
  return line
}

function offsetLine(offset: number | undefined, lineAt: (offset: number) => number): number | undefined {
  return offset === undefined ? undefined : lineAt(offset)
}

function below(
  node: unknown,
  step: string | number,
): { readonly node: unknown; readonly offset: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
    if (pair === undefined) return undefined
    return { node: pair.value, offset: isNode(pair.key) ? pair.key.range?.[0] : undefined }
  }
  if (!isNode(node) || !('items' in node) || !Array.isArray(node.items) || typeof step !== 'number') return undefined
  const item: unknown = node.items[step]
  return item === undefined ? undefined : { node: item, offset: isNode(item) ? item.range?.[0] : undefined }
}

/** `ippool.yaml:7: spec.cidr: is missing`, with the lines that point at a character below it. */
export function tellProblem({ at, says, shown, line }: Located, file: string): string {
  const first = `${file}:${line}: ${at === '' ? '' : `${at}: `}${says}`
  return shown === undefined ? first : [first, ...shown.split('\n').map(one => `    ${one}`)].join('\n')
}
