/** `-o custom-columns=NAME:.metadata.name,CIDR:.spec.cidr`: a table of what its user asks for. */

import { failure } from '../exit.ts'
import { valuesAt, written } from './jsonpath.ts'
import { table } from './table.ts'

/** A row an item; what is not there is `<none>`, as kubectl prints it. */
export function customTable(spec: string, items: readonly unknown[]): string {
  const columns = spec.split(',').map(columnFrom)
  return table(
    columns.map(({ title }) => title),
    items.map(item => columns.map(({ path }) => valuesAt(path, item).map(written).join(',') || '<none>')),
  )
}

function columnFrom(text: string): { readonly title: string; readonly path: string } {
  const [, title, path] = /^([^:]+):\{?(.+?)\}?$/.exec(text) ?? []
  if (title !== undefined && path !== undefined) return { title, path }
  throw failure('usage', {
    doing: 'use',
    on: `-o custom-columns=${text}`,
    says: 'a column is a title and a path',
    mend: 'write for example -o custom-columns=NAME:.metadata.name,CIDR:.spec.cidr',
  })
}
