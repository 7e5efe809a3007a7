/** UDP for BFD: every packet leaves with the full TTL, and where it matters none is heard that came over a router. RFC 5881 §4, §5, RFC 5883. */
import { createSocket, type Socket } from 'node:dgram'
import { formatIpv4, type Ipv4, parseIpv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { attachOctetFilter } from '@network/base/sys/filter.ts'
import { AF_INET, sockaddr } from '@network/base/sys/sockaddr.ts'
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
import type { Endpoint } from '../session/transport.ts'

/** What BFD needs of a network. */
export interface Datagrams {
  /** Hears what comes to this address and port with at least this TTL. Throws a Fault that names them. */
  hear(at: Endpoint, minTtl: number, told: (bytes: Uint8Array, from: Ipv4) => void): Closable
  /** Sends from a port of RFC 5881 §4, the `pick`th (0 to 1) that is free or one behind it, and keeps it. Throws a Fault. */
  sender(route: DatagramRoute, pick: number): Sender
}

export interface DatagramRoute {
  readonly to: Endpoint
  readonly from: Ipv4 | undefined
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
const ANYWHERE = 0
const SOCK_DGRAM = 2
const SO_REUSEADDR = 2
const SO_BINDTODEVICE = 25
const [IPPROTO_IP, IP_TOS, IP_TTL] = [0, 1, 2]
/** Network control, as for BGP itself. */
const CONTROL = 0xc0
const TTL_OFFSET = 8

export const udpDatagrams: Datagrams = {
  hear(at, minTtl, told) {
    const fd = open()
    const socket = adopted(fd, () => {
      setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
      if (minTtl > 0) attachOctetFilter(fd, TTL_OFFSET, minTtl)
      bindSocket(fd, sockaddr(at.address, at.port))
    })
    socket.on('message', (bytes, { address }) => {
      const from = parseIpv4(address)
      if (from !== undefined) told(bytes, from)
    })
    return { close: () => void socket.close() }
  },
  sender({ to, from, device }, pick) {
    const fd = open()
    const socket = adopted(fd, () => {
      setsockoptInt(fd, IPPROTO_IP, IP_TTL, FULL_TTL)
      setsockoptInt(fd, IPPROTO_IP, IP_TOS, CONTROL)
      if (device !== undefined) setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`))
      bindSomewhere(fd, from, pick)
    })
    const host = formatIpv4(to.address)
    return {
      // What cannot be sent is lost like what a cable swallows: the detection time is there for both.
      send: bytes => socket.send(bytes, to.port, host, () => undefined),
      close: () => void socket.close(),
    }
  },
}

function open(): number {
  return openSocket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
}

/** Hands a descriptor to Node once it is prepared. */
function adopted(fd: number, prepare: () => void): Socket {
  try {
    prepare()
  } catch (reason) {
    closeDescriptor(fd)
    throw reason
  }
  const socket = createSocket('udp4')
  socket.on('error', () => undefined)
  socket.bind({ fd })
  return socket
}

function bindSomewhere(fd: number, from: Ipv4 | undefined, pick: number): void {
  const first = Math.floor(pick * PORTS)
  for (let tried = 0; tried < TRIES; tried++)
    try {
      bindSocket(fd, sockaddr(from ?? toIpv4(ANYWHERE), FIRST_PORT + ((first + tried) % PORTS)))
      return
    } catch (reason) {
      const isTaken = reason instanceof Fault && reason.detail.errno === 'EADDRINUSE'
      if (!isTaken || tried === TRIES - 1) throw reason
    }
}
