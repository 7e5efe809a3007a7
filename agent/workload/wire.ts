/** Wires a pod: the veth pair, its host side, and inside the pod an address with a gateway that needs no subnet. */

import { fstatSync } from 'node:fs'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { openNamespace } from '@network/base/sys/namespace.ts'
import { addAddress, toLinkAddress } from '@network/netlink/address.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { addVeth, deleteLink, type Link, setLink } from '@network/netlink/link.ts'
import { SCOPE, toRoute } from '@network/netlink/route.ts'
import { addRoute } from '@network/netlink/route-message.ts'
import { readSysctl, writeSysctl } from '../kernel/tables/sysctls.ts'
import { workloadSysctls } from '../plan/workloads.ts'
import { inspectPod, type Wired } from './inspect.ts'
import { GATEWAY, HOST_MAC } from './names.ts'

const DEFAULT_ROUTE = prefix('0.0.0.0/0')
const GATEWAY_ROUTE = prefix('169.254.1.1/32')

export interface Wiring {
  /** Path of the pod's network namespace. */
  readonly netns: string
  readonly hostInterface: string
  readonly podInterface: string
  readonly address: Ipv4
  /** Octets, of both ends. */
  readonly mtu: number
}

/** What attaching needs of the kernel; a test puts another kernel there. */
export interface PodWiring {
  /** Throws when `netns` cannot be a pod's: missing, no namespace, or the node's own. */
  probe(netns: string): void
  /** Wires the pod or leaves nothing behind. Returns the MAC address of the pod's side. */
  wire(wiring: Wiring): string
  /** Removes the pair by its host side; gone already is fine. */
  unwire(hostInterface: string): void
  /** What is not as `wire` and the agent's routes left it, one sentence each. */
  inspect(wired: Wired): readonly string[]
}

/** The real kernel, by a client of the node's own namespace. */
export function kernelWiring(host: NetlinkClient): PodWiring {
  return {
    probe: mustBeForeign,
    wire: wiring => wirePod(host, wiring),
    unwire: hostInterface => unwirePod(host, hostInterface),
    inspect: wired => inspectPod(host, wired),
  }
}

/** Wires the pod or leaves nothing behind. Returns the MAC address of the pod's side. */
export function wirePod(host: NetlinkClient, wiring: Wiring): string {
  using pod = NetlinkClient.open({ namespace: wiring.netns })
  if (pod.links().some(link => link.name === wiring.podInterface))
    throw new Fault('pod.wired', {
      doing: 'add interface',
      on: `${wiring.podInterface} in ${wiring.netns}`,
      says: 'the pod has an interface of that name already',
      mend: 'DEL it first, or choose another CNI_IFNAME',
    })
  unwirePod(host, wiring.hostInterface)
  using birthplace = openNamespace(wiring.netns)
  host.perform(
    addVeth(
      { name: wiring.hostInterface, mtu: wiring.mtu, mac: HOST_MAC },
      { name: wiring.podInterface, mtu: wiring.mtu, born: { fd: birthplace.fd } },
    ),
  )
  try {
    settleHostSide(host, wiring.hostInterface)
    return settlePodSide(pod, wiring)
  } catch (reason) {
    unwirePod(host, wiring.hostInterface)
    throw reason
  }
}

/** Removes the pair by its host side; gone already is fine. */
export function unwirePod(host: NetlinkClient, hostInterface: string): void {
  const [outcome] = host.performAll([deleteLink(hostInterface)])
  if (outcome?.is === 'refused' && outcome.fault.detail.errno !== 'ENODEV') throw outcome.fault
}

/** A default route through a pod's gateway would cut the node itself off. */
function mustBeForeign(netns: string): void {
  using namespace = openNamespace(netns)
  using own = openNamespace('/proc/thread-self/ns/net')
  if (fstatSync(namespace.fd).ino !== fstatSync(own.fd).ino) return
  throw new Fault('pod.host-namespace', {
    doing: 'wire a pod into',
    on: netns,
    says: "it is the node's own network namespace",
    mend: 'a pod of the host network needs no CNI call',
  })
}

/** Settings before the link is up: the first ARP request must find proxy_arp on and no delay. */
function settleHostSide(host: NetlinkClient, hostInterface: string): void {
  for (const { path, accept } of workloadSysctls(hostInterface)) {
    if (readSysctl(path) === accept[0]) continue
    const outcome = writeSysctl(path, accept[0])
    if (outcome.is === 'failed') throw new Fault('pod.sysctl', { doing: 'set', on: path, says: outcome.says })
  }
  host.perform(setLink(hostInterface, { up: true }))
}

function settlePodSide(pod: NetlinkClient, { podInterface, address }: Wiring): string {
  pod.perform(setLink('lo', { up: true }))
  pod.perform(setLink(podInterface, { up: true }))
  const link = linkNamed(pod, podInterface)
  pod.perform(addAddress(toLinkAddress({ link: link.index, address, length: 32 })))
  pod.perform(addRoute(toRoute({ destination: GATEWAY_ROUTE, device: link.index, scope: SCOPE.link })))
  pod.perform(addRoute(toRoute({ destination: DEFAULT_ROUTE, gateway: GATEWAY, device: link.index })))
  return link.mac ?? '00:00:00:00:00:00'
}

function linkNamed(client: NetlinkClient, name: string): Link {
  const link = client.links().find(one => one.name === name)
  if (link === undefined)
    throw new Fault('pod.interface', { doing: 'find interface', on: name, says: 'it went away while the pod was being wired' })
  return link
}
