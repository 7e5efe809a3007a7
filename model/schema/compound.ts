/** Fields that are made of others: objects with rules between their members, lists and maps. */

import { closest } from '@network/base/text/closest.ts'
import {
  type Field,
  inside,
  isRecord,
  leaf,
  type Members,
  named,
  type Path,
  pathText,
  refuse,
  type Told,
  UNREAD,
} from './field.ts'

export type ValuesOf<M> = { readonly [K in keyof M]: M[K] extends Field<infer T> ? T : never }

/** What members must be to one another. */
export interface Rule {
  readonly of: readonly string[]
  /** The member that the problem is told of; empty for the object. */
  readonly at: string
  readonly says: string
  /** The same in the expression language of Kubernetes, where that is natural. */
  readonly cel: string | undefined
  holds(values: Readonly<Record<string, unknown>>): boolean
}

export interface RuleOf<V> {
  readonly at?: keyof V & string
  readonly says: string
  readonly cel?: string
  holds(values: V): boolean
}

/** Makes a rule that is asked only when all members in `of` could be read. */
export type RuleMaker<V> = <K extends keyof V & string>(of: readonly K[], rule: RuleOf<Pick<V, K>>) => Rule

export interface ObjectOptions<V> {
  /** Fields of Calico that are not here, each with the values that ask for nothing. */
  readonly lacking?: Lacking
  readonly rules?: (rule: RuleMaker<V>) => readonly Rule[]
}

export type Lacking = Readonly<Record<string, readonly unknown[]>>

export interface ObjectField<V> extends Field<V> {
  readonly members: Members
  readonly rules: readonly Rule[]
  readonly lacking: Lacking
}

export function object<M extends Members>(
  doc: string,
  members: M,
  options: ObjectOptions<ValuesOf<M>> = {},
): ObjectField<ValuesOf<M>> {
  const entries = Object.entries(members)
  const known = entries.map(([name]) => name)
  const rules = options.rules?.(ruleOf) ?? []
  const base = leaf<ValuesOf<M>>({
    doc,
    type: 'mapping',
    json: {},
    read(input, at, told) {
      if (!isRecord(input)) return refuse(told, at, `must be a mapping${withRequired(members)}, not ${named(input)}`)
      tellUnknown({ input, known, lacking: () => options.lacking ?? {}, at, told })
      const values: Record<string, unknown> = {}
      let bad: Set<string> | undefined
      for (const [name, field] of entries) {
        const written = Object.hasOwn(input, name) ? input[name] : undefined
        const where = inside(at, name)
        const value = written === undefined || written === null ? field.absent(where, told) : field.read(written, where, told)
        if (value !== UNREAD) values[name] = value
        else bad = (bad ?? new Set()).add(name)
      }
      const broken = rules.filter(rule => !rule.of.some(name => bad?.has(name)) && !rule.holds(values))
      for (const rule of broken) told.problem(rule.at === '' ? at : inside(at, rule.at), rule.says)
      return bad !== undefined || broken.length > 0 ? UNREAD : mint<M>(values)
    },
    write(value) {
      const written: Record<string, unknown> = {}
      for (const [name, field] of entries) {
        const one = field.write(Object.getOwnPropertyDescriptor(value, name)?.value)
        if (one !== undefined) written[name] = one
      }
      return written
    },
  })
  return {
    ...base,
    members,
    rules,
    get lacking() {
      return options.lacking ?? {}
    },
  }
}

/** Every member was read by its own field: this is where the types of all of them come together. */
function mint<M extends Members>(values: Record<string, unknown>): ValuesOf<M> {
  return values as ValuesOf<M>
}

function ruleOf<V, K extends keyof V & string>(of: readonly K[], { at, says, cel, holds }: RuleOf<Pick<V, K>>): Rule {
  return { of, at: at ?? '', says, cel, holds: values => holds(values as Pick<V, K>) }
}

function withRequired(members: Members): string {
  const names = Object.keys(members).filter(name => members[name]?.required)
  return names.length === 0 ? '' : ` with ${names.join(', ')}`
}

interface Unknowns {
  readonly input: Readonly<Record<string, unknown>>
  readonly known: readonly string[]
  /** Asked only when there is something unknown. */
  readonly lacking: () => Lacking
  readonly at: Path
  readonly told: Told
}

