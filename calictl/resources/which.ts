/** Which resources a command line means: kinds by all their names, names behind them or after a slash. */

import { closest } from '@network/base/text/closest.ts'
import type { Kind } from '@network/model/resources/kind.ts'
import { DEFAULT_NAMESPACE } from '@network/model/resources/kind.ts'
import { closestKind, KINDS, KINDS_LACKING, kindNamed, namesOf } from '@network/model/resources/kinds.ts'
import { failure } from '../exit.ts'

export interface Where {
  readonly namespace?: string
  readonly allNamespaces?: boolean
}

/** Resources of one kind. */
export interface Wanted {
  readonly kind: Kind<unknown>
  /** Undefined: all of the kind. */
  readonly names: readonly string[] | undefined
}

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

export interface At {
  readonly name: string
  readonly namespace: string | undefined
}

/** Where a name is that was typed; `namespace/name` counts for kinds that are in namespaces. */
export function placeOf({ namespaced }: Pick<Kind<unknown>, 'namespaced'>, typed: string, { namespace }: Where): At {
  if (!namespaced) return { name: typed, namespace: undefined }
  const [first = '', ...rest] = typed.split('/')
  return rest.length > 0 ? { name: rest.join('/'), namespace: first } : { name: typed, namespace: namespace ?? DEFAULT_NAMESPACE }
}
