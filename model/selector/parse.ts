/** Reads selectors; what is wrong is told with the place of the character that is. */

import type { Comparison, Selector } from './selector.ts'

export type ParsedSelector =
  | { readonly ok: true; readonly value: Selector }
  | {
      readonly ok: false
      /** Index of the offending character; the length of the text where it ends too early. */
      readonly at: number
      readonly says: string
    }

const MAX_LABEL = 512
/** Brackets and `!` inside one another; a text of only "(" must not exhaust the stack. */
const MAX_DEPTH = 100

/** Reads a selector; text of nothing but spaces is `all()`. */
export function parseSelector(text: string): ParsedSelector {
  const reader = new Reader(text)
  try {
    reader.skipSpace()
    if (reader.done) return { ok: true, value: { is: 'all' } }
    const value = readOr(reader, 0)
    if (!reader.done) reader.fail(reader.sees(')') ? 'a "(" before this ")"' : '"&&", "||" or the end')
    return { ok: true, value }
  } catch (reason) {
    if (reason instanceof Unexpected) return { ok: false, at: reason.at, says: reason.says }
    throw reason
  }
}

/** Two lines: the text, and a caret under the character at `at`. */
export function pointAt(text: string, at: number): string {
  const line = text.replace(/\s/g, ' ')
  const from = Math.max(0, at - 60)
  return `${line.slice(from, from + 100)}\n${' '.repeat(at - from)}^`
}

class Unexpected extends Error {
  readonly at: number
  readonly says: string

  constructor(at: number, says: string) {
    super(says)
    this.at = at
    this.says = says
  }
}

function readOr(reader: Reader, depth: number): Selector {
  return joined('or', '||', reader, () => readAnd(reader, depth))
}

function readAnd(reader: Reader, depth: number): Selector {
  return joined('and', '&&', reader, () => readNot(reader, depth))
}

function joined(is: 'and' | 'or', sign: string, reader: Reader, read: () => Selector): Selector {
  const first = read()
  const all = [first]
  while (reader.take(sign)) all.push(read())
  return all.length === 1 ? first : { is, of: all }
}

function readNot(reader: Reader, depth: number): Selector {
  if (depth > MAX_DEPTH) throw new Unexpected(reader.at, `has more than ${MAX_DEPTH} brackets inside one another`)
  if (reader.take('!')) return { is: 'not', of: readNot(reader, depth + 1) }
  if (!reader.take('(')) return readTerm(reader)
  const inner = readOr(reader, depth + 1)
  if (!reader.take(')')) reader.fail('")", "&&" or "||"')
  return inner
}

function readTerm(reader: Reader): Selector {
  const label = reader.label()
  if (label === undefined) return reader.fail('a label, all(), has(label), "!" or "("')
  if (!reader.sees('(')) return readComparison(reader, label)
  if (label !== 'all' && label !== 'global' && label !== 'has') {
    return reader.fail(
      `"==", "in" or another comparison after the label ${label}; the functions are all(), global() and has(label)`,
    )
  }
  reader.take('(')
  if (label !== 'has') {
    if (!reader.take(')')) reader.fail(`")" after "${label}("`)
    return { is: label }
  }
  const asked = reader.label() ?? reader.fail('the label that "has" asks for')
  if (!reader.take(')')) reader.fail('")" after the label')
  return { is: 'has', label: asked }
}

const COMPARISONS: readonly (readonly [Comparison, readonly string[]])[] = [
  ['==', ['==']],
  ['!=', ['!=']],
  ['contains', ['contains']],
  ['starts with', ['starts', 'with']],
  ['ends with', ['ends', 'with']],
]

function readComparison(reader: Reader, label: string): Selector {
  for (const [is, words] of COMPARISONS) if (reader.takeAll(words)) return { is, label, value: readText(reader) }
  if (reader.takeAll(['in'])) return { is: 'in', label, values: readSet(reader) }
  if (reader.takeAll(['not', 'in'])) return { is: 'not in', label, values: readSet(reader) }
  const mend = reader.sees('=') ? '"==" for "is equal"' : '"==", "!=", "in", "not in", "contains", "starts with" or "ends with"'
  return reader.fail(`${mend} after the label ${label}`)
}

function readSet(reader: Reader): readonly string[] {
  if (!reader.take('{')) reader.fail('"{" and a list of texts')
  const values: string[] = []
  if (reader.take('}')) return values
  do values.push(readText(reader))
  while (reader.take(','))
  if (!reader.take('}')) reader.fail('"," or "}"')
  return values
}

function readText(reader: Reader): string {
  return reader.quoted() ?? reader.fail('a text in quotes')
}

const LABEL = /[A-Za-z0-9_./-]+/y
const WORD = /[a-z]+(?![A-Za-z0-9_./-])/y

/** The text and how far it has been read; every reading leaves the spaces behind it. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get at(): number {
    return this.#at
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  sees(sign: string): boolean {
    return this.#text.startsWith(sign, this.#at)
  }

  skipSpace(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++
  }

  take(sign: string): boolean {
    if (!this.sees(sign)) return false
    this.#at += sign.length
    this.skipSpace()
    return true
  }

  /** Words one after the other, or none of them. */
  takeAll(words: readonly string[]): boolean {
    const from = this.#at
    for (const word of words) {
      const found = /[a-z]/.test(word) ? this.#match(WORD) === word : this.sees(word)
      if (!found) {
        this.#at = from
        return false
      }
      this.take(word)
    }
    return true
  }

  label(): string | undefined {
    const found = this.#match(LABEL)
    if (found === undefined) return undefined
    if (found.length > MAX_LABEL)
      throw new Unexpected(this.#at + MAX_LABEL, `is longer than a label may be, ${MAX_LABEL} characters`)
    this.take(found)
    return found
  }

  quoted(): string | undefined {
    const quote = this.#text.charAt(this.#at)
    if (quote !== '"' && quote !== "'") return undefined
    const end = this.#text.indexOf(quote, this.#at + 1)
    if (end < 0) throw new Unexpected(this.#at, `begins a text that no second ${quote} ends`)
    const found = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    this.skipSpace()
    return found
  }

  fail(expected: string): never {
    const found = this.done ? 'the end' : `"${this.#text.charAt(this.#at)}"`
    throw new Unexpected(this.#at, `expected ${expected}, found ${found}`)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#text)?.[0]
  }
}
