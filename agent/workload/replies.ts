/** What the plugin prints: results of ADD, and everything that goes wrong as a code of the spec with its sentence. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { CNI_ERROR, type CniReply, type CniResult, type CniVersion, cniFailure } from '@network/model/cni.ts'
import { GATEWAY, HOST_MAC } from './names.ts'

export const SILENT_SUCCESS: CniReply = { exitCode: 0, body: null }

/** A pod interface that stands. */
export interface Attached {
  readonly netns: string
  readonly hostInterface: string
  readonly podInterface: string
  /** Of the pod's side. */
  readonly mac: string
  readonly address: Ipv4
}

/** The result of an ADD, in the form of the version asked for. */
export function resultOf(version: CniVersion, { netns, hostInterface, podInterface, mac, address }: Attached): CniReply {
  const result: CniResult = {
    cniVersion: version,
    interfaces: [
      { name: hostInterface, mac: HOST_MAC },
      { name: podInterface, mac, sandbox: netns },
    ],
    ips: [
      {
        ...(version === '0.4.0' ? { version: '4' } : {}),
        address: `${formatIpv4(address)}/32`,
        gateway: formatIpv4(GATEWAY),
        interface: 1,
      },
    ],
    routes: [{ dst: '0.0.0.0/0', gw: formatIpv4(GATEWAY) }],
    dns: {},
  }
  return { exitCode: 0, body: { ...result } }
}

/** The error that a runtime is told: its code says whether trying again can help. `who` is `pod shop/web-1`. */
export function failureOf(version: CniVersion, who: string, reason: unknown): CniReply {
  const says = `${who}: ${reasonOf(reason)}`
  if (reason instanceof Fault) {
    const known = KNOWN[reason.code] ?? (reason.code.startsWith('datastore.') ? DATASTORE : undefined)
    return cniFailure(version, known?.code ?? CNI_ERROR.internal, says, known?.details ?? reason.code)
  }
  if (reason instanceof DOMException && reason.name === 'TimeoutError')
    return cniFailure(version, CNI_ERROR.tryAgainLater, `${who}: not ready in time`, 'see calictl node status')
  return cniFailure(version, CNI_ERROR.internal, says, 'see the log of the agent')
}

interface Known {
  readonly code: number
  readonly details: string
}

const DATASTORE: Known = { code: CNI_ERROR.tryAgainLater, details: 'the datastore must answer before a pod can come or go' }

const KNOWN: Readonly<Record<string, Known>> = {
  'ipam.no-pool': { code: CNI_ERROR.addressesExhausted, details: 'a pool is made with calictl ippool create' },
  'ipam.pools-full': { code: CNI_ERROR.addressesExhausted, details: 'who holds the addresses: calictl ipam show --blocks' },
  'node.unregistered': { code: CNI_ERROR.tryAgainLater, details: 'a node that nobody routes to takes no pods' },
  'kernel.conflict': { code: CNI_ERROR.tryAgainLater, details: 'what strangers put into the kernel is not ours to remove' },
  'pod.race': { code: CNI_ERROR.tryAgainLater, details: 'two writers met' },
  'pod.name': {
    code: CNI_ERROR.invalidEnvironment,
    details: 'CNI_ARGS, CNI_CONTAINERID and CNI_IFNAME make the name of the endpoint',
  },
  'pod.host-namespace': {
    code: CNI_ERROR.invalidEnvironment,
    details: "CNI_NETNS must be the path of a pod's network namespace",
  },
  'pod.not-as-added': {
    code: CNI_ERROR.notAsAdded,
    details: 'the agent repairs the side of the node by itself; a pod whose own side is broken must be made anew',
  },
  'pod.journal': { code: CNI_ERROR.ioFailure, details: 'nothing was changed' },
  'sys.namespace': { code: CNI_ERROR.unknownContainer, details: 'CNI_NETNS must be the path of a live network namespace' },
}
