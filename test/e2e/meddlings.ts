/** What a stranger may do to our objects on a node, and what stands in the node's kernel as far as that matters. */
import { readFileSync } from 'node:fs'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { inNamespace } from '@network/base/sys/namespace.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Millis, millis } from '@network/base/time/units.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import type { Link } from '@network/netlink/link.ts'
import { formatRoute, type Route, TABLE } from '@network/netlink/route.ts'
import { namespaceOf } from '../lab/command.ts'
import type { Lab } from '../lab/lab.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

/** A stranger's act: a line of shell. */
export interface Meddling {
  readonly node: string
  readonly shell: string
}

const TUNNEL = 'tunl0'
const VXLAN = 'vxlan.cali'
/** Of interfaces; the kernel tells of a change of these at once. */
const TOLD = ['proxy_arp', 'forwarding', 'rp_filter']
/** More acts, for who waits for nftables too. */
export const AGAINST_FIREWALL = [
  'nft delete table inet cali',
  'nft flush table inet cali',
  'nft delete table netdev cali',
  'nft flush table netdev cali',
  'nft flush chain netdev cali known',
  'nft flush set inet cali nodes',
]
const OURS = 'proto 80 metric 1024'

/** Links, addresses, routes of all tables but local, permanent neighbours and settings, one line each, sorted. */
export function kernelState(node: string): string[] {
  using client = NetlinkClient.open({ namespace: namespaceOf(node) })
  const links = client.links()
  const nameOf = (index: number | undefined) => links.find(link => link.index === index)?.name ?? '?'
  return [
    ...links.map(({ name, mtu, up }) => `link ${name} mtu ${mtu} ${up ? 'up' : 'down'}`),
    ...links.flatMap(link => vxlanState(link, client)),
    ...client.addresses().map(row => `address ${formatIpv4(row.address)}/${row.length} dev ${nameOf(row.link)}`),
    ...client
      .routes()
      .filter(({ table }) => table !== TABLE.local)
      .map(row => `route ${formatRoute(row, nameOf)} scope ${row.scope}`),
    ...client
      .neighbours()
      .filter(({ state }) => state === 'permanent')
      .map(row => `neighbour ${formatIpv4(row.address)} dev ${nameOf(row.link)} ${row.mac}`),
    ...settingsOf(
      node,
      links.map(({ name }) => name),
    ),
  ].sort()
}

/** Waits until the state of a node is as it was; what is missing or too much is told when it does not come to be. */
export async function assertStateIs(
  lab: Lab,
  node: string,
  expected: readonly string[],
  { what, within }: { readonly what: string; readonly within: Millis },
): Promise<void> {
  let seen: readonly string[] = []
  await until(
    () => {
      seen = kernelState(node)
      return seen.join('\n') === expected.join('\n')
    },
    {
      clock: lab.clock,
      what,
      within,
      every: millis(5),
      instead: () =>
        [
          ...expected.filter(row => !seen.includes(row)).map(row => `- ${row}`),
          ...seen.filter(row => !expected.includes(row)).map(row => `+ ${row}`),
        ].join('\n'),
    },
  )
}

/** Our nftables tables as their words in order, for sets and maps list theirs in any. */
export async function firewallWords(lab: Lab, node: string): Promise<string> {
  const { stdout } = await lab.exec(node, ['sh', '-c', 'nft -s list table inet cali && nft -s list table netdev cali'])
  return stdout
    .split(/[\s,]+/)
    .sort()
    .join(' ')
}

/** The device with its forwarding table. */
function vxlanState({ name, index, mac, vxlan }: Link, client: NetlinkClient): string[] {
  if (vxlan === undefined) return []
  const { vni, port, learning } = vxlan
  return [
    `vxlan ${name} ${mac} vni ${vni} port ${port}${learning ? ' learning' : ''}`,
    ...client
      .forwardingEntries(index)
      .map(entry => `forwarding ${entry.mac} dst ${entry.remote === undefined ? 'none' : formatIpv4(entry.remote)} dev ${name}`),
  ]
}

/** Something at random that breaks an object of ours on the node. */
export function meddle(node: string, random: Random, more: readonly string[] = []): Meddling {
  using client = NetlinkClient.open({ namespace: namespaceOf(node) })
  const acts = [
    ...client
      .routes({ table: TABLE.main, protocol: 80 })
      .filter(({ metric }) => metric === 1024)
      .flatMap(againstRoute),
    `ip route add blackhole 10.244.250.0/26 ${OURS}`,
    'echo 0 >/proc/sys/net/ipv4/ip_forward',
    `ip route flush table main ${OURS}`,
    ...more,
    ...client.links().flatMap(({ name }) => againstLink(name, client)),
  ]
  const pick = () => acts[Math.floor(random() * acts.length)] ?? ''
  // Half of them come in pairs, of which the second may find nothing left to break.
  return { node, shell: random() < 0.5 ? pick() : `${pick()}; ${pick()} 2>/dev/null || :` }
}

const FURTHER_BAIT = 30