/** Tells of the names in `input` that nothing is known by. */
export function tellUnknown({ input, known, lacking, at, told }: Unknowns): void {
  for (const [name, value] of Object.entries(input)) {
    if (known.includes(name)) continue
    const where = inside(at, name)
    const missed = lacking()
    const harmless = Object.hasOwn(missed, name) ? missed[name] : undefined
    if (harmless !== undefined) {
      if (value !== null && !harmless.some(one => JSON.stringify(one) === JSON.stringify(value)))
        told.warning(where, 'is a Calico setting that this version does not have; it is ignored')
    } else if (told.unknown === 'pass') told.warning(where, `is not known to this version of ${told.kind}; it is left as it is`)
    else
      told.problem(
        where,
        `${told.kind} has no field "${name}" ${at === undefined ? 'there' : `in ${pathText(at)}`}${instead(name, known, told.kind, at)}`,
      )
  }
}

const NAMED_AT_MOST = 12

function instead(name: string, known: readonly string[], kind: string, at: Path): string {
  const near = known.find(one => one.toLowerCase() === name.toLowerCase()) ?? closest(name, known)
  if (near !== undefined) return `: did you mean ${near}?`
  const place = [kind.toLowerCase(), pathText(at)].join('.').replace(/\[[^\]]*\]/g, '')
  return known.length > NAMED_AT_MOST ? `; calictl explain ${place} lists the fields` : `; there are ${known.join(', ')}`
}

export interface ListBounds {
  readonly min?: number
  readonly max?: number
  /** No value twice. */
  readonly unique?: boolean
}

export function list<T>(doc: string, items: Field<T>, { min = 0, max, unique = false }: ListBounds = {}): Field<readonly T[]> {
  const bounds = [...(min > 0 ? [`at least ${min}`] : []), ...(max === undefined ? [] : [`at most ${max}`])]
  const base = leaf<readonly T[]>({
    doc,
    type: `list of ${items.type}`,
    bounds: bounds.join(', '),
    json: { ...(min > 0 ? { minItems: min } : {}), ...(max === undefined ? {} : { maxItems: max }) },
    read(input, at, told) {
      if (!Array.isArray(input)) return refuse(told, at, `must be a list, not ${named(input)}${asList(input)}`)
      if (input.length < min) return refuse(told, at, min === 1 ? 'must not be empty' : `must have at least ${min} entries`)
      if (max !== undefined && input.length > max) return refuse(told, at, `has ${input.length} entries; ${max} is the most`)
      const good: T[] = []
      for (const [index, one] of input.entries()) {
        const where = inside(at, index)
        const value = one === null || one === undefined ? items.absent(where, told) : items.read(one, where, told)
        if (value !== UNREAD) good.push(value)
      }
      if (good.length < input.length) return UNREAD
      return unique &&
        !onlyOnce(
          good.map(one => items.write(one)),
          at,
          told,
        )
        ? UNREAD
        : good
    },
    write: values => values.map(one => items.write(one)),
  })
  return { ...base, items }
}

function asList(input: unknown): string {
  return typeof input === 'string' ? `: write [${input}]` : ''
}

function onlyOnce(written: readonly unknown[], at: Path, told: Told): boolean {
  const seen = new Map<string, number>()
  let good = true
  for (const [index, one] of written.entries()) {
    const text = JSON.stringify(one)
    const first = seen.get(text)
    if (first === undefined) seen.set(text, index)
    else {
      told.problem(inside(at, index), `is the same as ${pathText(inside(at, first))}: leave one of them out`)
      good = false
    }
  }
  return good
}

export interface MapOptions {
  /** Undefined for a name that is right, else what is wrong with it. */
  readonly refuseName?: (name: string) => string | undefined
}

/** Names that the user chooses, each with a value. */
export function map<T>(
  doc: string,
  items: Field<T>,
  { refuseName = () => undefined }: MapOptions = {},
): Field<Readonly<Record<string, T>>> {
  const base = leaf<Readonly<Record<string, T>>>({
    doc,
    type: `mapping to ${items.type}`,
    json: {},
    read(input, at, told) {
      if (!isRecord(input)) return refuse(told, at, `must be a mapping, not ${named(input)}`)
      let good = true
      const values: [string, T][] = []
      for (const [name, one] of Object.entries(input)) {
        const where = inside(at, name)
        const wrong = refuseName(name)
        if (wrong !== undefined) told.problem(where, wrong)
        const value = items.read(one, where, told)
        if (value === UNREAD || wrong !== undefined) good = false
        else values.push([name, value])
      }
      return good ? Object.fromEntries(values) : UNREAD
    },
    write: values => Object.fromEntries(Object.entries(values).map(([name, one]) => [name, items.write(one)])),
  })
  return { ...base, items }
}
