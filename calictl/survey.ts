/** Says on stderr which agents did not answer, why, and what mends it. */

import { join } from 'node:path'
import { didYouMean } from '@network/base/text/closest.ts'
import type { Agents, Answer, Survey, TableAnswer } from './agents.ts'
import type { Context } from './context.ts'
import { EXIT, type ExitCode, failure } from './exit.ts'
import { listed } from './read.ts'

/** Asks all agents and reports the silent ones. */
export async function surveyAgents(context: Context): Promise<Survey> {
  const survey = await context.agents.survey(context.signal)
  reportSilences(context, survey)
  return survey
}

/** Asks the agent of one node; the others only where no socket is called so, for then one of them may know better. */
export async function surveyOne({ agents, signal }: Context, node: string): Promise<Survey> {
  const survey = await agents.survey(signal, [join(agents.runDir, `${node}.sock`)])
  const found = survey.silences.length > 0 || survey.answers.some(answer => answer.node === node)
  return found ? survey : agents.survey(signal)
}

/** Whatever was asked for. */
type Heard = Pick<Survey, 'silences' | 'unreadable'>

/** Says who did not answer, those with the same trouble together. */
export function reportSilences({ err }: Context, { silences, unreadable }: Heard): void {
  if (unreadable?.why === 'denied' || unreadable?.why === 'broken') err(`note: no agent was asked: ${unreadable.says}`)
  for (const [says, alike] of Map.groupBy(silences, ({ says, mend }) => `${says}; ${mend}`)) {
    const who = alike.map(({ node, socket }) => `${node} (${socket})`).join(', ')
    err(`note: no answer from the agent${alike.length === 1 ? '' : 's'} of ${who}: ${says}`)
  }
}

/** How a command ends that printed what agents said: some may be missing from it. */
export function completeness({ silences, unreadable }: Heard): ExitCode {
  return silences.length > 0 || (unreadable !== undefined && unreadable.why !== 'absent') ? EXIT.partial : EXIT.ok
}

/** What agents said to a command that has nothing to tell without them. */
export interface Told {
  readonly survey: Survey
  /** At least one; of one node where one is named. */
  readonly answers: readonly Answer[]
}

/** Asks all agents or that of one node; a fault when there is none to tell anything. The silent are for the caller to report. */
export async function mustTell(context: Context, node: string | undefined): Promise<Told> {
  const survey = node === undefined ? await context.agents.survey(context.signal) : await surveyOne(context, node)
  const answers = survey.answers.filter(answer => node === undefined || answer.node === node)
  if (answers.length > 0) return { survey, answers }
  if (node !== undefined) throw unanswered(survey, context.agents, node)
  // Why no socket could be looked for is what the fault says.
  reportSilences(context, { ...survey, unreadable: undefined })
  throw nobody(survey, context.agents)
}

/** Asks all agents or that of one node what it knows by BGP; a fault when there is none to tell. */
export async function mustTellTables(
  context: Context,
  node: string | undefined,
): Promise<{ readonly survey: Survey<TableAnswer>; readonly answers: readonly TableAnswer[] }> {
  const survey = await context.agents.tables(context.signal)
  const answers = survey.answers.filter(answer => node === undefined || answer.node === node)
  if (answers.length > 0) return { survey, answers }
  if (node !== undefined) throw unanswered(survey, context.agents, node)
  reportSilences(context, { ...survey, unreadable: undefined })
  throw nobody(survey, context.agents)
}

function nobody({ silences, unreadable }: Heard, { runDir }: Agents): Error {
  if (silences.length > 0 && silences.every(({ why }) => why === 'denied'))
    return failure('unreachable', {
      doing: 'ask',
      on: 'any agent',
      says: `this user may not use the sockets in ${runDir}`,
      mend: 'run calictl as root',
    })
  if (unreadable?.why === 'denied')
    return failure('unreachable', { doing: 'ask', on: 'any agent', says: unreadable.says, mend: 'run calictl as root' })
  if (silences.length > 0) {
    const mends = new Set(silences.map(({ mend }) => mend))
    const mend = mends.size === 1 ? [...mends].join() : 'what mends it for each is said above'
    return failure('unreachable', { doing: 'ask', on: 'any agent', says: `none of those in ${runDir} answers`, mend })
  }
  return failure('unreachable', {
    doing: 'ask',
    on: 'any agent',
    says: unreadable?.says ?? `there is no socket in ${runDir}`,
    mend: 'start cali-agent, or say with --run-dir where its socket lies',
  })
}

function unanswered(
  { answers, silences, unreadable }: Survey<{ readonly node: string }>,
  { runDir }: Agents,
  node: string,
): Error {
  const silence = silences.find(one => one.node === node)
  const on = `the agent of node ${node}`
  if (silence !== undefined) return failure('unreachable', { doing: 'ask', on, says: silence.says, mend: silence.mend })
  const names = answers.map(answer => answer.node)
  const says = unreadable?.says ?? `it has no socket in ${runDir}`
  const mend =
    names.length > 0
      ? `${didYouMean(node, names)}${listed('agents that answer here:', names, 'calictl version')}`
      : 'run calictl on that node, or start cali-agent there'
  return failure('unreachable', { doing: 'ask', on, says, mend })
}
