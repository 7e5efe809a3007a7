/** All clients of a run in one loop without Node's: connects, answers, sends and counts until a condition holds. */
import { systemClock } from '@network/base/time/clock.ts'
import { type Millis, millis } from '@network/base/time/units.ts'
import { Client, incomingBuffer } from './client.ts'
import { type Endpoint, Poller } from './kernel.ts'
import { KEEPALIVE_MESSAGE } from './messages.ts'
import { Counters, type Expectation, Tally } from './tally.ts'

/** A session that is not up by then is given up, and tried again a little later. */
const CONNECT_TIMEOUT = millis(3000)
const RETRY = millis(100)
const LONGEST_WAIT = 20

export interface FleetOptions {
  readonly speaker: Endpoint
  readonly asn: number
  readonly addressOf: (client: number) => number
  readonly expectation: Expectation
  readonly ownOf: (client: number) => { readonly from: number; readonly to: number }
  readonly keepalive: Millis
}

export class Fleet {
  readonly clients: readonly Client[]
  readonly counters = new Counters()
  /** At most so many may be on their way at a time; Infinity: all at once. */
  pace = 4
  /** Sessions that ended unasked, and connections that came to nothing. */
  lost = 0
  failed = 0
  readonly #poller = new Poller()
  readonly #keepalive: Millis
  #nextKeepalive = 0
  #turn = 0
  #nextScan = 0

  constructor(count: number, { speaker, asn, addressOf, expectation, ownOf, keepalive }: FleetOptions) {
    const around = { poller: this.#poller, counters: this.counters, speaker, asn, incoming: incomingBuffer() }
    this.clients = Array.from(
      { length: count },
      (_, at) => new Client(at, addressOf(at), new Tally(expectation, this.counters, ownOf(at)), around),
    )
    this.#keepalive = keepalive
  }

  get up(): boolean {
    return this.clients.every(({ state }) => state === 'up')
  }

  get complete(): boolean {
    return this.clients.every(({ tally }) => tally.complete)
  }

  /** When the last of all became complete. */
  get completeAt(): number {
    return this.clients.reduce((last, { completeAt }) => Math.max(last, completeAt), 0)
  }

  /** When the last session came up. */
  get upAt(): number {
    return this.clients.reduce((last, { upAt }) => Math.max(last, upAt), 0)
  }

  /** Goes on until the condition holds; false when the deadline came first. */
  run(until: () => boolean, deadline: number): boolean {
    for (;;) {
      const now = systemClock.now()
      if (until()) return true
      if (now >= deadline) return false
      if (now >= this.#nextKeepalive) this.#sendKeepalives(now)
      if (now >= this.#nextScan) this.#scan(now)
      const events = this.#poller.wait(this.#timeout(now, deadline))
      for (let at = 0; at < events; at++) this.#on(this.#poller.tagOf(at), this.#poller.readinessOf(at))
    }
  }

  rest(duration: Millis): void {
    this.run(() => false, systemClock.now() + duration)
  }

  /** Resets all connections, and has all come back at this pace. */
  resetAll(pace: number): void {
    this.pace = pace
    for (const client of this.clients) client.drop('reset')
    this.#nextScan = 0
  }

  #timeout(now: number, deadline: number): number {
    const next = Math.min(deadline, this.#nextKeepalive, this.#nextScan)
    return Math.min(LONGEST_WAIT, Math.max(0, Math.ceil(next - now)))
  }

  #on(tag: number, readiness: number): void {
    const client = this.clients[tag]
    if (client === undefined || client.state === 'down' || client.onReady(readiness) === 'alive') return
    if (client.state === 'up') this.lost++
    else this.failed++
    this.#giveUp(client, 'close')
  }

  #giveUp(client: Client, how: 'close' | 'reset'): void {
    client.drop(how)
    client.retryAt = systemClock.now() + RETRY
  }

  /** A tenth of all in each tenth of the interval: a thousand messages at once would be a disturbance of their own. */
  #sendKeepalives(now: number): void {
    this.#nextKeepalive = now + this.#keepalive / 10
    this.#turn = (this.#turn + 1) % 10
    for (let at = this.#turn; at < this.clients.length; at += 10) {
      const client = this.clients[at]
      if (client?.state === 'up') client.send(KEEPALIVE_MESSAGE)
    }
  }

  /** Begins connections as the pace allows, and gives up those that take too long. */
  #scan(now: number): void {
    const waiting = this.clients.filter(({ state }) => state !== 'up')
    this.#nextScan = now + (waiting.length === 0 ? LONGEST_WAIT : 1)
    const underway = waiting.filter(client => client.state !== 'down' && !this.#late(client, now)).length
    const ready = waiting.filter(({ state, retryAt }) => state === 'down' && retryAt <= now)
    for (const client of ready.slice(0, Math.max(0, this.pace - underway))) {
      if (client.connect() === 'begun') continue
      this.failed++
      this.#giveUp(client, 'close')
    }
  }

  #late(client: Client, now: number): boolean {
    if (now - client.began < CONNECT_TIMEOUT) return false
    this.failed++
    this.#giveUp(client, 'reset')
    return true
  }
}
