/** Says why a plan cannot be carried out: every problem of every step, and one failure at the end. */

import type { Context } from '../context.ts'
import { failure } from '../exit.ts'
import { counted } from './files.ts'
import type { Step, Verb } from './plan.ts'
import type { Done } from './write.ts'

/** Nothing where all steps can be done. */
export function refuseProblems(
  { err }: Pick<Context, 'err'>,
  verb: Verb,
  steps: readonly Step[],
  done: readonly Done[] = [],
): void {
  const hindered = steps.filter(({ problems }) => problems.length > 0)
  const [first, ...more] = hindered
  if (first === undefined) return
  const left = done.length === 0 ? 'nothing was changed' : `written before: ${done.map(({ step }) => nameOf(step)).join(', ')}`
  const how = hindered.every(({ hindrance }) => hindrance === 'absent') ? 'notFound' : 'refused'
  const typed = first.wish.from === '' && more.length === 0
  if (typed)
    throw failure(how, {
      doing: verb,
      on: nameOf(first),
      says: first.problems.map(problem => first.wish.tell(problem)).join('; '),
      mend: left,
    })
  for (const { wish, problems } of hindered) for (const problem of problems) err(wish.tell(problem))
  throw failure(how, {
    doing: verb,
    on: counted(steps.length, 'resource'),
    says: `${counted(hindered.length, 'resource')} cannot be so, told above`,
    mend: left,
  })
}

/** `IPPool default`. */
export function nameOf({ wish: { kind, key, document } }: Pick<Step, 'wish'>): string {
  const at = document?.metadata ?? { name: key.slice(key.lastIndexOf('/') + 1) }
  return `${kind.kind} ${at.namespace === undefined ? '' : `${at.namespace}/`}${at.name}`
}
