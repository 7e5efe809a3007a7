/** UDP for BFD: every packet leaves with the full TTL, and where it matters none is heard that came over a router. RFC 5881 §4, §5, RFC 5883. */
import { createSocket, type Socket } from 'node:dgram'
import type { AnyAddress } from '@network/base/net/any-address.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { toIpv6 } from '@network/base/net/ipv6.ts'
import { Fault } from '@network/base/run/fault.ts'
import { attachOctetFilter } from '@network/base/sys/filter.ts'
import { AF_INET, AF_INET6, sockaddr } from '@network/base/sys/sockaddr.ts'
import {
  bindSocket,
  closeDescriptor,
  openSocket,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  setsockopt,
  setsockoptInt,
} from '@network/base/sys/socket.ts'
import { endOf, hostOf } from '../session/hosts.ts'
import type { Endpoint } from '../session/transport.ts'

/** What BFD needs of a network. */
export interface Datagrams {
  /** Hears what comes to this address and port with at least this TTL. Throws a Fault that names them. */
  hear(at: Endpoint, minTtl: number, told: (bytes: Uint8Array, from: Endpoint) => void): Closable
  /** Sends from a port of RFC 5881 §4, the `pick`th (0 to 1) that is free or one behind it, and keeps it. Throws a Fault. */
  sender(route: DatagramRoute, pick: number): Sender
}

export interface DatagramRoute {
  readonly to: Endpoint
  readonly from: AnyAddress | undefined
  readonly device: string | undefined
}

export interface Closable {
  close(): void
}

export interface Sender extends Closable {
  send(bytes: Uint8Array): void
}

const FIRST_PORT = 49152
const PORTS = 65536 - FIRST_PORT
const TRIES = 50
const FULL_TTL = 255
const SOCK_DGRAM = 2
const SO_REUSEADDR = 2
const SO_BINDTODEVICE = 25
const [IPPROTO_IP, IP_TOS, IP_TTL] = [0, 1, 2]
const [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_V6ONLY, IPV6_TCLASS] = [41, 16, 26, 67]
/** Network control, as for BGP itself. */
const CONTROL = 0xc0
/** Where the header of each family has it. */
const TTL_OFFSET = { four: 8, six: 7 } as const

export const udpDatagrams: Datagrams = {
  hear(at, minTtl, told) {
    const family = familyOf(at.address)
    const fd = open(family)
    const socket = adopted(fd, family, () => {
      setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if (minTtl > 0) attachOctetFilter(fd, TTL_OFFSET[family], minTtl)
      bindSocket(fd, sockaddr(at.address, at.port))
    })
    socket.on('message', (bytes, { address, port }) => {
      const from = endOf(address, port)
      if (from !== undefined) told(bytes, from)
    })
    return { close: () => void socket.close() }
  },
  sender({ to, from, device }, pick) {
    const family = familyOf(to.address)
    const fd = open(family)
    const socket = adopted(fd, family, () => {
      if (family === 'four') {
        setsockoptInt(fd, IPPROTO_IP, IP_TTL, FULL_TTL)
        setsockoptInt(fd, IPPROTO_IP, IP_TOS, CONTROL)
      } else {
        setsockoptInt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, FULL_TTL)
        setsockoptInt(fd, IPPROTO_IPV6, IPV6_TCLASS, CONTROL)
      }
      if (device !== undefined) setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`))
      bindSomewhere(fd, from ?? ANYWHERE[family], pick)
    })
    const host = hostOf(to)
    return {
      // What cannot be sent is lost like what a cable swallows: the detection time is there for both.
      send: bytes => socket.send(bytes, to.port, host, () => undefined),
      close: () => void socket.close(),
    }
  },
}

type Family = 'four' | 'six'

const ANYWHERE = { four: toIpv4(0), six: toIpv6(0n) } as const

function familyOf(address: AnyAddress): Family {
  return typeof address === 'number' ? 'four' : 'six'
}

function open(family: Family): number {
  return openSocket(family === 'four' ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
}

/** Hands a descriptor to Node once it is prepared. */
function adopted(fd: number, family: Family, prepare: () => void): Socket {
  try {
    if (family === 'six') setsockoptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    prepare()
  } catch (reason) {
    closeDescriptor(fd)
    throw reason
  }
  const socket = createSocket(family === 'four' ? 'udp4' : 'udp6')
  socket.on('error', () => undefined)
  socket.bind({ fd })
  return socket
}

function bindSomewhere(fd: number, from: AnyAddress, pick: number): void {
  const first = Math.floor(pick * PORTS)
  for (let tried = 0; tried < TRIES; tried++)
    try {
      bindSocket(fd, sockaddr(from, FIRST_PORT + ((first + tried) % PORTS)))
      return
    } catch (reason) {
      const isTaken = reason instanceof Fault && reason.detail.errno === 'EADDRINUSE'
      if (!isTaken || tried === TRIES - 1) throw reason
    }
}
