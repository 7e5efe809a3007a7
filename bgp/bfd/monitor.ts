/** BFD of one speaker: a session for each peer that asks for it, and the sockets that they share. */
import { type AnyAddress, formatAddress } from '@network/base/net/any-address.ts'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { toIpv6 } from '@network/base/net/ipv6.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { formatPeer, peerAt } from '../peer-address.ts'
import { Alarm } from '../session/alarm.ts'
import type { Endpoint } from '../session/transport.ts'
import type { Closable, Datagrams, Sender } from './datagrams.ts'
import { type BfdPacket, type BfdState, DIAGNOSTICS, decodeBfd, encodeBfd } from './packet.ts'
import { type BfdAction, type BfdEvent, type BfdSession, type BfdTimers, detectionTime, newBfd, stepBfd } from './session.ts'

export interface BfdSettings extends BfdTimers {
  /** The peer is not on the link: port 4784 and any TTL (RFC 5883). */
  readonly multihop: boolean
}

export interface BfdPeer {
  readonly address: AnyAddress
  /** The interface of a link-local address. */
  readonly zone?: string
  readonly from: AnyAddress | undefined
  readonly device: string | undefined
  readonly settings: BfdSettings
}

export interface BfdListener {
  up(): void
  /** Something has failed. `independent`: BFD of the peer does not stop with its control plane (C bit, RFC 5882 §4.3). */
  down(why: string, independent: boolean): void
}

export interface BfdStatus {
  readonly state: BfdState
  /** Why it is not up, in the words of RFC 5880. */
  readonly diagnostic: string
  readonly peerState: BfdState | null
  readonly detectionMillis: number | null
  readonly failures: number
}

export interface BfdTools {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly datagrams: Datagrams
  /** Calls back when all that has arrived by now has been told. */
  readonly turn: (act: () => void) => void
}

const SINGLE_HOP_PORT = 3784
const MULTI_HOP_PORT = 4784
const FULL_TTL = 255

export class BfdMonitor {
  readonly #tools: BfdTools
  readonly #byDiscriminator = new Map<number, WatchedPeer>()
  readonly #ears = new Map<string, { readonly ear: Closable; users: number }>()

  constructor(tools: BfdTools) {
    this.#tools = tools
  }

  /** Begins a session; a system that has no socket for it is logged, and the session stays down. */
  watch(peer: BfdPeer, listener: BfdListener): Watching {
    const discriminator = this.#freeDiscriminator()
    const watched = new WatchedPeer(peer, listener, discriminator, this.#tools)
    this.#byDiscriminator.set(discriminator, watched)
    try {
      this.#listenFor(peer)
      watched.start()
    } catch (reason) {
      this.#tools.log.error('BFD cannot run', { peer: formatPeer(peerAt({ ...peer, port: 0 })), why: reasonOf(reason) })
    }
    return {
      status: () => watched.status(),
      isUp: () => watched.isUp,
      stop: () => {
        this.#byDiscriminator.delete(discriminator)
        watched.stop()
        this.#unlisten(peer)
      },
    }
  }

  /** Says what is due although timers are late: after much reading. */
  pulse(): void {
    for (const watched of this.#byDiscriminator.values()) watched.pulse()
  }

  #freeDiscriminator(): number {
    for (;;) {
      const drawn = 1 + Math.floor(this.#tools.random() * (2 ** 32 - 1))
      if (!this.#byDiscriminator.has(drawn)) return drawn
    }
  }

  #listenFor(peer: BfdPeer): void {
    const name = nameOfEar(peer)
    const known = this.#ears.get(name)
    if (known !== undefined) {
      known.users++
      return
    }
    const { multihop } = peer.settings
    const at = { address: peer.from ?? anywhereFor(peer), port: multihop ? MULTI_HOP_PORT : SINGLE_HOP_PORT }
    const ear = this.#tools.datagrams.hear(at, multihop ? 0 : FULL_TTL, (bytes, from) => this.#hear(bytes, from, multihop))
    this.#ears.set(name, { ear, users: 1 })
  }

  #unlisten(peer: BfdPeer): void {
    const name = nameOfEar(peer)
    const known = this.#ears.get(name)
    if (known === undefined || --known.users > 0) return
    this.#ears.delete(name)
    known.ear.close()
  }

  /** RFC 5880 §6.8.6: by our discriminator; the first packets by the address of their sender, which must be the right one anyhow. */
  #hear(bytes: Uint8Array, from: Endpoint, multihop: boolean): void {
    const packet = decodeBfd(bytes)
    if (packet === undefined) return
    const isOf = ({ peer }: WatchedPeer) =>
      peer.address === from.address && peer.zone === from.zone && peer.settings.multihop === multihop
    const named = packet.yours === 0 ? [...this.#byDiscriminator.values()].find(isOf) : this.#byDiscriminator.get(packet.yours)
    if (named !== undefined && isOf(named)) named.hear(packet)
  }
}

export interface Watching {
  status(): BfdStatus
  isUp(): boolean
  /** Tells the peer that it ends on purpose. */
  stop(): void
}

class WatchedPeer {
  readonly peer: BfdPeer
  readonly #listener: BfdListener
  readonly #tools: BfdTools
  readonly #alarm: Alarm
  #session: BfdSession
  #sender: Sender | undefined
  #failures = 0

