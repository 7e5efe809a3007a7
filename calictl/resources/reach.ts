/** `--wait`: shows how nodes reach what was stored, one after the other. */

import { between, type Millis } from '@network/base/time/units.ts'
import type { Context } from '../context.ts'
import { type ExitCode, failure } from '../exit.ts'
import { completeness, surveyAgents } from '../survey.ts'
import { notSettled, poolsReached, untilActing } from '../wait.ts'
import { poolsOf } from './advice.ts'
import { Arrivals } from './arrivals.ts'
import type { Done } from './write.ts'

/**
 * Until the agents that answer have heard of all that was written, act on the modes of the pools among it, and are in sync and converged. Progress goes to stderr.
 * A failure, exit code 6, when the time is over before.
 */
export async function awaitAgents(context: Context, done: readonly Done[], within: Millis): Promise<ExitCode> {
  const aims = poolsOf(done.map(({ step }) => step)).map(({ pool: { name, ipipMode, vxlanMode, natOutgoing } }) => ({
    ...{ pool: name, ipipMode, vxlanMode, natOutgoing },
  }))
  const survey = await surveyAgents(context)
  const began = context.clock.now()
  let count = 0
  const reached = (node: string) => {
    const took = (between(began, context.clock.now()) / 1000).toFixed(1)
    context.err(`${++count} of ${survey.answers.length}: ${node} after ${took} s`)
  }
  const missing = aims.length === 0 ? notSettled : poolsReached(aims)
  const arrivals = new Arrivals(context, done, survey.answers)
  const { waiting } = await untilActing(context, survey.answers, status => arrivals.missing(status) ?? missing(status), {
    within,
    reached,
    before: () => arrivals.ask(),
  })
  if (waiting.length > 0)
    throw failure('timeout', {
      doing: 'see',
      on: 'the change everywhere',
      says: `after ${within / 1000} s, ${waiting.map(({ node, says }) => `${node}: ${says}`).join(', ')}`,
      mend: 'it is stored and the agents go on; see calictl node status',
    })
  return completeness(survey)
}
