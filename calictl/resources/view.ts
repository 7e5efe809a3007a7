/** Resources as tables for people and lists for programs. */

import { API_VERSION, type Column, type Document, type Kind } from '@network/model/resources/kind.ts'
import { isRecord } from '@network/model/schema/field.ts'
import type { Result } from '../context.ts'
import { table } from '../render/table.ts'
import type { Row } from './stock.ts'

export interface Look {
  /** With a column for the namespace. */
  readonly namespaces: boolean
  /** Names as `ippool/default`. */
  readonly kinds: boolean
}

/** Many resources of one kind, or of several. */
export function listOfRows(kinds: readonly Kind<unknown>[], rows: readonly Row[]): unknown {
  const [only, ...others] = kinds
  const kind = only === undefined || others.length > 0 ? 'List' : `${only.kind}List`
  return { apiVersion: kind === 'List' ? 'v1' : API_VERSION, kind, items: rows.map(({ document }) => document) }
}

export function resultOf(kinds: readonly Kind<unknown>[], rows: readonly Row[], look: Look): Pick<Result, 'text' | 'wide'> {
  const text = (wide: boolean) =>
    kinds
      .map(kind => ({ kind, own: rows.filter(row => row.kind === kind) }))
      .filter(({ own }) => own.length > 0)
      .map(({ kind, own }) => tableOf(kind, own, { ...look, wide }))
      .join('\n\n')
  return { text: text(false), wide: () => text(true) }
}

export interface TableLook extends Look {
  readonly wide: boolean
}

function tableOf(kind: Kind<unknown>, rows: readonly Row[], look: TableLook): string {
  return table(
    headOf(kind, look),
    rows.map(row => cellsOf(row, look)),
  )
}

export function headOf(kind: Kind<unknown>, look: TableLook): readonly string[] {
  return [
    ...(look.namespaces && kind.namespaced ? ['NAMESPACE'] : []),
    'NAME',
    ...columnsOf(kind, look).map(({ title }) => title),
  ]
}

export function cellsOf({ kind, document }: Row, look: TableLook): readonly string[] {
  const { name, namespace } = document.metadata
  return [
    ...(look.namespaces && kind.namespaced ? [namespace ?? ''] : []),
    look.kinds ? `${kind.kind.toLowerCase()}/${name}` : name,
    ...columnsOf(kind, look).map(column => cell(column, document)),
  ]
}

function columnsOf({ columns }: Kind<unknown>, { wide }: TableLook): readonly Column[] {
  return columns.filter(column => wide || column.wide !== true)
}

function cell({ path, count }: Column, document: Document): string {
  const value = path.split('.').reduce<unknown>((of, name) => (isRecord(of) ? of[name] : undefined), document)
  if (count === true) return Array.isArray(value) ? `${value.length}` : '0'
  if (Array.isArray(value)) return value.map(text).join(',')
  return text(value)
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : `${value}`
}
