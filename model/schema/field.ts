/** A field, described once: how it is read and written, and what people and machines are told of it. */

/** Something wrong in a document: where, and what mends it. */
export interface Problem {
  /** Path from the document's root: `spec.rules[0].cidr`; empty for the document itself. */
  readonly at: string
  readonly says: string
  /** Lines that point at the offending character, where the value is a text with a grammar. */
  readonly shown?: string
}

/** Stands where a value would be that could not be read; what is wrong has been told. */
export const UNREAD: unique symbol = Symbol('unread')
export type Unread = typeof UNREAD

/** Where a value stands in its document; made for every value, so it becomes text only when there is something to tell. */
export type Path = { readonly of: Path; readonly name: string | number } | undefined

/** Collects what there is to say about one document. */
export interface Told {
  readonly kind: string
  /** `pass`: a newer version may have written fields that this one does not know. */
  readonly unknown: 'refuse' | 'pass'
  problem(at: Path, says: string, shown?: string): void
  warning(at: Path, says: string): void
}

/** What a Kubernetes schema and ours have in common; plain JSON. */
export type JsonSchema = Readonly<Record<string, unknown>>

export interface Field<T> {
  /** One sentence for people. */
  readonly doc: string
  /** What is to be written there: `IPv4 prefix`. */
  readonly type: string
  /** `20 to 32`; empty where everything of the type is taken. */
  readonly bounds: string
  readonly unit: string
  readonly required: boolean
  /** As it would be written; undefined where there is none. */
  readonly standard: unknown
  /** May not change once the resource is there. */
  readonly immutable: boolean
  readonly json: JsonSchema
  /** Of an object. */
  readonly members?: Members
  /** Of a list or of a map. */
  readonly items?: Field<unknown>
  read(input: unknown, at: Path, told: Told): T | Unread
  /** The value where nothing is written. */
  absent(at: Path, told: Told): T | Unread
  write(value: T): unknown
}

export type Members = Readonly<Record<string, Field<unknown>>>

export interface Leaf<T> {
  readonly doc: string
  readonly type: string
  readonly bounds?: string
  readonly unit?: string
  readonly json: JsonSchema
  read(input: unknown, at: Path, told: Told): T | Unread
  write(value: T): unknown
}

/** A field that must be there; `optional` and `standard` make others of it. */
export function leaf<T>(of: Leaf<T>): Field<T> {
  return {
    bounds: '',
    unit: '',
    required: true,
    standard: undefined,
    immutable: false,
    absent(at, told) {
      told.problem(at, 'is missing')
      return UNREAD
    },
    ...of,
  }
}

/** The field may be left out, and is undefined then. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    ...field,
    required: false,
    absent: () => undefined,
    write: value => (value === undefined ? undefined : field.write(value)),
  }
}

/** The field may be left out, and is `value` then. */
export function standard<T>(field: Field<T>, value: T): Field<T> {
  const written = field.write(value)
  return { ...field, required: false, standard: written, json: { ...field.json, default: written }, absent: () => value }
}

/** The field stays as it was when the resource was created. */
export function immutable<T>(field: Field<T>): Field<T> {
  return { ...field, immutable: true }
}

/** A field whose text or number has a meaning of its own: what `parse` makes of it, or the sentence that it returns as a reason. */
export interface Reason {
  readonly says: string
  readonly shown?: string
}

export type Made<T> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & Reason)

export interface TextLeaf<T> {
  readonly type: string
  readonly bounds?: string
  readonly unit?: string
  readonly json?: JsonSchema
  /** What to write instead of what is no text: `: write 90s`; empty where nobody knows. */
  example?(input: unknown): string
  parse(text: string): Made<T>
  print(value: T): string
}

/** A field that is written as text and means something else inside. */
export function parsed<T>(doc: string, { parse, print, example = () => '', json = {}, ...rest }: TextLeaf<T>): Field<T> {
  return leaf({
    doc,
    ...rest,
    json: { type: 'string', ...json },
    read(input, at, told) {
      if (typeof input !== 'string') return refuse(told, at, `must be text, not ${named(input)}${example(input)}`)
      const made = parse(input)
      return made.ok ? made.value : refuse(told, at, made.says, made.shown)
    },
    write: print,
  })
}

export function refuse(told: Told, at: Path, says: string, shown?: string): Unread {
  told.problem(at, says, shown)
  return UNREAD
}

/** The path of a member of what is at `of`. */
export function inside(of: Path, name: string | number): Path {
  return { of, name }
}

/** `spec.rules[0].cidr`; names that would be misread in a path are quoted. */
export function pathText(path: Path): string {
  if (path === undefined) return ''
  const before = pathText(path.of)
  if (typeof path.name === 'number') return `${before}[${path.name}]`
  if (!/^[A-Za-z0-9_-]+$/.test(path.name)) return `${before}[${JSON.stringify(path.name)}]`
  return before === '' ? path.name : `${before}.${path.name}`
}

/** A collector, and what it has collected so far. */
export function findings(
  kind: string,
  unknown: Told['unknown'],
): { readonly told: Told; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const told: Told = {
    kind,
    unknown,
    problem: (at, says, shown) => void problems.push({ at: pathText(at), says, ...(shown === undefined ? {} : { shown }) }),
    warning: (at, says) => void warnings.push({ at: pathText(at), says }),
  }
  return { told, problems, warnings }
}

/** What somebody wrote, in few words: `"10.0.0.0"`, `7`, `a list`. */
export function named(input: unknown): string {
  if (typeof input === 'string') return JSON.stringify(input.length > 60 ? `${input.slice(0, 60)}…` : input)
  if (typeof input === 'number' || typeof input === 'boolean') return String(input)
  if (input === null || input === undefined) return 'nothing'
  if (typeof input === 'symbol') return input.description ?? 'a symbol'
  return Array.isArray(input) ? 'a list' : typeof input === 'object' ? 'a mapping' : `a ${typeof input}`
}

export function isRecord(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}
