/** Nodes without Cali: what an administrator would type, and what flannel does, for one pod a node and one other node. */

import { mustIn } from '../lab/command.ts'
import { addNamespace } from '../lab/fabric.ts'
import { NETNS_DIR } from '../lab/paths.ts'
import type { NodePlan } from '../lab/topology.ts'

export type Carriage = 'plain' | 'ipip' | 'vxlan'

/** A node with its pod, by the number that its addresses are made from. */
export interface Half {
  readonly node: NodePlan
  readonly number: number
}

interface Plan {
  readonly carriage: Carriage
  /** Of the pods' interfaces, octets. */
  readonly mtu: number
}

const VNI = 77
const PORT = 4789
/** Outer IP, UDP and VXLAN headers with the inner Ethernet one; an outer IP header alone. */
const OVERHEAD = { plain: 0, ipip: 20, vxlan: 50 }
const UNDERLAY_MTU = 1500

export function podOf({ node }: Half): string {
  return `${node.name}-hand`
}

export function addressOf({ number }: Half): string {
  return `10.9.${number}.2`
}

/** Routes, sysctls and nothing else: a pod has its /32 and the node answers ARP for its gateway. */
export async function wireByHand(from: Half, to: Half, { carriage, mtu }: Plan): Promise<void> {
  const pod = podOf(from)
  const host = `veth-${from.number}`
  await addNamespace(pod)
  await shell(from.node.name, [
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    `ip link add name ${host} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pod}`,
    `ip link set ${host} up`,
    `echo 1 >/proc/sys/net/ipv4/conf/${host}/proxy_arp`,
    `echo 0 >/proc/sys/net/ipv4/neigh/${host}/proxy_delay`,
    `ip route add ${addressOf(from)}/32 dev ${host}`,
    ...way(from, to, carriage),
  ])
  await shell(pod, [
    'ip link set eth0 up',
    `ip address add ${addressOf(from)}/32 dev eth0`,
    'ip route add 169.254.1.1 dev eth0 scope link',
    'ip route add default via 169.254.1.1',
  ])
}

/** As flannel does it: pods on a bridge with a subnet of their own, and VXLAN whatever the underlay is. */
export async function wireLikeFlannel(from: Half, to: Half): Promise<void> {
  const pod = podOf(from)
  const mtu = UNDERLAY_MTU - OVERHEAD.vxlan
  await addNamespace(pod)
  await shell(from.node.name, [
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    `ip link add name cni0 mtu ${mtu} type bridge`,
    `ip address add 10.9.${from.number}.1/24 dev cni0`,
    'ip link set cni0 up',
    `ip link add name veth-pod mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pod}`,
    'ip link set dev veth-pod master cni0 up',
    ...way(from, to, 'vxlan'),
  ])
  await shell(pod, [
    'ip link set eth0 up',
    `ip address add ${addressOf(from)}/24 dev eth0`,
    `ip route add default via 10.9.${from.number}.1`,
  ])
}

/** To the other node's pods. */
function way(from: Half, to: Half, carriage: Carriage): string[] {
  const subnet = `10.9.${to.number}.0/24`
  const mtu = UNDERLAY_MTU - OVERHEAD[carriage]
  const { address: local } = from.node
  const { address: remote } = to.node
  switch (carriage) {
    case 'plain':
      return [`ip route add ${subnet} via ${remote}`]
    case 'ipip':
      return [
        `ip link add name ipip-hand mtu ${mtu} type ipip local ${local} remote ${remote}`,
        'ip link set ipip-hand up',
        `ip route add ${subnet} dev ipip-hand`,
      ]
    case 'vxlan': {
      const device = 'vxlan-hand'
      const form = `type vxlan id ${VNI} local ${local} dev eth0 dstport ${PORT} nolearning`
      return [
        `ip link add name ${device} mtu ${mtu} address ${macOf(from)} ${form}`,
        `ip link set ${device} up`,
        `ip neighbour add 10.9.${to.number}.0 lladdr ${macOf(to)} dev ${device} nud permanent`,
        `bridge fdb append ${macOf(to)} dev ${device} dst ${remote}`,
        `ip route add ${subnet} via 10.9.${to.number}.0 dev ${device} onlink`,
      ]
    }
    default:
      return carriage satisfies never
  }
}

function macOf({ number }: Half): string {
  return `66:00:00:00:00:${number.toString(16).padStart(2, '0')}`
}

export function namespacePath(pod: string): string {
  return `${NETNS_DIR}/${pod}`
}

async function shell(where: string, lines: readonly string[]): Promise<void> {
  await mustIn(where, ['sh', '-ec', lines.join('\n')])
}
