/** Whether this kernel can do VXLAN, and by which Ethernet address the node is known in it. */

import { createHash } from 'node:crypto'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addLink } from '@network/netlink/link.ts'

/**
 * Asks for a device without saying which: a kernel that knows VXLAN misses the rest, another does not know what is meant. Nothing is made.
 * Undefined: the kernel can; else why not.
 */
export function vxlanUnsupported(client: NetlinkClient): string | undefined {
  const [outcome] = client.performAll([addLink({ name: 'cali-probe', kind: 'vxlan' })])
  if (outcome === undefined || outcome.is === 'done') return undefined
  const { errno, says } = outcome.fault.detail
  if (errno === 'EINVAL') return undefined
  if (errno === 'EOPNOTSUPP') return 'the kernel has no module vxlan'
  return `a device cannot be made: ${says} (${errno})`
}

/** The same after every restart and on every kernel: other nodes keep it in their tables. Locally administered, of one interface. */
export function stableMac({ nodeName, nodeId }: { readonly nodeName: string; readonly nodeId: string }): string {
  const digest = createHash('sha256').update(`${nodeId} ${nodeName} vxlan`).digest()
  return ['66', ...Array.from(digest.subarray(0, 5), octet => octet.toString(16).padStart(2, '0'))].join(':')
}
