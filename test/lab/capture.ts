/** Captures frames on a link of the lab and hands them out decoded: a packet socket of our own, for tcpdump fails in user namespaces. */

import { Fault } from '@network/base/run/fault.ts'
import { libc } from '@network/base/sys/libc.ts'
import { inNamespace } from '@network/base/sys/namespace.ts'
import { readable } from '@network/base/sys/readable.ts'
import {
  bindSocket,
  closeDescriptor,
  must,
  openSocket,
  receive,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  setsockopt,
  setsockoptInt,
} from '@network/base/sys/socket.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { execIn, namespaceOf } from './command.ts'
import { decodeFrame, type Frame, formatFrame } from './frame.ts'
import { until } from './until.ts'

export interface Capture extends AsyncDisposable {
  /** All frames so far that passed the filter, oldest first. */
  readonly frames: readonly Frame[]
  /** Resolves with the first frame that matches, past ones included; rejects after `withinMs` (5 s unless told). */
  first(matches: (frame: Frame) => boolean, withinMs?: number): Promise<Frame>
  /** Takes what is waiting in the kernel, ends the capture and returns all that it saw. */
  stop(): Promise<readonly Frame[]>
}

export interface CaptureOptions {
  readonly filter?: (frame: Frame) => boolean
  /** Hears of each frame that passed the filter as it comes. */
  readonly seen?: (frame: Frame) => void
}

// packet(7); the numbers of linux/if_packet.h and linux/if_ether.h.
const AF_PACKET = 17
const SOCK_RAW = 3
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_MR_PROMISC = 1
const ETH_P_ALL = 3
const PACKET_STATISTICS = 6
const SO_RCVBUF = 8
/** Asked for; the kernel gives what net.core.rmem_max allows, some 500 small frames by default. */
const BUFFER = 16 << 20
const LONGEST_FRAME = 1 << 16
/** Enough for all headers that are decoded. */
const HEADERS = 160
const HOST_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/**
 * Captures both directions of `link`, given as `a1:eth0` or `router:rack-a`; frames that pass after it resolves are not missed.
 * A rack's bridge shows all frames of the rack. Each running capture holds one of libuv's threads.
 */
export async function capture(lab: { readonly clock: Clock }, link: string, options: CaptureOptions = {}): Promise<Capture> {
  return new SocketCapture(await openLink(link), link, lab.clock, options)
}

/** A packet socket on `link`, for whole Ethernet frames both ways; the caller owns the descriptor. */
export async function openLink(link: string): Promise<number> {
  const { where, device } = placeOf(link)
  return openOn(namespaceOf(where), await indexOf(where, device))
}

/** The parts of `a1:eth0`. */
export function placeOf(link: string): { readonly where: string; readonly device: string } {
  const [where, device, ...rest] = link.split(':')
  if (where && device && rest.length === 0) return { where, device }
  throw new Fault('lab.link', { doing: 'capture on', on: `"${link}"`, says: 'a link is written like a1:eth0 or router:rack-a' })
}

class SocketCapture implements Capture {
  readonly frames: Frame[] = []
  readonly #fd: number
  readonly #link: string
  readonly #clock: Clock
  readonly #options: CaptureOptions
  readonly #stop = new AbortController()
  readonly #buffer = new Uint8Array(LONGEST_FRAME)
  readonly #reading: Promise<void>

  constructor(fd: number, link: string, clock: Clock, options: CaptureOptions) {
    this.#fd = fd
    this.#link = link
    this.#clock = clock
    this.#options = options
    this.#reading = this.#read()
  }

  first(matches: (frame: Frame) => boolean, withinMs = 20_000): Promise<Frame> {
    return until(() => this.frames.find(matches), {
      clock: this.#clock,
      what: `a frame on ${this.#link}`,
      within: millis(withinMs),
      every: millis(5),
      instead: () =>
        `it carried ${this.frames.length} frames${this.frames
          .slice(-10)
          .map(each => `\n  ${formatFrame(each)}`)
          .join('')}`,
    })
  }

  async stop(): Promise<readonly Frame[]> {
    this.#stop.abort()
    await this.#reading
    return this.frames
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #read(): Promise<void> {
    try {
      while (await readable(this.#fd, this.#stop.signal)) this.#drain()
      this.#drain()
      mustBeWhole(this.#fd, this.#link)
    } finally {
      closeDescriptor(this.#fd)
    }
  }

  #drain(): void {
    for (;;) {
      const length = receive(this.#fd, this.#buffer)
      if (length === 'EAGAIN') return
      if (typeof length === 'string')
        throw new Fault('lab.capture', { doing: 'capture on', on: this.#link, errno: length, says: 'the link went away' })
      const frame = decodeFrame(this.#buffer.subarray(0, Math.min(length, HEADERS)), { at: this.#clock.now(), length })
      if (this.#options.filter?.(frame) === false) continue
      this.frames.push(frame)
      this.#options.seen?.(frame)
    }
  }
}

async function indexOf(where: string, device: string): Promise<number> {
  const all = await execIn(where, ['ip', '-j', 'link', 'show'])
  const links: readonly { readonly ifindex: number; readonly ifname: string }[] = JSON.parse(all.stdout || '[]')
  const found = links.find(link => link.ifname === device)
  if (found !== undefined) return found.ifindex
  const known = links.map(link => link.ifname).join(', ')
  throw new Fault('lab.link', { doing: 'capture on', on: `${where}:${device}`, says: `${where} has ${known}` })
}

/** Bound before it is given the protocol, so that no frame of another link gets in; promiscuous, so that a bridge shows what it bridges. */
function openOn(namespace: string, index: number): number {
  return inNamespace(namespace, () => {
    const fd = openSocket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
    try {
      setsockoptInt(fd, SOL_SOCKET, SO_RCVBUF, BUFFER)
      setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership(index))
      bindSocket(fd, linkAddress(index))
    } catch (reason) {
      closeDescriptor(fd)
      throw reason
    }
    return fd
  })
}

/** `struct packet_mreq`. */
function membership(index: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(16))
  bytes.setInt32(0, index, HOST_IS_LITTLE)
  bytes.setUint16(4, PACKET_MR_PROMISC, HOST_IS_LITTLE)
  return new Uint8Array(bytes.buffer)
}

/** `struct sockaddr_ll`: the protocol in network order, the rest in the host's. */
function linkAddress(index: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(20))
  bytes.setUint16(0, AF_PACKET, HOST_IS_LITTLE)
  bytes.setUint16(2, ETH_P_ALL)
  bytes.setInt32(4, index, HOST_IS_LITTLE)
  return new Uint8Array(bytes.buffer)
}

/** A capture that lost frames must not pass for a whole one. */
function mustBeWhole(fd: number, link: string): void {
  const statistics = new Uint32Array(2)
  const length = new Uint8Array(new Uint32Array([8]).buffer)
  const act = { doing: 'capture on', on: link }
  must(libc().getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, new Uint8Array(statistics.buffer), length), 'getsockopt', act)
  const [, drops = 0] = statistics
  if (drops > 0) throw new Fault('lab.capture', { ...act, says: `${drops} frames were lost, the reader was too slow` })
}
