/** Names of a pod's interface on the host side, and of its claim on an address. */
import { createHash } from 'node:crypto'
import type { PodInterface } from './request.ts'

/** Calico's: `cali` and 11 hex digits of SHA-1 over `namespace.pod`; a second interface of a pod adds its name. */
export function hostInterfaceName({ namespace, pod, ifName }: PodInterface): string {
  const subject = ifName === 'eth0' ? `${namespace}.${pod}` : `${namespace}.${pod}.${ifName}`
  return `cali${createHash('sha1').update(subject).digest('hex').slice(0, 11)}`
}

/** What the pod's address is released by. */
export function addressHandle({ containerId, ifName }: PodInterface): string {
  return `cni.${containerId}.${ifName}`
}

export function tunnelHandle(node: string): string {
  return `tunnel.${node}`
}
