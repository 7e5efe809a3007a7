/** `calictl node delete`: takes a node out of the cluster for good. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import { deleteNode } from '@network/datastore/nodes.ts'
import { NODE } from '@network/model/resources/node.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { noSuchNode, refuseAlive } from '../nodes.ts'
import { byName, readAll } from '../read.ts'

export interface DeleteOptions {
  readonly force?: true
}

export async function removeNode(context: Context, name: string, { force }: DeleteOptions): Promise<ExitCode> {
  if (force !== true) await refuseAlive(context, name, 'add --force')
  const deleted = await deleteNode(await context.store(), name, { signal: context.signal })
  if (deleted.is === 'absent') throw noSuchNode('delete', name, (await readAll(context, NODE)).toSorted(byName))
  const { endpoints, addresses } = deleted
  const blocks = deleted.blocks.map(formatPrefix)
  const text = [
    `node ${name} deleted: ${counted(blocks.length, 'block')}, ${counted(addresses, 'address', 'es')} and ${counted(endpoints.length, 'pod')} went with it`,
    ...(blocks.length === 0 ? [] : [`free again: ${blocks.join(', ')}`]),
  ].join('\n')
  await show(context, { document: { kind: 'NodeDeletion', node: name, blocks, addresses, endpoints }, text })
  return EXIT.ok
}

function counted(count: number, word: string, plural = 's'): string {
  return `${count} ${word}${count === 1 ? '' : plural}`
}