  constructor(peer: BfdPeer, listener: BfdListener, discriminator: number, tools: BfdTools) {
    this.peer = peer
    this.#listener = listener
    this.#tools = tools
    this.#alarm = new Alarm(tools.clock, () => this.#wake())
    this.#session = newBfd(discriminator)
  }

  get isUp(): boolean {
    return this.#session.state === 'up'
  }

  start(): void {
    const { address, zone, from, device, settings } = this.peer
    const port = settings.multihop ? MULTI_HOP_PORT : SINGLE_HOP_PORT
    const to = { address, port, ...(zone === undefined ? {} : { zone }) }
    this.#sender = this.#tools.datagrams.sender({ to, from, device }, this.#tools.random())
    this.#feed({ is: 'start' })
  }

  stop(): void {
    this.#feed({ is: 'stop' })
    this.#alarm.cancel()
    const sender = this.#sender
    this.#sender = undefined
    // What was said last is still on its way through Node.
    this.#tools.turn(() => sender?.close())
  }

  hear(packet: BfdPacket): void {
    this.#feed({ is: 'packet', packet })
  }

  pulse(): void {
    const { sendAt } = this.#session
    if (sendAt !== undefined && sendAt <= this.#tools.clock.now()) this.#feed({ is: 'time' })
  }

  status(): BfdStatus {
    const { state, diagnostic, remote } = this.#session
    return {
      state,
      diagnostic: DIAGNOSTICS[diagnostic] ?? `diagnostic ${diagnostic}`,
      peerState: remote?.state ?? null,
      detectionMillis: detectionTime(this.#session, this.peer.settings) ?? null,
      failures: this.#failures,
    }
  }

  /** A process that was busy itself reads what has arrived before it blames the peer. */
  #wake(): void {
    const { expiresAt } = this.#session
    if (expiresAt !== undefined && expiresAt <= this.#tools.clock.now()) this.#tools.turn(() => this.#pass())
    else this.#pass()
  }

  #pass(): void {
    if (this.#sender !== undefined) this.#feed({ is: 'time' })
  }

  #feed(event: BfdEvent): void {
    const at = { now: this.#tools.clock.now(), chance: this.#tools.random() }
    const { session, actions } = stepBfd(this.#session, event, this.peer.settings, at)
    this.#session = session
    for (const action of actions) this.#perform(action)
    const { sendAt, expiresAt } = this.#session
    this.#alarm.by(sendAt === undefined || (expiresAt !== undefined && expiresAt < sendAt) ? expiresAt : sendAt)
  }

  #perform(action: BfdAction): void {
    switch (action.is) {
      case 'send':
        this.#sender?.send(encodeBfd(action.packet))
        return
      case 'up':
        this.#listener.up()
        return
      case 'down':
        if (action.administrative) return
        this.#failures++
        this.#listener.down(DIAGNOSTICS[action.why] ?? `diagnostic ${action.why}`, action.independent)
        return
      default:
        action satisfies never
    }
  }
}

function nameOfEar(peer: BfdPeer): string {
  return `${formatAddress(peer.from ?? anywhereFor(peer))} ${peer.settings.multihop}`
}

function anywhereFor({ address }: BfdPeer): AnyAddress {
  return typeof address === 'number' ? toIpv4(0) : toIpv6(0n)
}
