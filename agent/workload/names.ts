/** What everybody calls a pod's interface on the host side, its gateway, and its claim on an address. */
import { createHash } from 'node:crypto'
import { ipv4 } from '@network/base/net/ipv4.ts'
import type { WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import type { PodInterface } from './request.ts'

/** The same on every host side: a pod may move without its neighbours' ARP entries going stale. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee'
/** Exists nowhere; the host side answers for it by proxy ARP. */
export const GATEWAY = ipv4('169.254.1.1')

/** Calico's: `cali` and 11 hex digits of SHA-1 over `namespace.pod`; a second interface adds its name behind a "/", which no pod's name has. */
export function hostInterfaceName({ namespace, pod, ifName }: PodInterface): string {
  const subject = ifName === 'eth0' ? `${namespace}.${pod}` : `${namespace}.${pod}/${ifName}`
  return `cali${createHash('sha1').update(subject).digest('hex').slice(0, 11)}`
}

/** What the pod's address is released by: one container's one interface, which is what CNI calls an attachment. */
export function addressHandle({ containerId, ifName }: Pick<PodInterface, 'containerId' | 'ifName'>): string {
  return `cni.${containerId}.${ifName}`
}

/** The pod interface that an endpoint stands for. */
export function interfaceOf({ namespace, pod, containerId, endpoint, network = '' }: WorkloadEndpoint): PodInterface {
  return { namespace, pod, containerId, ifName: endpoint, network }
}

/** Before it has an address. */
export function endpointOf(pod: PodInterface, node: string): WorkloadEndpoint {
  return {
    node,
    namespace: pod.namespace,
    pod: pod.pod,
    containerId: pod.containerId,
    endpoint: pod.ifName,
    interfaceName: hostInterfaceName(pod),
    mac: HOST_MAC,
    addresses: [],
    ...(pod.network === '' ? {} : { network: pod.network }),
  }
}

export function tunnelHandle(node: string): string {
  return `tunnel.${node}`
}
