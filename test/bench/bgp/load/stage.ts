/** The clients of a job on their places: sessions up, machine code warm, clocks and counters at hand. */
import { ipv4 } from '@network/base/net/ipv4.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { Fleet } from './fleet.ts'
import { wantedOf, wrongIn } from './inspection.ts'
import { announcement, type Dress, type Stretch } from './messages.ts'
import type { Order, Outcome } from './order.ts'
import type { PrefixPlan } from './prefix-plan.ts'
import { Counters, type Expectation, Tally } from './tally.ts'
import { machineBusy, type Usage, usageOf } from './usage.ts'

const WARM_UP = millis(150)
const KEEPALIVE = millis(1000)

export interface Cast {
  readonly clients: number
  readonly plan: PrefixPlan
  /** The slots that a client announces itself. */
  readonly ownOf: (client: number) => { readonly from: number; readonly to: number }
  /** Who announces a slot, and in which of the attribute sets. */
  readonly sourceOf: (slot: number) => { readonly client: number; readonly set: number }
  readonly quiet?: true
}

interface Mark {
  readonly at: number
  readonly usage: Usage
  readonly own: number
  readonly machine: number
}

export class Stage {
  readonly fleet: Fleet
  readonly expectation: Expectation
  readonly plan: PrefixPlan
  readonly #order: Order
  readonly #began: Usage
  readonly #clientAddress: (client: number) => number
  #connect = 0
  #mark: Mark

  constructor(order: Order, { clients, plan, ownOf, sourceOf, quiet }: Cast) {
    const first = ipv4(order.firstClient)
    const clusterId = ipv4(order.clusterId)
    const addressOf = (client: number) => first + client
    const dressOf = (slot: number): Dress => {
      const { client, set } = sourceOf(slot)
      return { nextHop: addressOf(client), version: this.expectation.version, set }
    }
    this.#order = order
    this.#clientAddress = addressOf
    this.plan = plan
    this.expectation = { plan, version: 1, inspect: (found, slot) => wrongIn(found, wantedOf(dressOf(slot), clusterId)) }
    const speaker = { address: ipv4(order.speaker.address), port: order.speaker.port }
    const keepalive = quiet === true ? millis(60_000) : KEEPALIVE
    this.fleet = new Fleet(clients, { speaker, asn: order.asn, addressOf, expectation: this.expectation, ownOf, keepalive })
    this.#began = usageOf(order.speaker.pid)
    this.#mark = this.#take()
  }

  /** Brings all sessions up, a few at a time, and lets the speaker come to rest; false when they do not come. */
  open(): boolean {
    this.#warmUp()
    const began = systemClock.now()
    if (!this.fleet.run(() => this.fleet.up, this.deadline())) return false
    this.#connect = this.fleet.upAt - began
    this.settle()
    return true
  }

  /** Leaves the speaker alone for a while, and begins to count. */
  settle(): void {
    this.fleet.rest(millis(this.#order.restMs))
    this.fleet.counters.reset()
    for (const { tally } of this.fleet.clients) tally.inspectNext()
  }

  deadline(): number {
    return systemClock.now() + this.#order.atMostMs
  }

  /** The time from which a job counts. */
  start(): number {
    this.#mark = this.#take()
    return this.#mark.at
  }

  updates(stretch: Stretch, client: number, { version = 1, set = 0 } = {}): Uint8Array {
    return Buffer.concat(announcement(this.plan, stretch, { nextHop: this.#clientAddress(client), version, set }))
  }

  /** The outcome of a job that ended now, or at `end`. */
  finish(done: boolean, routes: number, end: number = systemClock.now()): Outcome {
    const last = this.#take()
    const { counters, lost, failed } = this.fleet
    const { wrong, notification, ...received } = counters
    const speakerCpu = last.usage.cpu - this.#mark.usage.cpu
    const generatorCpu = last.own - this.#mark.own
    const says = this.#complaint(done) ?? wrong
    return {
      is: !done ? 'late' : says === undefined ? 'complete' : 'wrong',
      ...(says === undefined
        ? {}
        : { says: notification === undefined ? says : `${says}; it sent NOTIFICATION ${notification}` }),
      wall: end - this.#mark.at,
      connect: this.#connect,
      speakerCpu,
      generatorCpu,
      foreignCpu: Math.max(0, last.machine - this.#mark.machine - speakerCpu - generatorCpu),
      atStart: this.#began,
      withSessions: this.#mark.usage,
      atEnd: last.usage,
      sessions: this.fleet.clients.length,
      routes,
      received,
      lost,
      failed,
    }
  }

  noSessions(): Outcome {
    const up = this.fleet.clients.filter(({ state }) => state === 'up').length
    return { ...this.finish(false, 0), is: 'no-sessions', says: `${up} of ${this.fleet.clients.length} sessions came up` }
  }

  #complaint(done: boolean): string | undefined {
    const { clients, counters } = this.fleet
    if (counters.strange > 0) return `${counters.strange} prefixes that nobody announced`
    if (done) return undefined
    const missing = clients.reduce((sum, { tally }) => sum + tally.target - tally.present, 0)
    const without = clients.filter(({ tally }) => !tally.complete).length
    const up = clients.filter(({ state }) => state === 'up').length
    return `${without} of ${clients.length} clients lack ${missing} routes, ${up} sessions are up`
  }

  /** Receives made-up messages into a tally that nobody looks at, so that the first real ones do not meet cold code. */
  #warmUp(): void {
    const tally = new Tally(this.expectation, new Counters(), { from: 0, to: 0 })
    const count = Math.min(this.plan.slots, 512)
    const [update = new Uint8Array()] = announcement(this.plan, { from: 0, count }, { nextHop: 1, version: 1, set: 1 })
    const until = systemClock.now() + WARM_UP
    while (systemClock.now() < until) tally.update(update, 0, update.length)
  }

  #take(): Mark {
    const { user, system } = process.cpuUsage()
    const usage = usageOf(this.#order.speaker.pid)
    return { usage, own: (user + system) / 1000, machine: machineBusy(), at: systemClock.now() }
  }
}
