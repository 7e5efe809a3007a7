/** Says on stderr which agents did not answer, why, and what mends it. */

import type { Agents, Answer, Survey } from './agents.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'

/** Asks all agents and reports the silent ones, those with the same trouble together. Whoever wants one node only hears of no other. */
export async function surveyAgents(context: Context, node?: string): Promise<Survey> {
  const survey = await context.agents.survey(context.signal)
  if (node !== undefined) return survey
  const { silences, unreadable } = survey
  if (unreadable !== undefined && unreadable.why !== 'absent') context.err(`note: no agent was asked: ${unreadable.says}`)
  for (const [says, alike] of Map.groupBy(silences, ({ says, mend }) => `${says}; ${mend}`)) {
    const who = alike.map(({ node, socket }) => `${node} (${socket})`).join(', ')
    context.err(`note: no answer from the agent${alike.length === 1 ? '' : 's'} of ${who}: ${says}`)
  }
  return survey
}

/** The agents that answered, of one node where one is named; a fault when there is none to tell anything. */
export function answering(survey: Survey, agents: Agents, node: string | undefined): readonly Answer[] {
  const answers = survey.answers.filter(answer => node === undefined || answer.node === node)
  if (answers.length > 0) return answers
  throw node === undefined ? nobody(survey, agents) : unanswered(survey, agents, node)
}

function nobody({ silences, unreadable }: Survey, { runDir }: Agents): Error {
  if (silences.length > 0 && silences.every(({ why }) => why === 'denied'))
    return failure('unreachable', {
      doing: 'ask',
      on: 'any agent',
      says: `this user may not use the sockets in ${runDir}`,
      mend: 'run calictl as root',
    })
  if (unreadable?.why === 'denied')
    return failure('unreachable', { doing: 'ask', on: 'any agent', says: unreadable.says, mend: 'run calictl as root' })
  const says =
    unreadable?.says ?? (silences.length > 0 ? `none of those in ${runDir} answers` : `there is no socket in ${runDir}`)
  return failure('unreachable', {
    doing: 'ask',
    on: 'any agent',
    says,
    mend: 'start cali-agent, or say with --run-dir where its socket lies',
  })
}

function unanswered({ answers, silences, unreadable }: Survey, { runDir }: Agents, node: string): Error {
  const silence = silences.find(one => one.node === node)
  const on = `the agent of node ${node}`
  if (silence !== undefined) return failure('unreachable', { doing: 'ask', on, says: silence.says, mend: silence.mend })
  const names = answers.map(answer => answer.node)
  const says = unreadable?.says ?? `it has no socket in ${runDir}`
  const mend =
    names.length > 0 ? `agents that answer here: ${names.join(', ')}` : 'run calictl on that node, or start cali-agent there'
  return failure('unreachable', { doing: 'ask', on, says, mend })
}
