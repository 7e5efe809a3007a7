/** `calictl node delete`: takes a node out of the cluster for good. */

import { formatPrefix } from '@network/base/net/prefix.ts'
import { deleteNode } from '@network/datastore/nodes.ts'
import { NODE } from '@network/model/resources/node.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { noSuchNode } from '../nodes.ts'
import { NOTHING_CHANGED } from '../pools.ts'
import { byName, readAll } from '../read.ts'
import { surveyOne } from '../survey.ts'

export interface DeleteOptions {
  readonly force?: true
}

export async function removeNode(context: Context, name: string, { force }: DeleteOptions): Promise<ExitCode> {
  if (force !== true) await refuseAlive(context, name)
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

/** A live agent would only put itself back; one that may be alive and cannot be asked counts as alive. */
async function refuseAlive(context: Context, name: string): Promise<void> {
  const { answers, silences, unreadable } = await surveyOne(context, name)
  const refuse = (says: string, mend: string) => {
    throw failure('refused', { doing: 'delete', on: `node ${name}`, says, mend: `${mend}, or add --force; ${NOTHING_CHANGED}` })
  }
  if (answers.some(({ node }) => node === name)) refuse('its agent is at work', 'stop cali-agent on that node first')
  const silence = silences.find(({ node, why }) => node === name && why !== 'gone')
  if (silence !== undefined) refuse(`its agent may be at work: ${silence.says}`, silence.mend)
  if (unreadable?.why === 'denied') refuse(`its agent may be at work: ${unreadable.says}`, 'run calictl as root')
  if (!silences.some(({ node }) => node === name))
    context.err(
      `note: node ${name} has no socket in ${context.agents.runDir}; see that its cali-agent is stopped, or it will come back`,
    )
}

function counted(count: number, word: string, plural = 's'): string {
  return `${count} ${word}${count === 1 ? '' : plural}`
}