/** Foreign objects that look as much like ours as they can. */
export async function layBait(lab: Lab, node: string): Promise<void> {
  const { gateway } = lab.node(node)
  const ours = (await lab.routes(node)).filter(({ protocol, metric }) => protocol === '80' && metric === 1024)
  const routes = [
    ...ours.map(({ dst }) => `blackhole ${dst} proto 80 metric 2048`),
    ...ours.map(({ dst }) => `blackhole ${dst} proto 80 metric 1024 table 100`),
    ...['static', 'bird', 'boot'].map((name, at) => `10.244.20${at}.0/26 via ${gateway} proto ${name} metric 1024`),
    `10.244.210.0/26 via ${gateway} proto 80 metric 7`,
    `10.99.0.0/24 via ${gateway} proto static`,
  ]
  const tunnel = lab.hasIpip ? [`address add 192.168.77.1/32 dev ${TUNNEL}`] : []
  const batch = [
    ...routes.map(words => `route add ${words}`),
    'link add calibbbbbbbbbbb type veth peer name bait',
    'address add 10.244.220.1/32 dev calibbbbbbbbbbb',
    `neighbour add ${gateway.replace(/\d+$/, '200')} lladdr 02:00:00:00:00:99 dev eth0 nud permanent`,
    ...Array.from({ length: FURTHER_BAIT }, (_, at) => `route add 10.98.${at}.0/24 via ${gateway} proto static`),
    'link add vxlan.theirs type vxlan id 4096 dstport 4790 dev eth0 learning',
    'neighbour add 10.97.0.1 lladdr 66:00:00:00:00:99 dev vxlan.theirs nud permanent',
    ...tunnel,
  ]
  // One process for all: in the virtual machine each takes half a second.
  const shell = `ip -batch - <<'END'\n${batch.join('\n')}\nEND\nbridge fdb append 66:00:00:00:00:99 dst 172.16.99.99 dev vxlan.theirs`
  await must(lab, node, 'sh', '-ec', shell)
}

function againstRoute(route: Route): string[] {
  const destination = formatPrefix(route.destination)
  const kind = route.type === 'unicast' ? '' : `${route.type} `
  return [
    `ip route del ${kind}${destination} ${OURS}`,
    `ip route replace prohibit ${destination} ${OURS}`,
    ...(route.gateway === undefined ? [] : [`ip route replace ${destination} dev eth0 scope link ${OURS}`]),
  ]
}

function againstLink(name: string, client: NetlinkClient): string[] {
  if (name === TUNNEL) return [...againstTunnel(name, client), `ip link set ${name} down; ip link set ${name} up`]
  if (name === VXLAN) return [...againstTunnel(name, client), ...againstVxlan(client)]
  if (!/^cali[0-9a-f]{11}$/.test(name) || name === 'calibbbbbbbbbbb') return []
  const flips = TOLD.map(setting => `echo 0 >/proc/sys/net/ipv4/conf/${name}/${setting}`)
  return [...flips, `ip link set ${name} down`, `ip link set ${name} down; ip link set ${name} up`]
}

function againstVxlan(client: NetlinkClient): string[] {
  const index = client.link(VXLAN)?.index
  const entries = index === undefined ? [] : client.forwardingEntries(index)
  const neighbours = index === undefined ? [] : client.neighbours(index).filter(({ state }) => state === 'permanent')
  return [
    `ip link del ${VXLAN}`,
    `ip link del ${VXLAN}; ip link add ${VXLAN} type vxlan id 99 dstport 4789 dev eth0; ip link set ${VXLAN} up`,
    `ip link set ${VXLAN} address 02:00:00:00:00:77`,
    `ip neigh flush dev ${VXLAN} nud permanent`,
    `bridge fdb append 00:00:00:00:00:00 dst 172.16.20.99 dev ${VXLAN}`,
    `bridge fdb append 02:00:00:00:00:55 dst 172.16.20.99 dev ${VXLAN}`,
    `ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:55 dev ${VXLAN} nud permanent`,
    ...entries.flatMap(({ mac }) => [
      `bridge fdb del ${mac} dev ${VXLAN}`,
      `bridge fdb replace ${mac} dst 172.16.20.98 dev ${VXLAN}`,
    ]),
    ...neighbours.flatMap(({ address }) => [
      `ip neigh del ${formatIpv4(address)} dev ${VXLAN}`,
      `ip neigh replace ${formatIpv4(address)} lladdr 02:00:00:00:00:66 dev ${VXLAN} nud permanent`,
      `ip neigh replace ${formatIpv4(address)} lladdr 02:00:00:00:00:66 dev ${VXLAN} nud reachable`,
    ]),
  ]
}

function againstTunnel(tunnel: string, client: NetlinkClient): string[] {
  const index = client.link(tunnel)?.index
  const own = client.addresses(index).filter(({ link, address }) => link === index && formatIpv4(address).startsWith('10.244.'))
  return [
    `ip link set ${tunnel} down`,
    `ip link set ${tunnel} mtu 1280`,
    `echo 1 >/proc/sys/net/ipv4/conf/${tunnel}/rp_filter`,
    `ip address add 10.244.251.1/32 dev ${tunnel}`,
    ...own.map(({ address }) => `ip address del ${formatIpv4(address)}/32 dev ${tunnel}`),
  ]
}

function settingsOf(node: string, links: readonly string[]): string[] {
  const paths = ['net/ipv4/ip_forward', ...links.flatMap(link => TOLD.map(name => `net/ipv4/conf/${link}/${name}`))]
  return inNamespace(namespaceOf(node), () => paths.map(path => `${path}=${readFileSync(`/proc/sys/${path}`, 'utf8').trim()}`))
}
