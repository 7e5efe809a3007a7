/** Where the resources lie that a command line means. */

import { DEFAULT_NAMESPACE, type Kind } from '@network/model/resources/kind.ts'

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
