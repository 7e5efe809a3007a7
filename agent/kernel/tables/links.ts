/** Interfaces: up, with their MTU. The tunnel device is made when absent; a pod's veth is not, for its other end is gone too. */

import type { LinkIntent } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addLink, type Link, setLink } from '@network/netlink/link.ts'
import type { Devices } from '../devices.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

export function linkTable(client: NetlinkClient, devices: Devices): Table<LinkIntent, Link> {
  return {
    name: 'link',
    list(wanted) {
      devices.refresh()
      return new Map([...wanted.keys()].flatMap(name => devices.named(name) ?? []).map(link => [link.name, link]))
    },
    same: (want, have) => want.up === have.up && (want.mtu === undefined || want.mtu === have.mtu),
    foreign: () => undefined,
    apply: steps => steps.map(step => apply(client, step)),
    describe: have => `${have.up ? 'up' : 'down'}, mtu ${have.mtu}`,
  }
}

function apply(client: NetlinkClient, { key, want, have }: Step<LinkIntent, Link>): Outcome {
  if (want === undefined) return { is: 'done' }
  if (have === undefined && want.create === undefined) return { is: 'waiting', says: 'the interface is not there' }
  const change = setLink(key, { up: want.up, ...(want.mtu === undefined ? {} : { mtu: want.mtu }) })
  const make = have === undefined && want.create !== undefined ? [addLink({ name: key, kind: want.create })] : []
  // One after the other: the module's arrival makes the device by itself, which is success.
  const [last] = outcomesOf(client, [...make, change]).toReversed()
  return last ?? { is: 'done' }
}
