/** What the host side of a pod's veth pair needs. */
import { tunnelMtu } from '@network/ipip/mtu.ts'
import type { SysctlIntent } from '@network/model/intent.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { vxlanMtu } from '@network/vxlan/mtu.ts'
import { settingsOf } from './settings.ts'

/** The same values serve the moment of wiring and the years of repair after it. */
export function workloadSysctls(device: string): SysctlIntent[] {
  const conf = `net/ipv4/conf/${device}`
  return [
    { path: `${conf}/proxy_arp`, accept: ['1'], why: 'the node answers for 169.254.1.1 and everything behind it' },
    {
      path: `net/ipv4/neigh/${device}/proxy_delay`,
      accept: ['0'],
      why: 'the first packet of a pod would wait up to 0.8 s for its ARP reply',
    },
    { path: `${conf}/forwarding`, accept: ['1'], why: 'packets of pods are routed' },
    { path: `${conf}/route_localnet`, accept: ['1'], why: 'node-local services on loopback can be offered to pods' },
    { path: `${conf}/rp_filter`, accept: ['1'], why: 'a pod may use no source address but its own' },
  ]
}

/** MTU of a new pod, in octets: room for the outer header wherever a pool may tunnel. */
export function podMtu(snapshot: Snapshot, underlayMtu: number, self = ''): number {
  const pools = [...snapshot.pools.values()]
  if (pools.some(({ vxlanMode }) => vxlanMode !== 'Never')) return vxlanDeviceMtu(snapshot, underlayMtu, self)
  return pools.some(({ ipipMode }) => ipipMode !== 'Never') ? ipipMtu(snapshot, underlayMtu, self) : underlayMtu
}

/** MTU of tunl0, in octets. */
export function ipipMtu(snapshot: Snapshot, underlayMtu: number, self: string): number {
  return settingsOf(self, snapshot).ipipMTU || tunnelMtu(underlayMtu)
}

/** MTU of the VXLAN device, in octets. */
export function vxlanDeviceMtu(snapshot: Snapshot, underlayMtu: number, self: string): number {
  return settingsOf(self, snapshot).vxlanMTU || vxlanMtu(underlayMtu)
}
