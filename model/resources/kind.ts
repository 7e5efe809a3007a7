/** What every kind of resource has: a key, a parser that reports all problems at once, and a printer. */
import * as v from 'valibot'

/** Something wrong in a document: where, and what mends it. */
export interface Problem {
  /** Path from the document's root: `spec.cidr`. */
  readonly at: string
  readonly says: string
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** A resource as it is stored and as its user writes it. */
export interface Document {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: Readonly<Record<string, unknown>>
}

export interface Kind<T> {
  /** As written in documents: `IPPool`. */
  readonly kind: string
  /** As written in keys and commands: `ippools`. */
  readonly plural: string
  parse(input: unknown): Parsed<T>
  print(value: T): Document
  /** The datastore key of a value. */
  keyOf(value: T): string
}

export const API_VERSION = 'projectcalico.org/v3'
/** Every key of ours begins so. */
export const KEY_ROOT = '/cali/v1/'

/** The prefix under which all documents of a kind lie. */
export function keyPrefixOf(plural: string): string {
  return `${KEY_ROOT}${plural}/`
}

/** A Calico field that exists there and is not acted upon here. */
export interface Unsupported {
  /** Path from the root: `spec.natOutgoing`. */
  readonly at: string
  /** Values that mean "do nothing", and so are fine. */
  readonly harmless: readonly unknown[]
}

/** Builds a parser from a schema of the whole document; fields that only Calico has become warnings before the schema sees them. */
export function parserOf<T>(
  kind: string,
  schema: v.GenericSchema<unknown, T>,
  unsupported: readonly Unsupported[] = [],
): (input: unknown) => Parsed<T> {
  return input => {
    const { rest, warnings } = setAside(input, unsupported)
    const result = v.safeParse(schema, rest)
    if (result.success) return { ok: true, value: result.output, warnings }
    return { ok: false, problems: result.issues.map(issue => toProblem(kind, issue)) }
  }
}

function toProblem(kind: string, issue: v.BaseIssue<unknown>): Problem {
  const at = issue.path?.map(item => String(item.key)).join('.') ?? ''
  if (issue.expected === 'never') return { at, says: `${kind} has no field "${at.split('.').at(-1)}"` }
  if (issue.received === 'undefined') return { at, says: 'is missing' }
  return { at, says: issue.message }
}

function setAside(input: unknown, unsupported: readonly Unsupported[]): { rest: unknown; warnings: Problem[] } {
  const warnings: Problem[] = []
  let rest = input
  for (const { at, harmless } of unsupported) {
    const taken = without(rest, at.split('.'))
    if (!taken.found) continue
    rest = taken.rest
    if (!harmless.some(value => JSON.stringify(value) === JSON.stringify(taken.value)))
      warnings.push({ at, says: `is a Calico setting that this version does not act upon; it is ignored` })
  }
  return { rest, warnings }
}

type Without = { readonly found: false } | { readonly found: true; readonly rest: unknown; readonly value: unknown }

function without(input: unknown, path: readonly string[]): Without {
  const [key, ...deeper] = path
  if (key === undefined || !isRecord(input) || !Object.hasOwn(input, key)) return { found: false }
  const { [key]: value, ...others } = input
  if (deeper.length === 0) return { found: true, rest: others, value }
  const inner = without(value, deeper)
  return inner.found ? { found: true, rest: { ...others, [key]: inner.rest }, value: inner.value } : inner
}

export function isRecord(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}
