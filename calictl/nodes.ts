/** What several commands say about nodes. */

import type { Fault } from '@network/base/run/fault.ts'
import { didYouMean } from '@network/base/text/closest.ts'
import type { Node } from '@network/model/resources/node.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'
import { listed } from './read.ts'
import { surveyOne } from './survey.ts'

export function noSuchNode(doing: string, name: string, all: readonly Node[]): Fault {
  const known = all.map(node => node.name)
  const mend =
    all.length > 0
      ? `${didYouMean(name, known)}${listed('the nodes are', known, 'calictl node get')}`
      : 'there are no nodes at all'
  return failure('notFound', { doing, on: `node ${name}`, says: 'there is no such node', mend })
}

/** A live agent would only put itself back; one that may be alive and cannot be asked counts as alive. */
export async function refuseAlive(context: Context, name: string, force: string): Promise<void> {
  const { answers, silences, unreadable } = await surveyOne(context, name)
  const refuse = (says: string, mend: string) => {
    throw failure('refused', { doing: 'delete', on: `node ${name}`, says, mend: `${mend}, or ${force}; nothing was changed` })
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
