/** What several commands say about nodes. */

import type { Fault } from '@network/base/run/fault.ts'
import type { Node } from '@network/model/resources/node.ts'
import { failure } from './exit.ts'

export function noSuchNode(doing: string, name: string, all: readonly Node[]): Fault {
  const mend = all.length > 0 ? `the nodes are ${all.map(node => node.name).join(', ')}` : 'there are no nodes at all'
  return failure('notFound', { doing, on: `node ${name}`, says: 'there is no such node', mend })
}
