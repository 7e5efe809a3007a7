/** Which resources a command line means: kinds by all their names, names behind them or after a slash. */

import { closest } from '@network/base/text/closest.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { closestKind, KINDS, KINDS_LACKING, kindNamed, namesOf } from '@network/model/resources/kinds.ts'
import { failure } from '../exit.ts'
import type { Wanted } from './place.ts'

/** `ippools a b`, `ippool/a bgppeer/b` and `ippools,nodes`, as kubectl takes them. */
export function wantedFrom(words: readonly string[]): readonly Wanted[] {
  const [first = '', ...rest] = words
  if (words.every(word => word.includes('/')) && kindNamed(first.replace(/\/.*/s, '')) !== undefined)
    return words.map(word => {
      const [kind = '', ...name] = word.split('/')
      return { kind: kindFrom(kind), names: [name.join('/')] }
    })
  const kinds = [...new Set(first.split(',').map(kindFrom))]
  if (kinds.length > 1 && rest.length > 0)
    throw failure('usage', {
      doing: 'use',
      on: words.join(' '),
      says: 'names cannot be of several kinds',
      mend: 'name one kind, or write kind/name',
    })
  return kinds.map(kind => ({ kind, names: rest.length === 0 ? undefined : rest }))
}

/** All resources of all kinds. */
export function everything(): readonly Wanted[] {
  return KINDS.map(kind => ({ kind, names: undefined }))
}

/** A kind by any of its names, or a failure that says which there are. */
export function kindFrom(word: string): Kind<unknown> {
  const kind = kindNamed(word)
  if (kind !== undefined) return kind
  const near = closestKind(word) ?? closest(word.toLowerCase(), KINDS.flatMap(namesOf))
  const names = KINDS.map(({ plural }) => plural).join(', ')
  const isCalicos = near !== undefined && KINDS_LACKING.includes(near)
  throw failure('usage', {
    doing: 'find',
    on: `kind ${word}`,
    says: isCalicos ? `Calico has ${near}, and Cali has not` : 'there is no such kind',
    mend: `${near === undefined || isCalicos ? '' : `did you mean ${near.toLowerCase()}? `}the kinds are ${names}`,
  })
}
