/** Everything that this node wants, computed whole from the present facts: never from what was planned before. */

import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import { planTunnel } from '@network/ipip/plan.ts'
import { type AddressIntent, addressKey, type Intents, type LinkIntent, type SysctlIntent } from '@network/model/intent.ts'
import type { PoolStatus } from '@network/model/status.ts'
import type { Facts } from './facts.ts'
import { borrowedAddresses, nodeAt, ownBlocks, planRoutes } from './routes.ts'
import { settingsProblems } from './settings.ts'
import { ipipMtu, workloadSysctls } from './workloads.ts'

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

  want([{ path: 'net/ipv4/ip_forward', accept: ['1'], why: 'every node is a router' }])
  const tunnelAddress = facts.snapshot.nodes.get(facts.self)?.tunnelAddress
  if (facts.ipipUnsupported === undefined && tunnelAddress !== undefined) {
    const { device, mtu } = facts.underlay
    const tunnel = planTunnel({
      address: tunnelAddress,
      underlayDevice: device,
      underlayMtu: mtu,
      strictEverywhere: facts.strictEverywhere,
    })
    links.set(tunnel.link.name, { ...tunnel.link, mtu: ipipMtu(facts.snapshot, mtu, facts.self) })
    addresses.set(addressKey(tunnel.address), tunnel.address)
    want(tunnel.sysctls)
  }
  for (const workload of facts.snapshot.workloads.values()) {
    if (workload.node !== facts.self) continue
    links.set(workload.interfaceName, { name: workload.interfaceName, create: undefined, up: true, mtu: undefined })
    want(workloadSysctls(workload.interfaceName))
  }

  return {
    intents: { links, addresses, routes, sysctls },
    originate: [...ownBlocks(facts.self, facts.snapshot), ...borrowedAddresses(facts.self, facts.snapshot)],
    pools: [...facts.snapshot.pools.values()].map(({ name, ipipMode }) => ({ name, ipipMode })),
    problems: problemsOf(facts, routes),
  }
}

function problemsOf(facts: Facts, routes: ReturnType<typeof planRoutes>): string[] {
  const problems = settingsProblems(facts.self, facts.snapshot)
  if (facts.ipipUnsupported !== undefined)
    for (const pool of facts.snapshot.pools.values())
      if (pool.ipipMode !== 'Never')
        problems.push(
          `pool ${pool.name} has ipipMode ${pool.ipipMode}, but IPIP is unsupported by this kernel: ${facts.ipipUnsupported}; nothing is sent plain instead`,
        )
  for (const route of routes.values())
    if ((route.is === 'remote' && route.carriage === 'gateway') || route.is === 'unreachable')
      problems.push(`${formatPrefix(route.destination)}: ${route.why}`)
  for (const { destination, nextHop } of facts.learned)
    if (nodeAt(facts.snapshot, nextHop) === undefined && nextHop === facts.underlay.address)
      problems.push(
        `${formatPrefix(destination)} is announced with this node's own address ${formatIpv4(nextHop)} as next hop; ignored`,
      )
  for (const [key, found] of facts.snapshot.junk)
    problems.push(`${key} cannot be read and counts as absent: ${found.map(({ at, says }) => `${at} ${says}`).join('; ')}`)
  return problems
}
