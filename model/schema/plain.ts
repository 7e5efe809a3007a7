/** Fields whose values mean what they say: text, numbers, flags and choices. */

import { closest } from '@network/base/text/closest.ts'
import { type Field, leaf, named, refuse } from './field.ts'

export interface TextBounds {
  readonly min?: number
  /** Longest, in characters. */
  readonly max?: number
  readonly pattern?: RegExp
  /** What the pattern asks for: `must be …`. */
  readonly says?: string
  readonly type?: string
}

/** Text, `min` (1) to `max` characters long. */
export function text(doc: string, { min = 1, max, pattern, says = '', type = 'text' }: TextBounds = {}): Field<string> {
  return leaf<string>({
    doc,
    type,
    bounds: max === undefined ? '' : `at most ${max} characters`,
    json: {
      type: 'string',
      ...(min === 0 ? {} : { minLength: min }),
      ...(max === undefined ? {} : { maxLength: max }),
      ...(pattern === undefined ? {} : { pattern: pattern.source }),
    },
    read(input, at, told) {
      if (typeof input !== 'string') return refuse(told, at, `must be text, not ${named(input)}${quoteIt(input)}`)
      if (input.length < min) return refuse(told, at, 'must not be empty')
      if (max !== undefined && input.length > max) return refuse(told, at, `is longer than ${max} characters`)
      if (pattern !== undefined && !pattern.test(input)) return refuse(told, at, says)
      return input
    },
    write: value => value,
  })
}

/** YAML reads 123 and true as no text; quoted, they are. */
function quoteIt(input: unknown): string {
  return typeof input === 'number' || typeof input === 'boolean' ? `: write "${input}"` : ''
}

/** YAML reads "26" and "true" as text; without quotes, they are not. */
function unquoteIt(input: unknown, pattern: RegExp): string {
  return typeof input === 'string' && pattern.test(input) ? `: write ${input} without quotes` : ''
}

/** RFC 1123 subdomain, what Kubernetes takes as a name. */
export const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

export function name(doc: string, max = 253): Field<string> {
  return text(doc, {
    max,
    pattern: NAME,
    says: 'must consist of lower-case letters, digits, "-" and ".", and each part between dots begin and end with a letter or digit',
    type: 'name',
  })
}

export interface Bounds {
  readonly min: number
  readonly max: number
  readonly unit?: string
}

/** A whole number. */
export function whole(doc: string, { min, max, unit = '' }: Bounds): Field<number> {
  const range = `${min} to ${max}`
  return leaf<number>({
    doc,
    type: 'number',
    bounds: range,
    unit,
    json: { type: 'integer', minimum: min, maximum: max, ...(max > 0x7fffffff ? { format: 'int64' } : {}) },
    read(input, at, told) {
      if (typeof input !== 'number') return refuse(told, at, `must be a number, not ${named(input)}${unquoteIt(input, /^\d+$/)}`)
      if (!Number.isInteger(input)) return refuse(told, at, `must be a whole number, not ${input}`)
      if (input < min || input > max) return refuse(told, at, `must be ${range}${unit === '' ? '' : ` ${unit}`}, not ${input}`)
      return input
    },
    write: value => value,
  })
}

/** Any number, such as the order of a policy. */
export function real(doc: string): Field<number> {
  return leaf<number>({
    doc,
    type: 'number',
    json: { type: 'number' },
    read(input, at, told) {
      if (typeof input === 'number' && Number.isFinite(input)) return input
      return refuse(told, at, `must be a number, not ${named(input)}`)
    },
    write: value => value,
  })
}

export function flag(doc: string): Field<boolean> {
  return leaf<boolean>({
    doc,
    type: 'true or false',
    json: { type: 'boolean' },
    read(input, at, told) {
      return typeof input === 'boolean'
        ? input
        : refuse(told, at, `must be true or false, not ${named(input)}${unquoteIt(input, /^(true|false)$/)}`)
    },
    write: value => value,
  })
}

export interface ChoiceOptions {
  /** What a value was once called, and is called now. */
  readonly former?: Readonly<Record<string, string>>
}

/** One of several words. */
export function choice<const V extends string>(doc: string, values: readonly V[], { former = {} }: ChoiceOptions = {}): Field<V> {
  return leaf<V>({
    doc,
    type: 'choice',
    bounds: values.join(', '),
    json: { type: 'string', enum: values },
    read(input, at, told) {
      const found = values.find(value => value === input)
      if (found !== undefined) return found
      return refuse(told, at, `must be ${oneOf(values)}, not ${named(input)}${meant(input, values, former)}`)
    },
    write: value => value,
  })
}

function oneOf(values: readonly string[]): string {
  const [only] = values
  return values.length === 1 ? `${only}` : `one of ${values.join(', ')}`
}

function meant(input: unknown, values: readonly string[], former: Readonly<Record<string, string>>): string {
  if (typeof input !== 'string') return ''
  const now = Object.hasOwn(former, input) ? former[input] : undefined
  if (now !== undefined) return `: it is called ${now} now`
  const near = values.find(value => value.toLowerCase() === input.toLowerCase()) ?? closest(input, values)
  return near === undefined ? '' : `: did you mean ${near}?`
}
