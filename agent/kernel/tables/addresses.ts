/** Addresses on the tunnel devices. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { type AddressIntent, addressKey } from '@network/model/intent.ts'
import { addAddress, deleteAddress, type LinkAddress, toLinkAddress } from '@network/netlink/address.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import type { Devices } from '../devices.ts'
import { isOurAddress } from '../ownership.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

/** `isOurs` tells of an address on one of `tunnels` whether we put it there; `adding` hears of each before it is put there. */
export function addressTable(
  client: NetlinkClient,
  devices: Devices,
  isOurs: (address: Ipv4) => boolean,
  tunnels: ReadonlySet<string> = new Set([TUNNEL_DEVICE]),
  adding: (address: Ipv4) => void = () => undefined,
): Table<AddressIntent, LinkAddress> {
  return {
    name: 'address',
    list(wanted) {
      const found = new Map<string, LinkAddress>()
      for (const row of client.addresses()) {
        const device = devices.nameOf(row.link)
        if (device === undefined) continue
        const key = addressKey({ device, address: row.address, length: row.length })
        if (wanted.has(key) || isOurAddress(device, row.address, isOurs, tunnels)) found.set(key, row)
      }
      return found
    },
    same: () => true,
    foreign: () => undefined,
    apply: steps =>
      steps.map(step => {
        if (step.want !== undefined) adding(step.want.address)
        return apply(client, devices, step)
      }),
    describe: have => `${formatIpv4(have.address)}/${have.length}`,
  }
}

function apply(client: NetlinkClient, devices: Devices, { want, have }: Step<AddressIntent, LinkAddress>): Outcome {
  if (want === undefined) {
    if (have === undefined) return { is: 'done' }
    const on = () => `${formatIpv4(have.address)}/${have.length} dev ${devices.nameOf(have.link) ?? `#${have.link}`}`
    return outcomesOf(client, [{ ...deleteAddress(have), on }])[0] ?? { is: 'done' }
  }
  const link = devices.named(want.device)
  if (link === undefined) return { is: 'waiting', says: `interface ${want.device} is not there` }
  const row = toLinkAddress({ link: link.index, address: want.address, length: want.length })
  return outcomesOf(client, [{ ...addAddress(row), on: () => addressKey(want) }])[0] ?? { is: 'done' }
}
