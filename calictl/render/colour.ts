/** Colours for people: of what is well, what is on its way, and what is wrong. Text that is piped, or asked for without, stays as it is. */

import { styleText } from 'node:util'

type Mood = 'good' | 'warning' | 'bad'
const STYLES = { good: 'green', warning: 'yellow', bad: 'red' } as const

/** Columns that tell how something is; names in others may look like it. */
const TELLING = new Set(['STATE', 'STORE', 'KERNEL', 'SESSIONS', 'PRESENT', 'TUNNEL'])
const CELLS: readonly (readonly [RegExp, Mood])[] = [
  [/^(?:established|ready|in-sync|installed|converged|confirmed|enabled|yes|best)\b/i, 'good'],
  [/^(?:pending|working|connecting|stale|opensent|openconfirm|disabled|notready)\b/i, 'warning'],
  [/^(?:failed|conflict|refused|no|idle|connect|unsupported|unreachable)\b|\bdown$/i, 'bad'],
]
const SENTENCES: readonly (readonly [RegExp, Mood])[] = [
  [/^All is well\b/, 'good'],
  [/^Not as it should be\b/, 'bad'],
  [/^error:/, 'bad'],
  [/^warning:/, 'warning'],
]

/** A heading and where its column begins. */
interface Heading {
  readonly name: string
  readonly at: number
}

/** Paints lines as they are printed; what it has seen of a table goes on until an empty line. */
export class Painter {
  #headings: readonly Heading[] = []

  paint(text: string): string {
    return text
      .split('\n')
      .map(line => this.#line(line))
      .join('\n')
  }

  #line(line: string): string {
    if (line === '') this.#headings = []
    const headings = headingsOf(line)
    if (headings !== undefined) {
      this.#headings = headings
      return line
    }
    return this.#headings.length > 0 ? cells(line, this.#headings) : sentence(line)
  }
}

/** Undefined for a line that is none of headings: two or more, all in capitals. */
function headingsOf(line: string): readonly Heading[] | undefined {
  const found = [...line.matchAll(/\S+(?: \S+)*/g)].map(({ 0: name, index: at }) => ({ name, at }))
  return found.length > 1 && found.every(({ name }) => /^[A-Z][A-Z0-9 ]*$/.test(name)) ? found : undefined
}

/** From the right, so that what is painted moves nothing that comes after. */
function cells(line: string, headings: readonly Heading[]): string {
  return headings.reduceRight((painted, { name, at }, column) => {
    if (!TELLING.has(name)) return painted
    const cell = line.slice(at, headings[column + 1]?.at).trimEnd()
    const mood = moodOf(cell, name, headings)
    return mood === undefined ? painted : painted.slice(0, at) + styled(mood, cell) + painted.slice(at + cell.length)
  }, line)
}

function moodOf(cell: string, column: string, headings: readonly Heading[]): Mood | undefined {
  if (column === 'SESSIONS') return moodOfShare(cell)
  // A session that is active is one that is not up (RFC 4271).
  if (/^active$/i.test(cell)) return headings.some(({ name }) => name === 'PEER') ? 'bad' : 'good'
  return CELLS.find(([sign]) => sign.test(cell))?.[1]
}

/** `2/3`. */
function moodOfShare(cell: string): Mood | undefined {
  const [, part, whole] = /^(\d+)\/(\d+)$/.exec(cell) ?? []
  if (whole === undefined || whole === '0') return undefined
  if (part === whole) return 'good'
  return part === '0' ? 'bad' : 'warning'
}

function sentence(line: string): string {
  const found = SENTENCES.find(([sign]) => sign.test(line))
  if (found === undefined) return line
  return line.replace(found[0], beginning => styled(found[1], beginning))
}

function styled(mood: Mood, text: string): string {
  return styleText(STYLES[mood], text, { validateStream: false })
}
