/** What every kind of resource has: a key, a parser that reports all problems at once, a printer, and its own description. */

import { type Lacking, type ObjectField, tellUnknown } from '../schema/compound.ts'
import { findings, inside, isRecord, named, type Problem, refuse, type Told, UNREAD } from '../schema/field.ts'
import { clusterMetadata, type Metadata, namespacedMetadata } from './metadata.ts'

export { isRecord, type Problem } from '../schema/field.ts'

export type Parsed<T> =
  | {
      readonly ok: true
      readonly value: T
      /** The document as it is to be stored: defaults written out, other spellings put right, metadata and status kept. */
      readonly document: Document
      readonly warnings: readonly Problem[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** A resource as it is stored and as its user writes it. */
export interface Document {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly resourceVersion?: string
    readonly uid?: string
    readonly creationTimestamp?: string
    readonly generation?: number
  }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

export interface Column {
  /** `CIDR`. */
  readonly title: string
  /** Into the document: `spec.cidr`. */
  readonly path: string
  /** Only with `-o wide`. */
  readonly wide?: boolean
  /** How many entries the list has, not what they are. */
  readonly count?: boolean
}

/** What a kind is, for parsers, tools and pages alike. */
export interface KindFacts {
  /** As written in documents: `IPPool`. */
  readonly kind: string
  /** As written in keys and commands: `ippools`. */
  readonly plural: string
  readonly shortNames: readonly string[]
  /** Names of the kind in documents of Calico that are read as this one. */
  readonly formerKinds: readonly string[]
  readonly namespaced: boolean
  /** One sentence. */
  readonly doc: string
  /** `agents`: people look at it and do not write it. */
  readonly writtenBy: 'people' | 'agents' | 'both'
  /** False: stored and validated, and nothing acts upon it yet. */
  readonly enforced: boolean
  readonly columns: readonly Column[]
}

export interface Kind<T> extends KindFacts {
  readonly metadata: ObjectField<unknown>
  readonly spec: ObjectField<unknown>
  readonly status: ObjectField<unknown> | undefined
  /** Reads what a person wrote: unknown fields are problems. */
  parse(input: unknown): Parsed<T>
  /** Reads what lies in the store, where a newer version may have written fields that this one does not know: those are warnings. */
  parseStored(input: unknown): Parsed<T>
  print(value: T): Document
  /** The datastore key of a value. */
  keyOf(value: T): string
}

export const API_VERSION = 'projectcalico.org/v3'
/** Every key of ours begins so. */
export const EVERY_KEY = '/cali/'
/** What agents follow, and what is carried from one store to another. */
export const KEY_ROOT = `${EVERY_KEY}v1/`
/** Of what each agent says of itself, again and again: of a thousand agents that follow all the rest none shall be woken by it. */
const ASIDE_ROOT = `${EVERY_KEY}aside/v1/`
const ASIDE: ReadonlySet<string> = new Set(['nodestatuses'])
/** Of namespaced resources that name no namespace. */
export const DEFAULT_NAMESPACE = 'default'

/** The prefix under which all documents of a kind lie. */
export function keyPrefixOf(plural: string): string {
  return `${ASIDE.has(plural) ? ASIDE_ROOT : KEY_ROOT}${plural}/`
}

/** Where a document lies in the datastore, for kinds whose keys are made of nothing but the name. */
export function keyOfNamed(
  { plural, namespaced }: Pick<KindFacts, 'plural' | 'namespaced'>,
  at: { readonly name: string; readonly namespace?: string | undefined },
): string {
  return `${keyPrefixOf(plural)}${namespaced ? `${at.namespace ?? DEFAULT_NAMESPACE}/` : ''}${at.name}`
}

/** A resource whose value is its document, typed. */
export interface Resource<S, U = unknown> {
  readonly metadata: Metadata
  readonly spec: S
  readonly status: U | undefined
}

export interface KindOptions<S, U = unknown> extends Pick<KindFacts, 'kind' | 'doc'> {
  readonly spec: ObjectField<S>
  readonly status?: ObjectField<U>
  /** Where it is not the kind in lower case and an s. */
  readonly plural?: string
  readonly shortNames?: readonly string[]
  readonly formerKinds?: readonly string[]
  readonly namespaced?: boolean
  readonly writtenBy?: KindFacts['writtenBy']
  readonly enforced?: boolean
  readonly columns?: readonly Column[]
  /** Undefined when the name is right for the kind. */
  readonly refuseName?: (resource: Resource<S, U>) => Problem | undefined
}

/** A kind whose values are typed documents. */
export function resourceKind<S, U = unknown>(options: KindOptions<S, U>): Kind<Resource<S, U>> {
  return shapedKind(options, {
    take: resource => resource,
    give: resource => resource,
    keyOf: ({ metadata }, facts) => keyOfNamed(facts, metadata),
  })
}

/** How values of a kind come out of the typed document and go back into it. */
export interface Shape<T, S, U> {
  take(resource: Resource<S, U>): T
  give(value: T): Resource<S, U>
  keyOf(value: T, facts: KindFacts): string
}

/** A kind whose values have a shape of their own. */
export function shapedKind<T, S, U = unknown>(options: KindOptions<S, U>, shape: Shape<T, S, U>): Kind<T> {
  const facts = factsOf(options)
  const metadata = facts.namespaced ? namespacedMetadata : clusterMetadata
  const { spec, status } = options
  const write = ({ metadata: meta, spec: inner, status: state }: Resource<S, U>): Document =>
    documentOf(facts.kind, {
      metadata: metadata.write(meta),
      spec: spec.write(inner),
      status: state === undefined ? undefined : status?.write(state),
    })
  const read = (input: unknown, unknown: Told['unknown']): Parsed<T> => {
    const found = findings(facts.kind, unknown)
    const resource = readEnvelope(input, { facts, metadata, spec, status, told: found.told })
    if (resource === UNREAD || found.problems.length > 0) return { ok: false, problems: found.problems }
    const refused = options.refuseName?.(resource)
    if (refused !== undefined) return { ok: false, problems: [refused] }
    return {
      ok: true,
      value: shape.take(resource),
      // Agents read thousands of documents and want the values only.
      get document() {
        return write(resource)
      },
      warnings: found.warnings,
    }
  }
  return {
    ...facts,
    metadata,
    spec,
    status,
    parse: input => read(input, 'refuse'),
    parseStored: input => read(input, 'pass'),
    print: value => write(shape.give(value)),
    keyOf: value => shape.keyOf(value, facts),
  }
}

interface Envelope<S, U> {
  readonly facts: KindFacts
  readonly metadata: ObjectField<Metadata>
  readonly spec: ObjectField<S>
  readonly status: ObjectField<U> | undefined
  readonly told: Told
}

const ENVELOPE = ['apiVersion', 'kind', 'metadata', 'spec']

function readEnvelope<S, U>(
  input: unknown,
  { facts, metadata, spec, status, told }: Envelope<S, U>,
): Resource<S, U> | typeof UNREAD {
  if (!isRecord(input))
    return refuse(
      told,
      undefined,
      `must be ${withArticle(facts.kind)} document with apiVersion, kind, metadata and spec, not ${named(input)}`,
    )
  const lacking: Lacking = status === undefined ? { status: [{}] } : {}
  tellUnknown({ input, known: status === undefined ? ENVELOPE : [...ENVELOPE, 'status'], lacking, at: undefined, told })
  const rightKind = readKind(input, facts, told)
  const meta = member(input, 'metadata', metadata, told)
  const inner = member(input, 'spec', spec, told)
  const state =
    status === undefined || (input['status'] ?? undefined) === undefined ? undefined : member(input, 'status', status, told)
  if (!rightKind || meta === UNREAD || inner === UNREAD || state === UNREAD) return UNREAD
  return { metadata: meta, spec: inner, status: state }
}

function withArticle(kind: string): string {
  return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`
}

/** True when version and kind are the right ones. */
function readKind(input: Readonly<Record<string, unknown>>, { kind, formerKinds }: KindFacts, told: Told): boolean {
  const tell = (name: string, wanted: string) => {
    const found = input[name]
    told.problem(inside(undefined, name), found === undefined ? 'is missing' : `must be ${wanted}, not ${named(found)}`)
    return false
  }
  const version = input['apiVersion'] === API_VERSION || tell('apiVersion', API_VERSION)
  const right = [kind, ...formerKinds].some(one => one === input['kind']) || tell('kind', kind)
  return version && right
}

/** A mapping in which nothing is required may be left out. */
function member<V>(input: Readonly<Record<string, unknown>>, name: string, field: ObjectField<V>, told: Told): V | typeof UNREAD {
  const at = inside(undefined, name)
  const written = input[name] ?? undefined
  if (written !== undefined) return field.read(written, at, told)
  const empty = Object.values(field.members).every(({ required }) => !required)
  return empty ? field.read({}, at, told) : field.absent(at, told)
}

/** What was written out of its fields is a document: this is where it gets its type. */
function documentOf(kind: string, parts: { metadata: unknown; spec: unknown; status: unknown }): Document {
  const { status, ...rest } = parts
  return { apiVersion: API_VERSION, kind, ...rest, ...(status === undefined ? {} : { status }) } as Document
}

function factsOf<S, U>(options: KindOptions<S, U>): KindFacts {
  return {
    kind: options.kind,
    doc: options.doc,
    plural: options.plural ?? `${options.kind.toLowerCase()}s`,
    shortNames: options.shortNames ?? [],
    formerKinds: options.formerKinds ?? [],
    namespaced: options.namespaced ?? false,
    writtenBy: options.writtenBy ?? 'people',
    enforced: options.enforced ?? true,
    columns: options.columns ?? [],
  }
}

/** Metadata of a resource that has only a name. */
export function metadataOf(name: string, more: Partial<Metadata> = {}): Metadata {
  return {
    name,
    namespace: undefined,
    labels: undefined,
    annotations: undefined,
    resourceVersion: undefined,
    uid: undefined,
    creationTimestamp: undefined,
    generation: undefined,
    ...more,
  }
}
