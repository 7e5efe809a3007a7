/** Interfaces: up, with their MTU. Tunnel devices are made when absent; a pod's veth is not, for its other end is gone too. */

import type { LinkIntent, VxlanCreation } from '@network/model/intent.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addLink, addVxlan, deleteLink, type Link, setLink } from '@network/netlink/link.ts'
import type { Instruction } from '@network/netlink/wire.ts'
import type { Devices } from '../devices.ts'
import type { FormerState } from '../former.ts'
import type { Outcome, Step, Table } from '../table.ts'
import { outcomesOf } from './outcomes.ts'

export interface VxlanDevices {
  /** A name that only a VXLAN device of ours may have. */
  readonly device: string
  /** Those that we made: under other names they are in the way of ours. */
  readonly former?: Pick<FormerState, 'kept' | 'beforeVxlan' | 'afterVxlan'>
}

export function linkTable(client: NetlinkClient, devices: Devices, vxlan?: VxlanDevices): Table<LinkIntent, Link> {
  return {
    name: 'link',
    list(wanted) {
      devices.refresh()
      return new Map([...wanted.keys()].flatMap(name => devices.named(name) ?? []).map(link => [link.name, link]))
    },
    same: (want, have) =>
      want.up === have.up &&
      (want.mtu === undefined || want.mtu === have.mtu) &&
      (typeof want.create !== 'object' ||
        (isThatDevice(want.create, have, devices) && want.create.mac === have.mac && outdated(devices, vxlan).length === 0)),
    foreign: have =>
      have.name === vxlan?.device && have.kind !== 'vxlan' ? `an interface of kind ${have.kind ?? 'unknown'}` : undefined,
    apply: steps => steps.map(step => apply(client, devices, vxlan, step)),
    describe: have => [have.up ? 'up' : 'down', `mtu ${have.mtu}`, ...vxlanWords(have)].join(', '),
  }
}

function apply(
  client: NetlinkClient,
  devices: Devices,
  vxlan: VxlanDevices | undefined,
  { key, want, have }: Step<LinkIntent, Link>,
): Outcome {
  if (want === undefined) return { is: 'done' }
  if (have === undefined && want.create === undefined) return { is: 'waiting', says: 'the interface is not there' }
  const change = setLink(key, { up: want.up, ...(want.mtu === undefined ? {} : { mtu: want.mtu }) })
  if (typeof want.create === 'object') {
    const first = removeOutdated(client, devices, vxlan)
    return first.is === 'done' ? applyVxlan(client, devices, vxlan, { key, want: want.create, have, change }) : first
  }
  const make = have === undefined && want.create !== undefined ? [addLink({ name: key, kind: want.create })] : []
  // One after the other: the module's arrival makes the device by itself, which is success.
  const [last] = outcomesOf(client, [...make, change]).toReversed()
  return last ?? { is: 'done' }
}

/** VXLAN devices that we made under another name. */
function outdated(devices: Devices, vxlan: VxlanDevices | undefined): string[] {
  const names = vxlan?.former?.kept.vxlanDevices ?? []
  return names.filter(name => name !== vxlan?.device && devices.named(name)?.kind === 'vxlan')
}

/** With the same VNI and port there can be only one. */
function removeOutdated(client: NetlinkClient, devices: Devices, vxlan: VxlanDevices | undefined): Outcome {
  for (const name of outdated(devices, vxlan)) {
    const [outcome] = outcomesOf(client, [deleteLink(name)])
    if (outcome !== undefined && outcome.is !== 'done') return outcome
    vxlan?.former?.afterVxlan(name)
  }
  return { is: 'done' }
}

/** What makes it another device cannot be changed in place; neighbours, forwarding entries and routes go with it and come back after it. */
function applyVxlan(
  client: NetlinkClient,
  devices: Devices,
  vxlan: VxlanDevices | undefined,
  { key, want, have, change }: { key: string; want: VxlanCreation; have: Link | undefined; change: Instruction },
): Outcome {
  const over = devices.named(want.over)?.index
  if (over === undefined) return { is: 'waiting', says: `interface ${want.over}, which it is to leave by, is not there` }
  vxlan?.former?.beforeVxlan(key)
  const make = [addVxlan({ name: key, mac: want.mac }, { vni: want.vni, port: want.port, local: want.local, over })]
  const first =
    have === undefined ? make : isThatDevice(want, have, devices) ? [setLink(key, { mac: want.mac })] : [deleteLink(key), ...make]
  return outcomesOf(client, [...first, change]).find(({ is }) => is !== 'done') ?? { is: 'done' }
}

/** Made as ours are: it learns nothing, and sends to nobody that it is not told of. */
function isThatDevice(want: VxlanCreation, { vxlan }: Link, devices: Devices): boolean {
  return (
    vxlan !== undefined &&
    vxlan.vni === want.vni &&
    vxlan.port === want.port &&
    vxlan.local === want.local &&
    !vxlan.learning &&
    !vxlan.external &&
    vxlan.remote === undefined &&
    vxlan.over !== undefined &&
    vxlan.over === devices.named(want.over)?.index
  )
}

function vxlanWords({ vxlan, mac }: Link): string[] {
  return vxlan === undefined ? [] : [`${mac}, VNI ${vxlan.vni}, port ${vxlan.port}${vxlan.learning ? ', learning' : ''}`]
}
