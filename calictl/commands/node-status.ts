/** `calictl node status`: what each agent tells about itself, its BGP sessions, and what it had to mend. */

import { ailmentsOf } from '../ailments.ts'
import { type Context, isForPeople, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { hear, reportedAilments } from '../look/reported.ts'
import { completeness, reportSilences } from '../survey.ts'
import { statusText } from './node-status-text.ts'

export interface StatusOptions {
  /** Fail when something is not as it should be. */
  readonly check?: true
}

export async function showStatus(context: Context, node: string | undefined, { check }: StatusOptions): Promise<ExitCode> {
  const { heard, elsewhere } = await hear(context, node)
  const answers = heard?.answers ?? []
  const silences = node === undefined ? (heard?.survey.silences ?? []) : []
  const ailments = [...ailmentsOf(answers, silences), ...elsewhere.flatMap(reportedAilments)]
  const told = { answers, ailments, elsewhere, now: context.clock.wall() }
  await show(context, {
    document: {
      kind: 'NodeStatusList',
      items: answers.map(({ status }) => status),
      silent: silences.map(({ node, socket, why, says }) => ({ node, socket, why, says })),
      reported: elsewhere,
    },
    text: statusText({ ...told, full: node !== undefined || context.format === 'wide' }),
    wide: () => statusText({ ...told, full: true, wide: true }),
  })
  if (!isForPeople(context)) {
    if (node === undefined && heard !== undefined) reportSilences(context, heard.survey)
    // People have read them above the tables.
    if (check === true) for (const { node, says } of ailments) context.err(`check: node ${node}: ${says}`)
  }
  if (check === true && ailments.length > silences.length) return EXIT.unhealthy
  return node === undefined && heard !== undefined ? completeness(heard.survey) : EXIT.ok
}
