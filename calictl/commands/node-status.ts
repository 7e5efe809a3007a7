/** `calictl node status`: what each agent tells about itself, its BGP sessions, and what it had to mend. */

import type { AgentStatus, PeerStatus } from '@network/model/status.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { ago } from '../render/ago.ts'
import { table } from '../render/table.ts'
import { answering, surveyAgents } from '../survey.ts'

export interface StatusOptions {
  /** Fail when something is not as it should be. */
  readonly check?: true
}

export async function showStatus(context: Context, node: string | undefined, { check }: StatusOptions): Promise<ExitCode> {
  const survey = await surveyAgents(context, node)
  const statuses = answering(survey, context.agents, node).map(({ status }) => status)
  const silent = node === undefined ? survey.silences.map(({ node, socket, why, says }) => ({ node, socket, why, says })) : []
  const document = { kind: 'NodeStatusList', items: statuses, silent }
  await show(context, { document, text: textOf(statuses, context.clock.wall()) })
  const ailments = check === true ? statuses.flatMap(ailmentsOf) : []
  for (const ailment of ailments) context.err(`check: ${ailment}`)
  if (ailments.length > 0) return EXIT.unhealthy
  return silent.length > 0 ? EXIT.partial : EXIT.ok
}

/** What `--check` counts as wrong, one sentence each, besides what the agent itself complains of. */
export function ailmentsOf(status: AgentStatus): readonly string[] {
  const { node, datastore, bgp } = status
  const down = bgp.peers.filter(peer => !isUp(peer))
  return [
    ...(datastore.state === 'in-sync' ? [] : [`node ${node}: its datastore is ${datastore.state}`]),
    ...down.map(
      peer => `node ${node}: session with ${peer.name} is ${peer.state}${peer.lastError === null ? '' : `: ${peer.lastError}`}`,
    ),
    ...(status.converged ? [] : [`node ${node}: not all that is wanted is in its kernel`]),
    ...status.problems.map(problem => `node ${node}: ${problem}`),
  ]
}

function isUp(peer: PeerStatus): boolean {
  return peer.state.toLowerCase() === 'established'
}

function textOf(statuses: readonly AgentStatus[], now: Date): string {
  const parts = [
    nodesTable(statuses, now),
    peersTable(statuses, now),
    sessionsLine(statuses),
    firewallLines(statuses),
    repairLines(statuses, now),
    problemLines(statuses),
  ]
  return parts.filter(part => part !== '').join('\n\n')
}

function nodesTable(statuses: readonly AgentStatus[], now: Date): string {
  const head = ['NODE', 'ADDRESS', 'AS', 'UP', 'DATASTORE', 'IPIP', 'ROUTES', 'PODS', 'REPAIRS', 'KERNEL']
  return table(
    head,
    statuses.map(status => [
      status.node,
      status.address,
      `${status.asn}`,
      ago(status.startedAt, now),
      `${status.datastore.state} ${ago(status.datastore.since, now)}`,
      ipipCell(status),
      `${status.routes.length}`,
      `${status.workloads.length}`,
      `${status.repairs.count}`,
      status.converged ? 'converged' : 'working',
    ]),
  )
}

function ipipCell({ ipip }: AgentStatus): string {
  if (!ipip.supported) return `unsupported${ipip.reason === null ? '' : `: ${ipip.reason}`}`
  if (ipip.device === null) return 'no device'
  const { name, address, up } = ipip.device
  return `${name} ${address ?? 'without address'}${up ? '' : ' down'}`
}

function peersTable(statuses: readonly AgentStatus[], now: Date): string {
  const rows = statuses.flatMap(status => status.bgp.peers.map(peer => peerRow(status.node, peer, now)))
  if (rows.length === 0) return 'No BGP peers: the other nodes appear here once they have joined.'
  return table(['NODE', 'PEER', 'ADDRESS', 'AS', 'STATE', 'SINCE', 'RCVD', 'ACPT', 'ADV', 'STALE', 'FLAPS', 'LAST ERROR'], rows)
}

/** Counts of a session that is down would be counts of nothing. */
function peerRow(node: string, peer: PeerStatus, now: Date): readonly string[] {
  const counts = isUp(peer) ? [peer.received, peer.accepted, peer.advertised].map(String) : ['', '', '']
  const { name, address, asn, state, since, stale, flaps, lastError } = peer
  return [node, name, address, `${asn}`, state, ago(since, now), ...counts, `${stale}`, `${flaps}`, lastError ?? '']
}

function sessionsLine(statuses: readonly AgentStatus[]): string {
  const peers = statuses.flatMap(({ bgp }) => bgp.peers)
  const up = peers.filter(isUp).length
  return peers.length === 0 ? '' : `${up} of ${peers.length} sessions established${unsettledClause(statuses)}`
}

function unsettledClause(statuses: readonly AgentStatus[]): string {
  const waiting = statuses.filter(({ bgp }) => !bgp.settled).map(({ node }) => node)
  return waiting.length === 0 ? '' : `; still waiting for the routes of their peers after a start: ${waiting.join(', ')}`
}

/** Silent where all is on and nothing was dropped. */
function firewallLines(statuses: readonly AgentStatus[]): string {
  const lines = statuses.flatMap(({ node, firewall: { active, reason, dropped } }) => [
    ...(active ? [] : [`  ${node}: off${reason === null ? '' : `: ${reason}`}`]),
    ...(dropped.forgedIpip + dropped.spoofedSource === 0
      ? []
      : [
          `  ${node}: dropped ${dropped.forgedIpip} packets of forged IPIP, ${dropped.spoofedSource} of pods with a source not theirs`,
        ]),
  ])
  return lines.length === 0 ? '' : ['Firewall:', ...lines].join('\n')
}

function repairLines(statuses: readonly AgentStatus[], now: Date): string {
  const lines = statuses.flatMap(({ node, repairs }) =>
    repairs.last.map(({ at, object, found }) => `  ${node}, ${ago(at, now)} ago: ${object}: ${found}`),
  )
  return lines.length === 0 ? '' : ['Repairs, the newest of each node first:', ...lines].join('\n')
}

function problemLines(statuses: readonly AgentStatus[]): string {
  const lines = statuses.flatMap(({ node, datastore, problems }) =>
    [...(datastore.error === null ? [] : [`datastore ${datastore.url}: ${datastore.error}`]), ...problems].map(
      problem => `  ${node}: ${problem}`,
    ),
  )
  return lines.length === 0 ? '' : ['Problems:', ...lines].join('\n')
}
