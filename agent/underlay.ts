/** Which NIC and address the node is reached by, and why. */

import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, toPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { LinkAddress } from '@network/netlink/address.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { type AddressFacts, type AddressMethod, chooseAddress } from './address-method.ts'
import type { Gateway, Underlay } from './plan/facts.ts'

export interface Choice {
  readonly underlay: Underlay
  /** How the address was chosen, for people. */
  readonly from: string
}

/** The address by the method; its subnet is the one that its NIC has it in. A Fault where the method finds none, or what it finds is not here. */
export function chooseUnderlay(client: NetlinkClient, method: AddressMethod): Choice {
  const chosen = chooseAddress(method, factsHere(client))
  if (chosen.is === 'chosen') return { underlay: underlayOf(client, chosen.address), from: chosen.from }
  throw new Fault('underlay.none', {
    doing: 'choose an address for',
    on: 'this node',
    says: `${chosen.says}; the addresses here are ${addressesOf(client)}`,
    mend: 'name one with --node-ip',
  })
}

/**
 * The same address as long as an interface has it, with what has changed around it. When none has it is chosen by the method anew, unless
 * `patient`: then that is a Fault.
 */
export function chooseAgain(client: NetlinkClient, method: AddressMethod, former: Choice, patient: boolean): Choice {
  const { address } = former.underlay
  if (patient || method.is === 'address' || client.addresses().some(row => row.address === address))
    return { underlay: underlayOf(client, address), from: former.from }
  return chooseUnderlay(client, method)
}

function factsHere(client: NetlinkClient): AddressFacts {
  return {
    candidates: client.addresses().flatMap(({ address, length, link: index }) => {
      const link = client.link(index)
      return link === undefined ? [] : [{ device: link.name, up: link.up, address, length }]
    }),
    sourceTowards: target => {
      if (target === 'anywhere') return client.defaultRoute()?.source
      const found = client.lookupRoute(target)
      return found.is === 'route' ? found.route.source : undefined
    },
    kubernetesInternalIp: undefined,
  }
}

function underlayOf(client: NetlinkClient, address: Ipv4): Underlay {
  const row = client.addresses().find(one => one.address === address)
  const link = row === undefined ? undefined : client.link(row.link)
  if (row === undefined || link === undefined)
    throw new Fault('underlay.absent', {
      doing: 'use the address',
      on: formatIpv4(address),
      says: `no interface of this node has it; the addresses here are ${addressesOf(client)}`,
      mend: 'name one of them with --node-ip',
    })
  return { device: link.name, address, subnet: toPrefix(row.address, row.length), mtu: link.mtu }
}

function addressesOf(client: NetlinkClient): string {
  const usable = (row: LinkAddress) => row.address >>> 24 !== 127
  const texts = client
    .addresses()
    .filter(usable)
    .map(row => `${formatIpv4(row.address)}/${row.length}`)
  return texts.length === 0 ? 'none' : texts.join(', ')
}

/** The kernel's own way to a next hop; our routes do not matter here, for next hops are not pods. */
export function gatewayOf(client: NetlinkClient, nextHop: Ipv4): Gateway {
  const found = client.lookupRoute(nextHop)
  if (found.is === 'unreachable' || found.route.device === undefined || found.route.type !== 'unicast') return { is: 'none' }
  const device = client.link(found.route.device)
  return device === undefined ? { is: 'none' } : { is: 'reachable', gateway: found.route.gateway ?? nextHop, device: device.name }
}

/** What fits on the way to every node, by the routes there: their own MTU where somebody set one, else that of the interface. `ways` keeps what was asked. */
export function smallestMtu(
  client: NetlinkClient,
  { address, mtu }: Underlay,
  nodes: Iterable<{ readonly address: Ipv4 }>,
  ways: Map<Ipv4, number>,
): number {
  let smallest = mtu
  const there = new Set<Ipv4>()
  for (const node of nodes) {
    if (node.address === address) continue
    const known = ways.get(node.address) ?? mtuTowards(client, node.address) ?? mtu
    ways.set(node.address, known)
    there.add(node.address)
    smallest = Math.min(smallest, known)
  }
  for (const way of ways.keys()) if (!there.has(way)) ways.delete(way)
  return smallest
}

function mtuTowards(client: NetlinkClient, address: Ipv4): number | undefined {
  const route = client.matchRoute(address)
  if (route?.mtu !== undefined) return route.mtu
  return route?.device === undefined ? undefined : client.link(route.device)?.mtu
}

export function sameUnderlay(a: Underlay, b: Underlay): boolean {
  return a.device === b.device && a.address === b.address && a.mtu === b.mtu && formatPrefix(a.subnet) === formatPrefix(b.subnet)
}
