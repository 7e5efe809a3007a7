/** The ICMPv6 socket of router discovery: one for all interfaces. RFC 3542, RFC 4861 §6.1. */
import { type Ipv6, ipv6 } from '@network/base/net/ipv6.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { attachOctetFilter } from '@network/base/sys/filter.ts'
import { readable } from '@network/base/sys/readable.ts'
import { AF_INET6, readSockaddrIn6, sockaddr } from '@network/base/sys/sockaddr.ts'
import {
  closeDescriptor,
  indexOfDevice,
  openSocket,
  receiveFrom,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  sendTo,
  setsockopt,
  setsockoptInt,
} from '@network/base/sys/socket.ts'
import { ADVERTISEMENT, SOLICITATION } from './advertisement.ts'
import type { HeardOn, Icmp } from './discovery.ts'

const SOCK_RAW = 3
const [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_JOIN_GROUP] = [41, 16, 18, 19, 20]
const [IPPROTO_ICMPV6, ICMPV6_FILTER] = [58, 1]
const FULL_HOPS = 255
/** Where an IPv6 header has its hop limit. */
const HOPS_OFFSET = 7
const ALL_NODES = ipv6('ff02::1')
const ALL_ROUTERS = ipv6('ff02::2')
const LONGEST = 1500
const SOCKADDR_OCTETS = 28
const IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Throws a Fault that says what unnumbered peers need. */
export function openIcmp(heard: HeardOn): Icmp {
  const fd = open()
  const socket = new IcmpSocket(fd, heard)
  void socket.listen()
  return socket
}

function open(): number {
  let fd: number | undefined
  try {
    fd = openSocket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6)
    for (const option of [IPV6_UNICAST_HOPS, IPV6_MULTICAST_HOPS]) setsockoptInt(fd, IPPROTO_IPV6, option, FULL_HOPS)
    setsockoptInt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, filterFor([SOLICITATION, ADVERTISEMENT]))
    // What came over a router has lost a hop.
    attachOctetFilter(fd, HOPS_OFFSET, FULL_HOPS)
    return fd
  } catch (cause) {
    if (fd !== undefined) closeDescriptor(fd)
    const mend = 'finding peers by router advertisements takes CAP_NET_RAW; without it, name the peer as fe80::…%eth1'
    const detail = { doing: 'open', on: 'an ICMPv6 socket for router advertisements', says: reasonOf(cause), mend }
    throw new Fault('bgp.router-advertisements', detail, { cause })
  }
}

class IcmpSocket implements Icmp {
  readonly #fd: number
  readonly #heard: HeardOn
  readonly #closing = new AbortController()
  /** By name, the interfaces whose routers' group we are in; a device that comes back has another number. */
  readonly #indices = new Map<string, number>()

  constructor(fd: number, heard: HeardOn) {
    this.#fd = fd
    this.#heard = heard
  }

  send(device: string, to: 'routers' | 'nodes', message: Uint8Array): string | undefined {
    try {
      const index = this.#join(device)
      if (index === undefined) return `there is no interface ${device}`
      const sent = sendTo(this.#fd, message, sockaddr(to === 'nodes' ? ALL_NODES : ALL_ROUTERS, 0, index))
      return typeof sent === 'number' ? undefined : sent
    } catch (reason) {
      return reasonOf(reason)
    }
  }

  close(): void {
    this.#closing.abort()
  }

  /** Until it is closed. */
  async listen(): Promise<void> {
    const { signal } = this.#closing
    try {
      while (await readable(this.#fd, signal)) this.#drain()
    } finally {
      closeDescriptor(this.#fd)
    }
  }

  #drain(): void {
    for (;;) {
      const message = new Uint8Array(LONGEST)
      const from = new Uint8Array(SOCKADDR_OCTETS)
      const octets = receiveFrom(this.#fd, message, from)
      if (typeof octets !== 'number') return
      const { address, scope } = readSockaddrIn6(from)
      if (octets <= LONGEST) this.#tell(address, scope, message.subarray(0, octets))
    }
  }

  #tell(from: Ipv6, scope: number, message: Uint8Array): void {
    for (const [device, index] of this.#indices) if (index === scope) this.#heard(device, from, message)
  }

  /** The number of the interface, undefined: there is none. Solicitations come to the group of routers. */
  #join(device: string): number | undefined {
    const index = indexOfDevice(device)
    const known = this.#indices.get(device)
    if (index === known) return index
    if (index === undefined) {
      this.#indices.delete(device)
      return undefined
    }
    setsockopt(this.#fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, membership(ALL_ROUTERS, index))
    this.#indices.set(device, index)
    return index
  }
}

/** `struct icmp6_filter`: a bit for each type that is kept away. */
function filterFor(types: readonly number[]): Uint8Array {
  const blocked = new Uint32Array(8).fill(0xffffffff)
  for (const type of types) blocked[type >> 5] = (blocked[type >> 5] ?? 0) & ~(1 << (type & 31))
  return new Uint8Array(blocked.buffer)
}

/** `struct ipv6_mreq`. */
function membership(group: Ipv6, index: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(20))
  view.setBigUint64(0, group >> 64n)
  view.setBigUint64(8, BigInt.asUintN(64, group))
  view.setUint32(16, index, IS_LITTLE)
  return new Uint8Array(view.buffer)
}
