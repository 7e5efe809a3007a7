/** `calictl node status`: what each agent tells about itself, its BGP sessions, and what it had to mend. */

import { ailmentsOf } from '../ailments.ts'
import { type Context, isForPeople, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { completeness, mustTell, reportSilences } from '../survey.ts'
import { statusText } from './node-status-text.ts'

export interface StatusOptions {
  /** Fail when something is not as it should be. */
  readonly check?: true
}

export async function showStatus(context: Context, node: string | undefined, { check }: StatusOptions): Promise<ExitCode> {
  const { survey, answers } = await mustTell(context, node)
  const silences = node === undefined ? survey.silences : []
  const ailments = ailmentsOf(answers, silences)
  await show(context, {
    document: {
      kind: 'NodeStatusList',
      items: answers.map(({ status }) => status),
      silent: silences.map(({ node, socket, why, says }) => ({ node, socket, why, says })),
    },
    text: statusText({ answers, ailments, now: context.clock.wall(), full: node !== undefined || context.format === 'wide' }),
    wide: () => statusText({ answers, ailments, now: context.clock.wall(), full: true, wide: true }),
  })
  if (!isForPeople(context)) {
    if (node === undefined) reportSilences(context, survey)
    // People have read them above the tables.
    if (check === true) for (const { node, says } of ailments) context.err(`check: node ${node}: ${says}`)
  }
  if (check === true && ailments.length > silences.length) return EXIT.unhealthy
  return node === undefined ? completeness(survey) : EXIT.ok
}
