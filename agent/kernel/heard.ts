/** What news from the kernel mean to the plan; the tables are read again at any news. */

import type { Log } from '@network/base/run/log.ts'
import type { KernelEvent } from '@network/netlink/monitor.ts'
import { TABLE } from '@network/netlink/route.ts'
import type { Devices } from './devices.ts'
import { isOurRoute } from './ownership.ts'

export interface Hearers {
  readonly controller: {
    underlayMayHaveChanged(): void
    waysMayHaveChanged(): void
    wake(): void
  }
  readonly kernel: {
    /** What failed may succeed by now. */
    retrySoon(): void
  }
  readonly firewall: {
    /** An interface came, changed or went. */
    interfaceHeard(name: string, is: 'there' | 'gone'): void
    /** Whatever was known may be otherwise. */
    heard(): void
  }
  readonly log: Log
}

/** The neighbours of pods and of the underlay come and go all the time and are no business of ours. */
export function concernsTables(event: KernelEvent, devices: Devices, vxlanDevice: string): boolean {
  if (event.is === 'neighbour') return devices.nameOf(event.neighbour.link) === vxlanDevice
  if (event.is === 'forwarding') return devices.nameOf(event.entry.link) === vxlanDevice
  return true
}

export function heard(event: KernelEvent, { controller, kernel, firewall, log }: Hearers): void {
  switch (event.is) {
    case 'link':
      firewall.interfaceHeard(event.link.name, event.change === 'gone' ? 'gone' : 'there')
      kernel.retrySoon()
      controller.underlayMayHaveChanged()
      return
    case 'address':
      kernel.retrySoon()
      controller.underlayMayHaveChanged()
      return
    case 'route':
      // Next hops behind a gateway are reached by routes that are not ours, the default route above all.
      if (event.route.table !== TABLE.main || isOurRoute(event.route)) return
      kernel.retrySoon()
      controller.waysMayHaveChanged()
      return
    case 'overrun':
      log.warn('news from the kernel were lost; all is read again', { why: event.says })
      firewall.heard()
      controller.underlayMayHaveChanged()
      controller.waysMayHaveChanged()
      return
    case 'netconf':
      // rp_filter of `all` decides what the plan wants of each device.
      if (event.netconf.of === 'all') controller.wake()
      return
    case 'neighbour':
    case 'forwarding':
      return
    default:
      event satisfies never
  }
}
