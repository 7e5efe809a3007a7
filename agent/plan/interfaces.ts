/** What is amiss with the host sides of pods, as far as it can only be told and not mended here. */

import { INTERFACE_NAME } from '@network/model/resources/workload-endpoint.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import type { Link } from '@network/netlink/link.ts'
import type { VxlanSettings } from '@network/vxlan/settings.ts'
import { podMtu } from './workloads.ts'

export interface InterfaceFacts {
  /** This node's name. */
  readonly self: string
  readonly snapshot: Snapshot
  readonly links: readonly Pick<Link, 'name' | 'kind' | 'mtu'>[]
  /** Octets. */
  readonly underlayMtu: number
}

/** Foreign devices that share our VNI or port, one sentence each: they are left as they are. */
export function vxlanProblems(links: readonly Pick<Link, 'name' | 'vxlan'>[], { device, vni, port }: VxlanSettings): string[] {
  return links.flatMap(({ name, vxlan }) => {
    if (vxlan === undefined || name === device) return []
    const [sameVni, samePort] = [vxlan.vni === vni || vxlan.external, vxlan.port === port]
    if (!sameVni && !samePort) return []
    const has = sameVni && samePort ? `VNI ${vni} and port ${port}` : samePort ? `port ${port}` : `VNI ${vni}`
    const so =
      sameVni && samePort
        ? `${device} cannot be there beside it: remove it, or choose another vxlan.vni or vxlan.port for the whole cluster`
        : 'they can be there beside each other'
    return [`interface ${name}, which is not ours, has ${has} as ${device}: ${so}`]
  })
}

/** One sentence each. A veth that no endpoint names may be another system's of the same habits, so it is never removed. */
export function interfaceProblems({ self, snapshot, links, underlayMtu }: InterfaceFacts): string[] {
  const own = [...snapshot.workloads.values()].filter(({ node }) => node === self)
  const podOf = new Map(own.map(({ interfaceName, namespace, pod }) => [interfaceName, `${namespace}/${pod}`]))
  const fits = podMtu(snapshot, underlayMtu, self)
  return links.flatMap(({ name, kind, mtu }) => {
    const pod = podOf.get(name)
    if (pod !== undefined)
      return mtu <= fits
        ? []
        : [
            `pod ${pod} has MTU ${mtu}, and ${fits} octets fit on the way to other nodes: larger packets are refused with ICMP; start the pod anew`,
          ]
    return kind === 'veth' && INTERFACE_NAME.test(name)
      ? [`interface ${name} belongs to no pod of this node: left as it is; if nobody needs it, run "ip link delete ${name}"`]
      : []
  })
}
