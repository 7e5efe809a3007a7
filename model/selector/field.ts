/** The field of a resource that holds a selector. */

import { type Field, type Made, parsed } from '../schema/field.ts'
import { parseSelector, pointAt } from './parse.ts'
import { formatSelector, type Selector, usesGlobal } from './selector.ts'

export interface SelectorOptions {
  /** Whether `global()` means something there. */
  readonly global?: boolean
  /** What a text of nothing means; refused, it has to be left out or written as `all()`. */
  readonly empty?: 'all' | 'refused'
}

export function selector(doc: string, { global = false, empty = 'all' }: SelectorOptions = {}): Field<Selector> {
  return parsed<Selector>(doc, {
    type: 'selector',
    json: empty === 'all' ? {} : { minLength: 1 },
    parse(text): Made<Selector> {
      if (empty === 'refused' && text.trim() === '') return { ok: false, says: 'must not be empty: write all() for everything' }
      const read = parseSelector(text)
      if (!read.ok)
        return { ok: false, says: `is no selector: character ${read.at + 1}: ${read.says}`, shown: pointAt(text, read.at) }
      if (!global && usesGlobal(read.value)) return { ok: false, says: 'must not use global(), which is for policies' }
      return read
    },
    print: formatSelector,
  })
}
