/** What is not as it should be, as its agents tell it, and what mends it. */

import type { AgentStatus, PeerStatus } from '@network/model/status.ts'
import type { Answer, Survey } from './agents.ts'

/** One sentence about one node. */
export interface Ailment {
  readonly node: string
  readonly says: string
}

/** The worst first: who is silent, who has no store, which sessions are down, then the rest. */
export function ailmentsOf(answers: readonly Answer[], silences: Survey['silences']): readonly Ailment[] {
  const silent = silences.map(({ node, says, mend }) => ({ node, says: `no answer from its agent: ${says}; ${mend}` }))
  const told = [storeAilments, sessionAilments, kernelAilments, problems].flatMap(one =>
    answers.flatMap(({ node, status }) => one(status).map(says => ({ node, says }))),
  )
  return [...silent, ...told]
}

export function isUp({ state }: PeerStatus): boolean {
  return state.toLowerCase() === 'established'
}

/** What went wrong with a session, without the time of each try, by which every node would tell it differently. */
export function reasonOfPeer({ lastError }: PeerStatus): string | undefined {
  return lastError?.replace(/ \((?:local|sent|received), [^()]*\)$/, '')
}

function storeAilments({ datastore: { url, state, since, error }, books: { unwritten } }: AgentStatus): string[] {
  const why = error === null ? '' : `: ${error}`
  const waiting = unwritten === 0 ? '' : `; ${unwritten} endpoint${unwritten === 1 ? '' : 's'} not yet written to it`
  if (state === 'stale') return [`its datastore ${url} is stale since ${since}${why}; traffic goes on as it was${waiting}`]
  return state === 'in-sync' ? [] : [`its datastore ${url} is ${state}${why}${waiting}`]
}

function sessionAilments({ bgp }: AgentStatus): string[] {
  return bgp.peers.filter(peer => !isUp(peer)).map(sessionAilment)
}

function sessionAilment(peer: PeerStatus): string {
  const reason = reasonOfPeer(peer)
  const known = UNREACHED.find(({ sign }) => reason !== undefined && sign.test(reason))
  const why = known === undefined ? reason : `${known.says}; ${known.mend(peer)}`
  const kept = peer.stale === 0 ? '' : `; its ${peer.stale === 1 ? 'route stays' : `${peer.stale} routes stay`} meanwhile`
  return `session with ${peer.name} (${peer.address}) is down (${peer.state.toLowerCase()})${why === undefined ? '' : `: ${why}`}${kept}`
}

/** Why a connection could not be made, in words with a mend. */
const UNREACHED: readonly {
  readonly sign: RegExp
  readonly says: string
  readonly mend: (peer: PeerStatus) => string
}[] = [
  {
    sign: /\bECONNREFUSED\b/,
    says: 'nobody listens there on port 179',
    mend: ({ name, type }) => (type === 'mesh' ? `start cali-agent on ${name}` : `start BGP on ${name}`),
  },
  {
    sign: /\b(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/,
    says: 'it does not answer',
    mend: ({ name }) => `see that ${name} is up and that nothing on the way drops TCP port 179`,
  },
]

function kernelAilments({ converged }: AgentStatus): string[] {
  return converged ? [] : ['not all that is wanted is in its kernel yet']
}

function problems(status: AgentStatus): string[] {
  return [...status.problems]
}
