/** The status of nodes for people: first what is wrong, then how everything is, in 120 columns. */

import type { AgentStatus, PeerStatus } from '@network/model/status.ts'
import type { Answer } from '../agents.ts'
import { type Ailment, isUp } from '../ailments.ts'
import type { Reported } from '../look/reported.ts'
import { ago } from '../render/ago.ts'
import { table } from '../render/table.ts'
import { WIDTH, wrapped } from '../render/wrap.ts'

export interface StatusView {
  readonly answers: readonly Answer[]
  readonly ailments: readonly Ailment[]
  /** Nodes that cannot be asked from here, as they last said. */
  readonly elsewhere: readonly Reported[]
  readonly now: Date
  /** Everything, however much of it is alike. */
  readonly full: boolean
  /** More columns, and lines as long as they are. */
  readonly wide?: true
}

export function statusText(view: StatusView): string {
  const statuses = view.answers.map(({ status }) => status)
  const parts = [
    verdict(view, statuses),
    nodesTable(view, statuses),
    elsewhereTable(view),
    peersTable(view, statuses),
    tablesTable(view, statuses),
    droppedLines(view, statuses),
    repairLines(view, statuses),
  ]
  return parts.filter(part => part !== '').join('\n\n')
}

function verdict(view: StatusView, statuses: readonly AgentStatus[]): string {
  const sessions = sessionsClause(statuses)
  if (view.ailments.length === 0) return sentence(view, `All is well: ${sessions}`, '')
  const lines = ailmentLines(view).map(line => sentence(view, `  ${line}`, '    '))
  return [`Not as it should be, ${sessions}:`, ...lines].join('\n')
}

function sentence({ wide }: StatusView, text: string, indent: string): string {
  return wide === true ? text : wrapped(text, indent, WIDTH)
}

function sessionsClause(statuses: readonly AgentStatus[]): string {
  const peers = statuses.flatMap(({ bgp }) => bgp.peers)
  const answering = statuses.length === 1 ? '1 agent answers' : `${statuses.length} agents answer`
  if (peers.length === 0)
    return `${answering}, no BGP peers (other nodes appear once they have joined)${unsettledClause(statuses)}`
  return `${answering}, ${peers.filter(isUp).length} of ${peers.length} sessions established${unsettledClause(statuses)}`
}

function unsettledClause(statuses: readonly AgentStatus[]): string {
  const waiting = statuses.filter(({ bgp }) => !bgp.settled).map(({ node }) => node)
  return waiting.length === 0 ? '' : `, still waiting for the routes of their peers after a start: ${waiting.join(', ')}`
}

const ALIKE_AT_MOST = 3

/** Nodes that say the same in one line; of sentences that differ only in numbers, a few. */
function ailmentLines({ ailments, full }: StatusView): string[] {
  const said = [...Map.groupBy(ailments, ({ says }) => says)].map(([says, alike]) => ({
    says,
    nodes: alike.map(({ node }) => node).join(', '),
  }))
  if (full) return said.map(({ nodes, says }) => `${nodes}: ${says}`)
  return [...Map.groupBy(said, ({ says }) => says.replace(/\d+/g, '#')).values()].flatMap(alike => {
    const shown = alike.slice(0, ALIKE_AT_MOST).map(({ nodes, says }) => `${nodes}: ${says}`)
    const left = alike.length - shown.length
    return left === 0 ? shown : [...shown, `… and ${left} more like ${left === 1 ? 'it' : 'these'}: calictl node status -o wide`]
  })
}

interface Column<T> {
  readonly head: string
  readonly cell: (of: T) => string
  /** Only with `-o wide`. */
  readonly wide?: true
}

function tableOf<T>(view: StatusView, columns: readonly Column<T>[], rows: readonly T[]): string {
  const shown = columns.filter(({ wide }) => wide !== true || view.wide === true)
  return table(
    shown.map(({ head }) => head),
    rows.map(row => shown.map(({ cell }) => cell(row))),
  )
}

function nodesTable(view: StatusView, statuses: readonly AgentStatus[]): string {
  if (statuses.length === 0) return ''
  const { now } = view
  const columns: readonly Column<AgentStatus>[] = [
    { head: 'NODE', cell: status => status.node },
    { head: 'ADDRESS', cell: ({ address }) => (view.wide === true ? address : address.replace(/\/\d+$/, '')) },
    { head: 'FROM', cell: ({ addressFrom }) => addressFrom, wide: true },
    { head: 'AS', cell: ({ asn }) => `${asn}`, wide: true },
    { head: 'UP', cell: ({ startedAt }) => ago(startedAt, now) },
    { head: 'VERSION', cell: ({ version }) => version, wide: true },
    { head: 'SESSIONS', cell: ({ bgp }) => `${bgp.peers.filter(isUp).length}/${bgp.peers.length}` },
    { head: 'STORE', cell: ({ datastore }) => storeCell(view, datastore) },
    { head: 'TUNNEL', cell: status => tunnelCell(view, status) },
    { head: 'ROUTES', cell: ({ routes }) => `${routes.length}` },
    { head: 'PODS', cell: ({ workloads }) => `${workloads.length}` },
    { head: 'REPAIRS', cell: ({ repairs }) => `${repairs.count}` },
    { head: 'KERNEL', cell: ({ converged }) => (converged ? 'converged' : 'working') },
    { head: 'ID', cell: ({ id }) => id, wide: true },
  ]
  return tableOf(view, columns, statuses)
}

function storeCell({ now, wide }: StatusView, { state, since }: AgentStatus['datastore']): string {
  return wide === true ? `${state} ${ago(since, now)}` : state
}

