/** What `calictl bgp peers`, `routes` and `why` print. */

import { parseIpv4 } from '@network/base/net/ipv4.ts'
import { covers, type Prefix, parsePrefix, toPrefix } from '@network/base/net/prefix.ts'
import type { BgpPath } from '@network/model/status.ts'
import type { TableAnswer } from '../agents.ts'
import { isUp, reasonOfPeer } from '../ailments.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { ago } from '../render/ago.ts'
import { table } from '../render/table.ts'
import { completeness, mustTellTables, reportSilences } from '../survey.ts'
import { sessionsOf } from './sessions.ts'

export async function showPeers(context: Context, node: string | undefined): Promise<ExitCode> {
  const { sessions, exit } = await sessionsOf(context, node)
  const now = context.clock.wall()
  const rows = sessions.map(({ node, peer, reported }) => {
    const counts = reported === undefined && isUp(peer) ? [peer.received, peer.accepted, peer.advertised] : ['', '', '']
    return [
      node,
      peer.name,
      peer.asn === 0 ? '' : `${peer.asn}`,
      peer.type,
      peer.state,
      ago(peer.since, now),
      ...counts.map(String),
    ]
  })
  const head = ['NODE', 'PEER', 'AS', 'TYPE', 'STATE', 'FOR', 'RCVD', 'ACPT', 'ADV']
  const errors = sessions.map(({ peer }) => (isUp(peer) ? '' : (reasonOfPeer(peer) ?? '')))
  const more = sessions.map(({ peer, reported }) => [
    peer.address,
    `${peer.flaps}`,
    reported === undefined ? '' : ago(reported, now),
  ])
  await show(context, {
    document: {
      kind: 'BGPSessionList',
      items: sessions.map(({ node, peer, reported }) => ({ node, ...peer, reportedAt: reported ?? null })),
    },
    text:
      sessions.length === 0
        ? 'There are no BGP sessions; nodes of the mesh and BGPPeers make them.'
        : table(
            [...head, 'LAST ERROR'],
            rows.map((row, at) => [...row, errors[at] ?? '']),
          ),
    wide: () =>
      table(
        [...head, 'ADDRESS', 'FLAPS', 'REPORTED', 'LAST ERROR'],
        rows.map((row, at) => [...row, ...(more[at] ?? []), errors[at] ?? '']),
      ),
  })
  return exit
}

export interface RoutesOptions {
  readonly node?: string
}

interface NodePath extends BgpPath {
  readonly node: string
}

export async function showRoutes(context: Context, to: string | undefined, options: RoutesOptions): Promise<ExitCode> {
  const target = to === undefined ? undefined : targetFrom(to)
  const { found, exit } = await pathsOn(context, target, options)
  if (to !== undefined && found.length === 0) throw nowhere(to)
  const used = found.filter(({ best }) => best)
  const shown = context.format === 'wide' ? found : used
  const head = ['NODE', 'PREFIX', 'NEXT HOP', 'FROM', 'AS PATH', 'PREF', 'MED', 'COMMUNITIES']
  const cells = (path: NodePath) => [
    path.node,
    path.prefix,
    path.nextHop ?? '',
    path.name,
    path.asPath,
    path.localPref === null ? '' : `${path.localPref}`,
    path.med === null ? '' : `${path.med}`,
    path.communities.join(' '),
  ]
  await show(context, {
    document: { kind: 'BGPRouteList', items: used },
    text: shown.length === 0 ? 'There are no routes by BGP yet.' : table(head, shown.map(cells)),
    wide: () =>
      table(
        [...head, 'STATE'],
        found.map(path => [...cells(path), stateOf(path)]),
      ),
  })
  return exit
}

function stateOf({ verdict, stale }: BgpPath): string {
  return stale ? `${verdict}, stale` : verdict
}

export async function showWhy(context: Context, to: string, options: RoutesOptions): Promise<ExitCode> {
  const { found, exit } = await pathsOn(context, targetFrom(to), options)
  if (found.length === 0) throw nowhere(to)
  const text = [...Map.groupBy(found, ({ node }) => node)].map(([node, paths]) => whyText(node, paths)).join('\n\n')
  await show(context, { document: { kind: 'BGPExplanationList', items: found }, text })
  return exit
}

/** The used path first, marked, then the others with why they are not. */
function whyText(node: string, paths: readonly NodePath[]): string {
  return [...Map.groupBy(paths, ({ prefix }) => prefix)]
    .map(([prefix, all]) => {
      const lines = all
        .toSorted((a, b) => Number(b.best) - Number(a.best))
        .map(path => `${path.best ? ' *>' : '   '} ${pathText(path)}: ${stateOf(path)}`)
      return [`${node}: ${prefix}, ${all.length === 1 ? '1 path' : `${all.length} paths`}`, ...lines].join('\n')
    })
    .join('\n')
}

function pathText({ name, nextHop, asPath, localPref, med, communities }: BgpPath): string {
  const facts = [
    ...(asPath === '' ? [] : [`as-path ${asPath}`]),
    ...(localPref === null ? [] : [`pref ${localPref}`]),
    ...(med === null ? [] : [`med ${med}`]),
    ...(communities.length === 0 ? [] : [`communities ${communities.join(' ')}`]),
  ]
  const from = nextHop === null ? 'of this node itself' : `via ${nextHop} from ${name}`
  return [from, ...facts].join(', ')
}

async function pathsOn(
  context: Context,
  target: Prefix | undefined,
  { node }: RoutesOptions,
): Promise<{ readonly found: readonly NodePath[]; readonly exit: ExitCode }> {
  const { survey, answers } = await mustTellTables(context, node)
  if (node === undefined) reportSilences(context, survey)
  const found = answers.flatMap(answer => towards(answer, target).map(path => ({ node: answer.node, ...path })))
  return { found, exit: node === undefined ? completeness(survey) : EXIT.ok }
}

/** The longest prefix that covers what is asked for; else what is inside of it. */
function towards({ table: { paths } }: TableAnswer, target: Prefix | undefined): readonly BgpPath[] {
  if (target === undefined) return paths
  const parsed = paths.flatMap(path => {
    const prefix = parsePrefix(path.prefix)
    return prefix.ok ? [{ path, prefix: prefix.value }] : []
  })
  const covering = parsed.filter(({ prefix }) => covers(prefix, target))
  const longest = Math.max(...covering.map(({ prefix }) => prefix.length))
  const best = covering.filter(({ prefix }) => prefix.length === longest)
  return (best.length > 0 ? best : parsed.filter(({ prefix }) => covers(target, prefix))).map(({ path }) => path)
}

function targetFrom(to: string): Prefix {
  const address = parseIpv4(to)
  if (address !== undefined) return toPrefix(address, 32)
  const parsed = parsePrefix(to)
  if (parsed.ok) return parsed.value
  throw failure('usage', {
    doing: 'look up',
    on: `routes to ${to}`,
    says: parsed.says,
    mend: 'give a prefix or an address, such as 10.244.7.0/26',
  })
}

function nowhere(to: string) {
  return failure('notFound', {
    doing: 'find',
    on: `a BGP route to ${to}`,
    says: 'no node that answers has one',
    mend: 'calictl bgp peers shows the sessions, calictl ipam show --ip whether somebody has the address',
  })
}
