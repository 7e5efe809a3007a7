/** Who is at the other end of an interface, by router advertisements: we say that we are there, and hear who else is. RFC 4861 §6. */
import { type Ipv6, isLinkLocal } from '@network/base/net/ipv6.ts'
import type { Cancel, Clock, Random } from '@network/base/time/clock.ts'
import { after, between, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import { encodeAdvertisement, encodeSolicitation, kindOf } from './advertisement.ts'

/** What discovery needs of a network. */
export interface Icmp {
  /** To all who listen on the link of the interface; in words why it cannot be sent now. */
  send(device: string, to: 'routers' | 'nodes', message: Uint8Array): string | undefined
  close(): void
}

/** Tells what came to an interface. */
export type HeardOn = (device: string, from: Ipv6, message: Uint8Array) => void

export interface Seeking {
  /** Whoever was there is lost: asks again, and often, until somebody answers. */
  again(): void
  close(): void
}

/** Finds peers that nobody gave an address. */
export interface Links {
  /** Tells who advertises itself at the other end, again and again, and lets it know of us. Throws a Fault where the system does not let us. */
  watch(device: string, seen: (address: Ipv6) => void): Seeking
}

/** Between two advertisements: as often as other routers do it for such peers. */
const REGULARLY: Millis = millis(10_000)
/** While nobody has been seen, or nothing can be sent. */
const SOON: Millis = millis(1000)
/** RFC 4861 §10, MIN_DELAY_BETWEEN_RAS and MAX_RA_DELAY_TIME. */
const SELDOM: Millis = millis(3000)
const ANSWER_WITHIN = 500

interface Watched {
  readonly device: string
  readonly seen: (address: Ipv6) => void
  someoneIsThere: boolean
  saidAt: Instant | undefined
  cancel: Cancel | undefined
}

export class Discovery implements Links {
  readonly #clock: Clock
  readonly #random: Random
  readonly #open: (heard: HeardOn) => Icmp
  readonly #watched = new Map<string, Watched>()
  #icmp: Icmp | undefined

  /** `open` is asked when the first interface is watched. */
  constructor(clock: Clock, random: Random, open: (heard: HeardOn) => Icmp) {
    this.#clock = clock
    this.#random = random
    this.#open = open
  }

  watch(device: string, seen: (address: Ipv6) => void): Seeking {
    this.#icmp ??= this.#open((on, from, message) => this.#hear(on, from, message))
    const watched: Watched = { device, seen, someoneIsThere: false, saidAt: undefined, cancel: undefined }
    this.#watched.set(device, watched)
    this.#speak(watched)
    return { again: () => this.#again(watched), close: () => this.#close(watched) }
  }

  #again(watched: Watched): void {
    watched.someoneIsThere = false
    this.#speakIn(watched, SOON)
  }

  #close(watched: Watched): void {
    watched.cancel?.()
    if (this.#watched.get(watched.device) === watched) this.#watched.delete(watched.device)
    if (this.#watched.size > 0) return
    this.#icmp?.close()
    this.#icmp = undefined
  }

  /** Says that we are there, asks who else is while nobody is known, and comes back to it. */
  #speak(watched: Watched): void {
    if (!watched.someoneIsThere) this.#icmp?.send(watched.device, 'routers', encodeSolicitation())
    const trouble = this.#icmp?.send(watched.device, 'nodes', encodeAdvertisement())
    if (trouble === undefined) watched.saidAt = this.#clock.now()
    this.#speakIn(watched, trouble === undefined && watched.someoneIsThere ? REGULARLY : SOON)
  }

  #speakIn(watched: Watched, wait: Millis): void {
    watched.cancel?.()
    watched.cancel = this.#clock.wakeAt(after(this.#clock.now(), wait), () => this.#speak(watched))
  }

  #hear(device: string, from: Ipv6, message: Uint8Array): void {
    const watched = this.#watched.get(device)
    const kind = kindOf(message)
    if (watched === undefined || kind === undefined) return
    if (kind === 'advertisement' && !isLinkLocal(from)) return
    // Whoever asks, or has just come up, may not know us.
    const { saidAt } = watched
    const isDue = saidAt === undefined || between(saidAt, this.#clock.now()) >= SELDOM
    if (kind === 'solicitation' || isDue) this.#speakIn(watched, millis(this.#random() * ANSWER_WITHIN))
    if (kind === 'solicitation') return
    watched.someoneIsThere = true
    watched.seen(from)
  }
}