/** The tunnel that the pools use; where none does, the one that this kernel has. */
function tunnelCell({ wide }: StatusView, { ipip, vxlan, pools }: AgentStatus): string {
  const usesVxlan = pools.some(({ vxlanMode }) => vxlanMode !== 'Never')
  const usesIpip = pools.some(({ ipipMode }) => ipipMode !== 'Never')
  const { supported, reason, device } = usesVxlan || (!usesIpip && !ipip.supported && vxlan.supported) ? vxlan : ipip
  if (!supported) return wide !== true || reason === null ? 'unsupported' : `unsupported: ${reason}`
  if (device === null) return 'no device'
  const { name, address, up } = device
  const told = `${address?.replace(/\/32$/, '') ?? 'no address'}${up ? '' : ' down'}`
  return wide === true ? `${name} ${told}` : told
}

/** Nodes without a socket on this machine. */
function elsewhereTable({ elsewhere, now }: StatusView): string {
  if (elsewhere.length === 0) return ''
  const rows = elsewhere.map(({ node, state, version, peers, at }) => [
    node,
    state,
    version,
    `${peers.filter(isUp).length}/${peers.length}`,
    ago(at, now),
  ])
  return table(['ELSEWHERE', 'STATE', 'VERSION', 'SESSIONS', 'REPORTED'], rows)
}

interface Session {
  readonly node: string
  readonly peer: PeerStatus
}

/** More than these are for `-o wide`, or one node: a mesh of a hundred nodes has ten thousand ends. */
const SESSIONS_AT_MOST = 60

function peersTable(view: StatusView, statuses: readonly AgentStatus[]): string {
  const { now } = view
  const all = statuses.flatMap(({ node, bgp }) => bgp.peers.map((peer): Session => ({ node, peer })))
  const shown = view.full || all.length <= SESSIONS_AT_MOST ? all : all.filter(({ peer }) => !isUp(peer))
  const left = all.length - shown.length
  const columns: readonly Column<Session>[] = [
    { head: 'NODE', cell: ({ node }) => node },
    { head: 'PEER', cell: ({ peer }) => peer.name },
    { head: 'ADDRESS', cell: ({ peer }) => peer.address },
    { head: 'AS', cell: ({ peer }) => `${peer.asn}` },
    { head: 'TYPE', cell: ({ peer }) => peer.type, wide: true },
    { head: 'STATE', cell: ({ peer }) => peer.state },
    { head: 'SINCE', cell: ({ peer }) => ago(peer.since, now) },
    // Counts of a session that is down would be counts of nothing.
    { head: 'RCVD', cell: ({ peer }) => (isUp(peer) ? `${peer.received}` : '') },
    { head: 'ACPT', cell: ({ peer }) => (isUp(peer) ? `${peer.accepted}` : '') },
    { head: 'ADV', cell: ({ peer }) => (isUp(peer) ? `${peer.advertised}` : '') },
    { head: 'STALE', cell: ({ peer }) => `${peer.stale}`, wide: true },
    { head: 'FLAPS', cell: ({ peer }) => `${peer.flaps}` },
    { head: 'LAST ERROR', cell: ({ peer }) => peer.lastError ?? '', wide: true },
  ]
  const note = `${left} established sessions are left out: calictl node status -o wide shows all, and with a name those of one node`
  return [...(shown.length === 0 ? [] : [tableOf(view, columns, shown)]), ...(left === 0 ? [] : [note])].join('\n')
}

/** What is wanted against what is there; where much is shown, only what differs. */
function tablesTable(view: StatusView, statuses: readonly AgentStatus[]): string {
  const rows = statuses.flatMap(({ node, tables }) => tables.map(of => ({ node, ...of })))
  const shown = view.full ? rows : rows.filter(({ wanted, actual, stale }) => wanted !== actual || stale > 0)
  const columns: readonly Column<(typeof rows)[number]>[] = [
    { head: 'NODE', cell: ({ node }) => node },
    { head: 'TABLE', cell: ({ name }) => name },
    { head: 'WANTED', cell: ({ wanted }) => `${wanted}` },
    { head: 'ACTUAL', cell: ({ actual }) => `${actual}` },
    { head: 'STALE', cell: ({ stale }) => `${stale}` },
    { head: 'REPAIRS', cell: ({ repairs }) => `${repairs}` },
  ]
  return shown.length === 0 ? '' : tableOf(view, columns, shown)
}

/** Silent where nothing was dropped. */
function droppedLines(view: StatusView, statuses: readonly AgentStatus[]): string {
  const lines = statuses.flatMap(({ node, firewall: { dropped } }) =>
    dropped.forgedIpip + dropped.forgedVxlan + dropped.spoofedSource === 0
      ? []
      : [
          sentence(
            view,
            `  ${node}: ${dropped.forgedIpip} packets of forged IPIP, ${dropped.forgedVxlan} of forged VXLAN, ${dropped.spoofedSource} of pods with a source not theirs`,
            '    ',
          ),
        ],
  )
  return lines.length === 0 ? '' : ['Dropped by the firewall:', ...lines].join('\n')
}

const REPAIRS_AT_MOST = 3

function repairLines(view: StatusView, statuses: readonly AgentStatus[]): string {
  const lines = statuses.flatMap(({ node, repairs: { count, last } }) => {
    const shown = view.full ? last : last.slice(0, REPAIRS_AT_MOST)
    const left = count - shown.length
    return [
      ...shown.map(({ at, object, found }) => sentence(view, `  ${node}, ${ago(at, view.now)} ago: ${object}: ${found}`, '    ')),
      ...(left === 0 || shown.length === 0 ? [] : [`  ${node}: … and ${left} before`]),
    ]
  })
  return lines.length === 0 ? '' : ['Repairs, the newest of each node first:', ...lines].join('\n')
}
