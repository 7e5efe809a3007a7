/** The BGP sessions of all nodes: from agents that answer, and for the others from what they last reported. */

import type { PeerStatus } from '@network/model/status.ts'
import type { Context } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { completeness, reportSilences } from '../survey.ts'
import { hear } from './reported.ts'

export interface Session {
  readonly node: string
  readonly peer: PeerStatus
  /** When the node reported it (RFC 3339); undefined where its agent was asked. */
  readonly reported: string | undefined
}

export async function sessionsOf(
  context: Context,
  node: string | undefined,
): Promise<{ readonly sessions: readonly Session[]; readonly exit: ExitCode }> {
  const { heard, elsewhere } = await hear(context, node)
  const answers = heard?.answers ?? []
  if (heard !== undefined && node === undefined) reportSilences(context, heard.survey)
  const sessions = [
    ...answers.flatMap(answer => answer.status.bgp.peers.map(peer => ({ node: answer.node, peer, reported: undefined }))),
    ...elsewhere.flatMap(one => one.peers.map(peer => ({ node: one.node, peer, reported: one.at }))),
  ]
  const exit = heard === undefined || node !== undefined ? EXIT.ok : completeness(heard.survey)
  return { sessions, exit }
}
