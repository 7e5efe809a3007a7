/** The far ends of VXLAN that all contestants write: addresses from 10.0.0.0, remotes from 172.16.0.0, a MAC address by number. */

import { formatIpv4, type Ipv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'

export const DEVICE = 'vx0'

export interface Vtep {
  readonly address: Ipv4
  readonly mac: string
  readonly remote: Ipv4
}

const FIRST = { address: ipv4('10.0.0.0'), remote: ipv4('172.16.0.0') }

export function vteps(count: number): Vtep[] {
  return Array.from({ length: count }, (_, at) => ({
    address: toIpv4(FIRST.address + at),
    mac: `66:00:${hex(at).match(/../g)?.join(':')}`,
    remote: toIpv4(FIRST.remote + at),
  }))
}

/** What `ip -batch` and `bridge -batch` are given. */
export function batchesOf(count: number): { readonly ip: string; readonly bridge: string } {
  const all = vteps(count)
  return {
    ip: all
      .map(({ address, mac }) => `neighbour replace ${formatIpv4(address)} lladdr ${mac} dev ${DEVICE} nud permanent\n`)
      .join(''),
    bridge: all.map(({ mac, remote }) => `fdb replace ${mac} dev ${DEVICE} dst ${formatIpv4(remote)} self permanent\n`).join(''),
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0')
}
