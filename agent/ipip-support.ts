/** Whether this kernel can do IPIP: asked, never assumed. */

import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addLink } from '@network/netlink/link.ts'

/** Makes the tunnel device, which loads the module where there is one. Undefined: it is there; else why it cannot be. */
export function ipipUnsupported(client: NetlinkClient): string | undefined {
  const [outcome] = client.performAll([addLink({ name: TUNNEL_DEVICE, kind: 'ipip' })])
  if (outcome === undefined || outcome.is === 'done') return undefined
  const { errno, says } = outcome.fault.detail
  if (errno === 'EEXIST')
    return client.link(TUNNEL_DEVICE)?.kind === 'ipip' ? undefined : `${TUNNEL_DEVICE} exists and is no IPIP device`
  if (errno === 'EOPNOTSUPP') return 'the kernel has no module ipip'
  return `${TUNNEL_DEVICE} cannot be made: ${says} (${errno})`
}
