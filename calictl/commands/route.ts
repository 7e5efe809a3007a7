/** `calictl route get`: how each node carries packets, and why. */

import { formatIpv4, parseIpv4 } from '@network/base/net/ipv4.ts'
import { covers, type Prefix, parsePrefix, toPrefix } from '@network/base/net/prefix.ts'
import type { RouteStatus } from '@network/model/status.ts'
import type { Command } from 'commander'
import type { Answer } from '../agents.ts'
import { type Act, type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { examples } from '../help.ts'
import { named, podName, readWorkloads } from '../pods.ts'
import { table } from '../render/table.ts'
import { completeness, mustTell, reportSilences } from '../survey.ts'
import { type WatchOptions, watched } from './watching.ts'

export interface RouteOptions {
  readonly node?: string
}

export function addRoute(program: Command, act: Act): void {
  const route = program
    .command('route')
    .description('how nodes carry packets')
    .addHelpText('after', examples('calictl route get 10.244.7.5'))
  route
    .command('get')
    .description('show the route of each node to a pod, address or prefix; without one, all routes that Cali keeps')
    .argument('[to]', 'pod, address or prefix')
    .option('--node <name>', 'only the routes of this node')
    .addHelpText(
      'after',
      examples('calictl route get web-1', 'calictl route get 10.244.7.0/26 --node node-2', 'calictl route get -o wide'),
    )
    .option('-w, --watch', 'go on, and show what changes')
    .action((to: string | undefined, options: RouteOptions & WatchOptions) =>
      act(context => watched(context, options, seen => getRoutes(seen, to, options))),
    )
}

/** Where packets go: an address or prefix, and how the user called it. */
interface Target {
  readonly prefix: Prefix
  readonly called: string
}

interface NodeRoute {
  readonly node: string
  /** What was asked for; null when everything was. */
  readonly to: string | null
  /** Null when no route of Cali's carries it. */
  readonly route: RouteStatus | null
}

async function getRoutes(context: Context, to: string | undefined, { node }: RouteOptions): Promise<ExitCode> {
  const targets = to === undefined ? undefined : await targetsOf(context, to)
  const { survey, answers } = await mustTell(context, node)
  if (node === undefined) reportSilences(context, survey)
  const found = answers.flatMap(answer =>
    targets === undefined ? allRoutes(answer) : targets.flatMap(one => towards(answer, one)),
  )
  if (to !== undefined && found.every(({ route }) => route === null)) throw nowhere(to, answers)
  const items = found.map(({ node, to, route }) => ({ node, to, route }))
  await show(context, { document: { kind: 'RouteList', items }, text: textOf(found), wide: () => textOf(found, 'wide') })
  return node === undefined ? completeness(survey) : EXIT.ok
}

async function targetsOf(context: Context, to: string): Promise<readonly Target[]> {
  const address = parseIpv4(to)
  if (address !== undefined) return [{ prefix: toPrefix(address, 32), called: to }]
  if (to.includes('/') && /^[\d./]+$/.test(to)) {
    const parsed = parsePrefix(to)
    if (parsed.ok) return [{ prefix: parsed.value, called: to }]
    throw failure('usage', {
      doing: 'look up',
      on: `routes to ${to}`,
      says: parsed.says,
      mend: 'give a pod, an address or a prefix',
    })
  }
  return named(await readWorkloads(context), to).flatMap(endpoint =>
    endpoint.addresses.map(one => ({ prefix: toPrefix(one, 32), called: `${podName(endpoint)} (${formatIpv4(one)})` })),
  )
}

function allRoutes({ node, status }: Answer): readonly NodeRoute[] {
  return status.routes.map(route => ({ node, to: null, route }))
}

/** The longest match, as the kernel decides; for a prefix that no route covers whole, the routes inside it. */
function towards({ node, status }: Answer, { prefix, called }: Target): readonly NodeRoute[] {
  const parsed = status.routes.flatMap(route => {
    const destination = destinationOf(route)
    return destination === undefined ? [] : [{ route, destination }]
  })
  const best = parsed
    .filter(({ destination }) => covers(destination, prefix))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0]
  if (best !== undefined) return [{ node, to: called, route: best.route }]
  const inside = parsed.filter(({ destination }) => covers(prefix, destination))
  return inside.length > 0 ? inside.map(({ route }) => ({ node, to: called, route })) : [{ node, to: called, route: null }]
}

function destinationOf({ destination }: RouteStatus): Prefix | undefined {
  const parsed = parsePrefix(destination.includes('/') ? destination : `${destination}/32`)
  return parsed.ok ? parsed.value : undefined
}

function nowhere(to: string, answers: readonly Answer[]) {
  const nodes = answers.map(({ node }) => node).join(', ')
  return failure('notFound', {
    doing: 'find',
    on: `a route to ${to}`,
    says: `none of Cali's routes on ${nodes} leads there`,
    mend: 'the kernel decides by its other routes; calictl ipam show --ip tells whether the address is in a pool',
  })
}

function textOf(found: readonly NodeRoute[], width?: 'wide'): string {
  if (found.length === 0) return 'There are no routes yet; pods and the blocks of other nodes make them.'
  const more = width === 'wide' ? ['KIND', 'TO NODE', 'GATEWAY', 'DEVICE'] : []
  return table(
    ['NODE', 'ROUTE', 'CARRIAGE', 'STATE', ...more, 'WHY'],
    found.map(({ node, to, route }) =>
      route === null
        ? [node, `no route of Cali's to ${to}`, '', '', ...more.map(() => ''), '']
        : [
            node,
            route.text,
            route.carriage ?? '',
            route.state,
            ...(width === 'wide' ? [route.kind, route.node ?? '', route.gateway ?? '', route.device ?? ''] : []),
            route.problem === null ? route.why : `${route.why}; ${route.problem}`,
          ],
    ),
  )
}
