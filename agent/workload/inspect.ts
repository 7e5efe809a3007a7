/** Looks at a wired pod from both ends of its veth pair: what CHECK tells. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import type { Link } from '@network/netlink/link.ts'
import { type Route, SCOPE, TABLE } from '@network/netlink/route.ts'
import { isOurRoute } from '../kernel/ownership.ts'
import { readSysctl } from '../kernel/tables/sysctls.ts'
import { workloadSysctls } from '../plan/workloads.ts'
import { GATEWAY, HOST_MAC } from './names.ts'

/** A pod interface as it was left. */
export interface Wired {
  readonly netns: string
  readonly hostInterface: string
  readonly podInterface: string
  readonly addresses: readonly Ipv4[]
  /** Of the pod's side. */
  readonly mac: string
}

/** What is not as it was left, one sentence each; `host` is of the node's own namespace. */
export function inspectPod(host: NetlinkClient, wired: Wired): string[] {
  using pod = NetlinkClient.open({ namespace: wired.netns })
  const outside = host.link(wired.hostInterface)
  const inside = pod.link(wired.podInterface)
  return [
    ...linkProblems(outside, { where: 'on the node', name: wired.hostInterface, mac: HOST_MAC }),
    ...linkProblems(inside, { where: 'in the pod', name: wired.podInterface, mac: wired.mac }),
    ...(outside === undefined || inside === undefined ? [] : pairProblems(outside, inside)),
    ...(outside === undefined ? [] : hostProblems(host, outside, wired.addresses)),
    ...(inside === undefined ? [] : podProblems(pod, inside, wired.addresses)),
  ]
}

function linkProblems(
  link: Link | undefined,
  { where, name, mac }: { readonly where: string; readonly name: string; readonly mac: string },
): string[] {
  if (link === undefined) return [`there is no interface ${name} ${where}`]
  return [
    ...(link.up ? [] : [`interface ${name} ${where} is down`]),
    ...(link.mac === mac ? [] : [`interface ${name} ${where} has the address ${link.mac ?? 'none'} instead of ${mac}`]),
  ]
}

function pairProblems(outside: Link, inside: Link): string[] {
  if (outside.peer?.index === inside.index && inside.peer?.index === outside.index) return []
  return [`${outside.name} and the pod's ${inside.name} are not the two ends of one pair`]
}

function hostProblems(host: NetlinkClient, outside: Link, addresses: readonly Ipv4[]): string[] {
  const routes = host.routes({ table: TABLE.main, device: outside.index }).filter(isOurRoute)
  return [
    ...addresses
      .filter(address => !routes.some(route => isDirect(route, address)))
      .map(address => `the node has no route ${formatIpv4(address)} dev ${outside.name}`),
    ...workloadSysctls(outside.name)
      .filter(({ path, accept }) => !accept.includes(readSysctl(path) ?? ''))
      .map(({ path, accept, why }) => `${path} is ${readSysctl(path) ?? 'missing'} instead of ${accept[0]}: ${why}`),
  ]
}

function podProblems(pod: NetlinkClient, inside: Link, addresses: readonly Ipv4[]): string[] {
  const present = pod.addresses(inside.index)
  const routes = pod.routes({ table: TABLE.main, device: inside.index })
  const isDefault = (route: Route) => route.destination.length === 0 && route.gateway === GATEWAY
  return [
    ...addresses
      .filter(address => !present.some(row => row.address === address && row.length === 32))
      .map(address => `the pod's ${inside.name} lacks ${formatIpv4(address)}/32`),
    ...(routes.some(route => isDirect(route, GATEWAY)) ? [] : [`the pod has no route ${formatIpv4(GATEWAY)} dev ${inside.name}`]),
    ...(routes.some(isDefault) ? [] : [`the pod has no default route via ${formatIpv4(GATEWAY)} dev ${inside.name}`]),
  ]
}

/** Straight to one host on the link. */
function isDirect(route: Route, address: Ipv4): boolean {
  const { destination, gateway, scope, type } = route
  return (
    type === 'unicast' &&
    destination.length === 32 &&
    destination.address === address &&
    gateway === undefined &&
    scope === SCOPE.link
  )
}
