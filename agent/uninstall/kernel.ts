/** Takes out of the kernel what carries our mark, and puts back what was there before. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { deleteAddress } from '@network/netlink/address.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { deleteLink, type Link, setLink } from '@network/netlink/link.ts'
import { formatRoute, TABLE } from '@network/netlink/route.ts'
import { deleteRoute } from '@network/netlink/route-message.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Removal } from '../kernel/firewall/remove.ts'
import { type Former, type FormerTunnel, restoreSysctls } from '../kernel/former.ts'
import { hasOurName, isOurAddress, isOurRoute } from '../kernel/ownership.ts'
import type { Settings } from '../kernel/tables/sysctls.ts'

export interface KernelTraces {
  readonly netlink: NetlinkClient
  readonly settings: Settings
  readonly former: Former
  /** Host sides of this node's pods. */
  readonly interfaces: ReadonlySet<string>
  readonly isPoolAddress: (address: Ipv4) => boolean
  /** Names of our VXLAN devices, today's and former ones. */
  readonly vxlanDevices: ReadonlySet<string>
}

/** Of a built-in tunnel device that nobody configured. */
const IDLE = { was: 'present', mtu: 1480, up: false } satisfies FormerTunnel

/** In reverse order of dependence; done twice, it finds nothing. */
export function removeFromKernel(traces: KernelTraces): Removal {
  const parts = [
    removeRoutes(traces),
    removeInterfaces(traces),
    removeVxlan(traces),
    restoreTunnel(traces),
    restoreSettings(traces),
  ]
  return joined(parts)
}

export function joined(parts: readonly Removal[]): Removal {
  return { removed: parts.flatMap(({ removed }) => removed), problems: parts.flatMap(({ problems }) => problems) }
}

/** Interfaces that look like a pod's and that no endpoint of this node names: they may be another system's. */
export function strangeInterfaces(netlink: NetlinkClient): string[] {
  return netlink.links().flatMap(({ name, kind }) => (kind === 'veth' && hasOurName(name) ? [name] : []))
}

function removeRoutes({ netlink }: KernelTraces): Removal {
  const links = netlink.links()
  return perform(
    netlink,
    netlink
      .routes({ table: TABLE.main })
      .filter(isOurRoute)
      .map(route => ({
        what: `route ${formatRoute(route, index => links.find(link => link.index === index)?.name)}`,
        instruction: deleteRoute(route),
      })),
  )
}

function removeInterfaces({ netlink, interfaces }: KernelTraces): Removal {
  const present = netlink.links().filter(({ name, kind }) => kind === 'veth' && interfaces.has(name))
  return perform(
    netlink,
    present.map(({ name }) => ({ what: `interface ${name}`, instruction: deleteLink(name) })),
  )
}

/** With it go its address, its neighbours and its forwarding entries. An interface of that name that is no VXLAN device is not ours. */
function removeVxlan({ netlink, vxlanDevices }: KernelTraces): Removal {
  const present = [...vxlanDevices].filter(name => netlink.link(name)?.kind === 'vxlan')
  return perform(
    netlink,
    present.map(name => ({ what: `device ${name}`, instruction: deleteLink(name) })),
  )
}

function restoreTunnel(traces: KernelTraces): Removal {
  const { netlink, former, isPoolAddress } = traces
  const link = netlink.link(TUNNEL_DEVICE)
  if (link === undefined) return joined([])
  const rows = netlink.addresses(link.index).filter(row => row.link === link.index)
  const ours = rows.filter(row => isOurAddress(TUNNEL_DEVICE, row.address, isPoolAddress))
  const addresses = perform(
    netlink,
    ours.map(row => ({
      what: `address ${formatIpv4(row.address)}/${row.length} on ${TUNNEL_DEVICE}`,
      instruction: deleteAddress(row),
    })),
  )
  // Nothing is remembered and nothing of ours is on it: whoever configured it, it was not us.
  if (former.tunnel === null && ours.length === 0) return addresses
  return joined([addresses, putTunnelBack(netlink, link, { former: former.tunnel ?? IDLE, isUsed: rows.length > ours.length })])
}

/** A device that somebody else has given an address since stays up for them. */
function putTunnelBack(
  netlink: NetlinkClient,
  link: Link,
  { former, isUsed }: { former: FormerTunnel; isUsed: boolean },
): Removal {
  const wanted = former.was === 'present' ? former : IDLE
  const up = wanted.up || (isUsed && link.up)
  // Where the module made the device by itself the kernel keeps it, and says that all is well.
  const remove =
    former.was === 'absent' && !isUsed ? [{ what: `device ${TUNNEL_DEVICE}`, instruction: deleteLink(TUNNEL_DEVICE) }] : []
  if (link.up === up && link.mtu === wanted.mtu) return perform(netlink, remove)
  const restored = `${TUNNEL_DEVICE} is ${up ? 'up' : 'down'} with MTU ${wanted.mtu} again`
  const change = { what: restored, instruction: setLink(TUNNEL_DEVICE, { up, mtu: wanted.mtu }) }
  return perform(netlink, [change, ...remove])
}

function restoreSettings({ former, settings }: KernelTraces): Removal {
  return restoreSysctls(former, settings)
}

interface Act {
  readonly what: string
  readonly instruction: Instruction
}

/** What is gone already counts as gone and is not told. */
const GONE: ReadonlySet<string> = new Set(['ESRCH', 'ENODEV', 'EADDRNOTAVAIL'])

function perform(netlink: NetlinkClient, acts: readonly Act[]): Removal {
  const removed: string[] = []
  const problems: string[] = []
  for (const [at, outcome] of netlink.performAll(acts.map(({ instruction }) => instruction)).entries()) {
    const what = acts[at]?.what ?? ''
    if (outcome.is === 'done') removed.push(what)
    else if (!GONE.has(outcome.fault.detail.errno ?? '')) problems.push(outcome.fault.message)
  }
  return { removed, problems }
}
