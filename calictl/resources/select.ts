/** Resources by their labels: in Calico's language, or as kubectl writes it. */

import { parseSelector, pointAt } from '@network/model/selector/parse.ts'
import { matches, type Selector } from '@network/model/selector/selector.ts'
import { failure } from '../exit.ts'
import type { Row } from './stock.ts'

/** `rack == 'r1' && has(gpu)`, or `rack=r1,gpu,tier in (a,b),!old`. */
export function selectorFrom(text: string): Selector {
  const calico = parseSelector(text)
  if (calico.ok) return calico.value
  const kubernetes = parseSelector(translated(text) || text)
  if (kubernetes.ok) return kubernetes.value
  const pointed = pointAt(text, calico.at)
    .split('\n')
    .map(line => `    ${line}`)
    .join('\n')
  throw failure('usage', {
    doing: 'use',
    on: '-l',
    says: `${calico.says}\n${pointed}`,
    mend: "write rack=r1,gpu as kubectl does, or rack == 'r1' && has(gpu)",
  })
}

export function isSelected(selector: Selector | undefined, { document }: Pick<Row, 'document'>): boolean {
  return selector === undefined || matches(selector, document.metadata.labels ?? {})
}

function translated(text: string): string {
  return (text.match(/(?:[^,(]|\([^)]*\))+/g) ?? []).map(one => requirement(one.trim())).join(' && ')
}

function requirement(text: string): string {
  const list = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text)
  if (list !== null) {
    const [, label = '', how = '', values = ''] = list
    const quoted = values.split(',').map(value => quote(value.trim()))
    return `${label} ${how === 'in' ? 'in' : 'not in'} {${quoted.join(', ')}}`
  }
  const compared = /^([^=!\s]+)\s*(==?|!=)\s*(\S*)$/.exec(text)
  if (compared !== null) return `${compared[1]} ${compared[2] === '!=' ? '!=' : '=='} ${quote(compared[3] ?? '')}`
  return text.startsWith('!') ? `!has(${text.slice(1).trim()})` : `has(${text})`
}

function quote(value: string): string {
  return `'${value}'`
}
