/** What several commands say about nodes. */

import type { Fault } from '@network/base/run/fault.ts'
import { didYouMean } from '@network/base/text/closest.ts'
import type { Node } from '@network/model/resources/node.ts'
import { failure } from './exit.ts'
import { listed } from './read.ts'

export function noSuchNode(doing: string, name: string, all: readonly Node[]): Fault {
  const known = all.map(node => node.name)
  const mend =
    all.length > 0
      ? `${didYouMean(name, known)}${listed('the nodes are', known, 'calictl node get')}`
      : 'there are no nodes at all'
  return failure('notFound', { doing, on: `node ${name}`, says: 'there is no such node', mend })
}
