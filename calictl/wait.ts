/** Waits until agents act upon what was stored. */

import { sleep } from '@network/base/time/clock.ts'
import { after, type Millis, millis, seconds, toMillis } from '@network/base/time/units.ts'
import type { IpipMode, VxlanMode } from '@network/model/resources/ip-pool.ts'
import type { AgentStatus } from '@network/model/status.ts'
import type { Answer, Survey } from './agents.ts'
import type { Context } from './context.ts'
import { failure } from './exit.ts'

const PAUSE = millis(100)
const LONGEST_WAIT = 3600

export interface Aim {
  readonly pool: string
  readonly ipipMode: IpipMode
  readonly vxlanMode: VxlanMode
  readonly natOutgoing: boolean
}

export interface Waited {
  readonly acting: readonly string[]
  /** With what is missing. */
  readonly waiting: readonly { readonly node: string; readonly says: string }[]
}

export interface Waiting {
  readonly within: Millis
  /** Hears of each node once it acts on it. */
  readonly reached?: (node: string) => void
  /** Done each time before the agents are asked. */
  readonly before?: () => Promise<void>
}

/**
 * Asks agents that answered before until all act on it or the time is over. Those that fall silent meanwhile are waited for; those
 * that were silent from the start are not asked again: one that hangs would hold up all others.
 */
export async function untilActing(
  context: Context,
  answered: readonly Answer[],
  missing: Missing,
  { within, reached = () => undefined, before = async () => undefined }: Waiting,
): Promise<Waited> {
  const deadline = after(context.clock.now(), within)
  const nodes = answered.map(({ node }) => node)
  const sockets = answered.map(({ socket }) => socket)
  const told = new Set<string>()
  for (;;) {
    await before()
    const waited = judge(nodes, await context.agents.survey(context.signal, sockets), missing)
    for (const node of waited.acting) if (!told.has(node)) reached(node)
    for (const node of waited.acting) told.add(node)
    if (waited.waiting.length === 0 || context.clock.now() >= deadline) return waited
    await sleep(context.clock, PAUSE, context.signal)
  }
}

function judge(nodes: readonly string[], { answers, silences }: Survey, missing: Missing): Waited {
  const seen = nodes.map(node => {
    const answer = answers.find(one => one.node === node)
    const silence = silences.find(one => one.node === node)
    return { node, says: answer === undefined ? (silence?.says ?? 'its socket is gone') : missing(answer.status) }
  })
  return {
    acting: seen.filter(({ says }) => says === undefined).map(({ node }) => node),
    waiting: seen.flatMap(({ node, says }) => (says === undefined ? [] : [{ node, says }])),
  }
}

/** Why an agent does not act on what was stored yet; undefined when it does. */
export type Missing = (status: AgentStatus) => string | undefined

/** Until pools have their modes everywhere. */
export function poolsReached(aims: readonly Aim[]): Missing {
  return status => {
    for (const { pool, ipipMode, vxlanMode, natOutgoing } of aims) {
      const known = status.pools.find(({ name }) => name === pool)
      if (known === undefined) return 'it does not know the pool'
      if (known.ipipMode !== ipipMode) return `it still acts on ${known.ipipMode}`
      if (known.vxlanMode !== vxlanMode) return `it still acts on vxlanMode ${known.vxlanMode}`
      if (known.natOutgoing !== natOutgoing) return `it still acts on natOutgoing ${known.natOutgoing}`
    }
    return notSettled(status)
  }
}

/** What an agent has still to do. */
export function notSettled(status: AgentStatus): string | undefined {
  if (status.datastore.state !== 'in-sync') return `its datastore is ${status.datastore.state}`
  if (status.converged) return undefined
  const failed = status.routes.find(({ state }) => state === 'failed' || state === 'conflict')
  return failed === undefined
    ? 'its kernel is not yet as wanted'
    : `route ${failed.destination}: ${failed.problem ?? failed.state}`
}

/** How long `--timeout` asks to wait; to be read before anything is changed, for its refusal says that nothing was. */
export function patienceFrom({ timeout }: { readonly timeout: string }): Millis {
  const wanted = /^\d+$/.test(timeout) ? Number(timeout) : 0
  if (wanted >= 1 && wanted <= LONGEST_WAIT) return toMillis(seconds(wanted))
  throw failure('usage', {
    doing: 'use',
    on: `--timeout ${timeout}`,
    says: 'it takes whole seconds',
    mend: `write 1 to ${LONGEST_WAIT}; nothing was changed`,
  })
}
