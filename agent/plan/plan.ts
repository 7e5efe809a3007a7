/** Everything that this node wants, computed whole from the present facts: never from what was planned before. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { planTunnel } from '@network/ipip/plan.ts'
import {
  type AddressIntent,
  addressKey,
  type Intents,
  type LinkIntent,
  type RouteIntent,
  type SysctlIntent,
} from '@network/model/intent.ts'
import type { IpPool } from '@network/model/resources/ip-pool.ts'
import type { PoolStatus } from '@network/model/status.ts'
import type { TunnelIntents } from '@network/model/tunnel.ts'
import { planVxlan } from '@network/vxlan/plan.ts'
import type { Facts } from './facts.ts'
import { borrowedAddresses, nodeAt, ownBlocks, planRoutes, vtepsFor } from './routes.ts'
import { settingsProblems } from './settings.ts'
import { ipipMtu, vxlanDeviceMtu, workloadSysctls } from './workloads.ts'

export interface Plan {
  readonly intents: Intents
  /** Blocks to announce, and addresses borrowed from others'. */
  readonly originate: readonly Prefix[]
  /** The pools that this plan was made with. */
  readonly pools: readonly PoolStatus[]
  /** What somebody should know, one sentence each. */
  readonly problems: readonly string[]
}

export function planAll(facts: Facts): Plan {
  const routes = planRoutes(facts)
  const links = new Map<string, LinkIntent>()
  const addresses = new Map<string, AddressIntent>()
  const sysctls = new Map<string, SysctlIntent>()
  const want = (intents: readonly SysctlIntent[]) => {
    for (const intent of intents) sysctls.set(intent.path, intent)
  }

  const wantTunnel = ({ link, address, sysctls: settings }: TunnelIntents) => {
    links.set(link.name, link)
    addresses.set(addressKey(address), address)
    want(settings)
  }

  want([{ path: 'net/ipv4/ip_forward', accept: ['1'], why: 'every node is a router' }])
  const tunnelAddress = facts.snapshot.nodes.get(facts.self)?.tunnelAddress
  if (facts.ipipUnsupported === undefined && tunnelAddress !== undefined) {
    const { device, mtu } = facts.underlay
    const { link, ...rest } = planTunnel({
      address: tunnelAddress,
      underlayDevice: device,
      underlayMtu: mtu,
      strictEverywhere: facts.strictEverywhere,
    })
    wantTunnel({ ...rest, link: { ...link, mtu: ipipMtu(facts.snapshot, mtu, facts.self) } })
  }
  if (facts.vxlan.unsupported === undefined && tunnelAddress !== undefined) {
    const { device, address, mtu } = facts.underlay
    const { link, ...rest } = planVxlan({
      settings: facts.vxlan.settings,
      mac: facts.vxlan.mac,
      address: tunnelAddress,
      underlayDevice: device,
      underlayAddress: address,
      underlayMtu: mtu,
      strictEverywhere: facts.strictEverywhere,
    })
    wantTunnel({ ...rest, link: { ...link, mtu: vxlanDeviceMtu(facts.snapshot, mtu, facts.self) } })
  }
  for (const workload of facts.snapshot.workloads.values()) {
    if (workload.node !== facts.self) continue
    links.set(workload.interfaceName, { name: workload.interfaceName, create: undefined, up: true, mtu: undefined })
    want(workloadSysctls(workload.interfaceName))
  }

  return {
    intents: { links, addresses, vteps: vtepsFor(routes.values(), facts), routes, sysctls },
    originate: [...ownBlocks(facts.self, facts.snapshot), ...borrowedAddresses(facts.self, facts.snapshot)],
    pools: [...facts.snapshot.pools.values()].map(({ name, ipipMode, vxlanMode, natOutgoing }) => ({
      name,
      ipipMode,
      vxlanMode,
      natOutgoing,
    })),
    problems: problemsOf(facts, routes),
  }
}

/** What all routes in the same doubt have in common; undefined where there is none. */
function doubtIn(route: RouteIntent, { ipipUnsupported, vxlan }: Facts): string | undefined {
  if (route.is === 'remote' && route.carriage === 'gateway')
    return `sent plain to ${formatIpv4(route.gateway)}, which must know them`
  if (route.is !== 'unreachable') return undefined
  if (ipipUnsupported !== undefined && route.why.endsWith(ipipUnsupported)) return 'unreachable, for want of IPIP'
  return vxlan.unsupported !== undefined && route.why.endsWith(vxlan.unsupported) ? 'unreachable, for want of VXLAN' : route.why
}

/** One sentence for one route, and one for all that are in the same doubt. */
function folded(routes: Iterable<RouteIntent>, doubtIn: (route: RouteIntent) => string | undefined): string[] {
  const groups = new Map<string, [RouteIntent, ...RouteIntent[]]>()
  for (const route of routes) {
    const doubt = doubtIn(route)
    const group = doubt === undefined ? undefined : groups.get(doubt)
    if (group !== undefined) group.push(route)
    else if (doubt !== undefined) groups.set(doubt, [route])
  }
  return [...groups].map(([doubt, [first, ...others]]) => {
    const one = `${formatPrefix(first.destination)}: ${first.why}`
    if (others.length === 0) return one
    const all = `${formatPrefix(first.destination)} and ${others.length} other block${others.length === 1 ? '' : 's'}`
    return doubt === first.why ? `${all}: ${doubt}` : `${all}: ${doubt}; of the first: ${first.why}`
  })
}

/** The other tunnel is the mend where this kernel has it. */
function unsupportedTunnel({ name, ipipMode, vxlanMode }: IpPool, { ipipUnsupported, vxlan }: Facts): string[] {
  const mend = (option: string, mode: string, otherwise: string | undefined) =>
    otherwise === undefined ? `; "calictl ippool set ${name} --${option} ${mode}" goes without it` : ''
  if (ipipMode !== 'Never' && ipipUnsupported !== undefined)
    return [
      `pool ${name} has ipipMode ${ipipMode}, but IPIP is unsupported by this kernel: ${ipipUnsupported}; nothing is sent plain instead${mend('vxlan', ipipMode, vxlan.unsupported)}`,
    ]
  if (vxlanMode !== 'Never' && vxlan.unsupported !== undefined)
    return [
      `pool ${name} has vxlanMode ${vxlanMode}, but VXLAN is unsupported by this kernel: ${vxlan.unsupported}; nothing is sent plain instead${mend('ipip', vxlanMode, ipipUnsupported)}`,
    ]
  return []
}

function problemsOf(facts: Facts, routes: ReturnType<typeof planRoutes>): string[] {
  const problems = settingsProblems(facts.self, facts.snapshot, facts.vxlan.settings)
  for (const pool of facts.snapshot.pools.values()) problems.push(...unsupportedTunnel(pool, facts))
  problems.push(...folded(routes.values(), route => doubtIn(route, facts)))
  for (const { destination, nextHop } of facts.learned)
    if (nodeAt(facts.snapshot, nextHop) === undefined && nextHop === facts.underlay.address)
      problems.push(
        `${formatPrefix(destination)} is announced with this node's own address ${formatIpv4(nextHop)} as next hop; ignored`,
      )
  for (const [key, found] of facts.snapshot.junk)
    problems.push(`${key} cannot be read and counts as absent: ${found.map(({ at, says }) => `${at} ${says}`).join('; ')}`)
  return problems
}
