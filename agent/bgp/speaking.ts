/** The speaker of this node through changes of who it is: AS number, port and cluster id are said once a speaker. */

import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { type Clock, sleep } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import type { ImportFilter, LearnedRoute, Origination, PeerConfig, Speaker, SpeakerStatus } from '@network/bgp/speaker.ts'
import type { Identity } from '../plan/identity.ts'
import type { Tables } from '../serve/bgp-table.ts'

export interface Said {
  readonly peers: readonly PeerConfig[]
  readonly routes: ReadonlyMap<string, Origination>
  readonly filter: ImportFilter
}

export interface SpeakingOptions {
  readonly identity: Identity
  /** Makes a speaker; `restarting` asks the peers to keep our routes meanwhile (RFC 4724). */
  readonly make: (identity: Identity, again: boolean) => Speaker
  /** Routes that peers taught came or went. */
  readonly changed: () => void
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

const RETRY = millis(2000)
/** When all begin anew at once, reflectors end their first tale before they have heard everybody (RFC 4724 §4.1): what was known outlives that. */
const LINGER = millis(5000)

export class Speaking {
  readonly #options: SpeakingOptions
  readonly #settled = Promise.withResolvers<void>()
  #speaker: Speaker
  #wanted: Identity
  #said: Said | undefined
  #filter: ImportFilter | undefined
  /** False while the next speaker is made. */
  #isUp = false
  /** What the former speaker had learned, until the present one has heard everybody. */
  #held: ReadonlyMap<string, LearnedRoute> = new Map()
  #renewing: Promise<void> = Promise.resolve()
  #trouble: string | undefined

  constructor(options: SpeakingOptions) {
    this.#options = options
    this.#wanted = options.identity
    this.#speaker = options.make(options.identity, false)
  }

  /** Rejects with a Fault when the port cannot be had. */
  async start(): Promise<void> {
    await this.#speaker.start()
    this.#follow(this.#speaker)
  }

  /** Resolves when the first peers have told all they know. */
  get settled(): Promise<void> {
    return this.#settled.promise
  }

  get problems(): readonly string[] {
    return this.#trouble === undefined ? [] : [this.#trouble]
  }

  status(): SpeakerStatus {
    return this.#speaker.status()
  }

  /** The speaker of this moment, to be asked about its routes. */
  get tables(): Tables {
    return this.#speaker
  }

  /** Best paths from peers, by prefix text. */
  learned(): ReadonlyMap<string, LearnedRoute> {
    if (this.#held.size === 0) return this.#speaker.learned()
    return new Map([...this.#held, ...(this.#isUp ? this.#speaker.learned() : [])])
  }

  /** Says who we are, who the peers are and what we announce. A change of who we are begins all sessions anew; routes stay meanwhile. */
  say(identity: Identity, said: Said): void {
    this.#said = said
    if (!sameIdentity(identity, this.#wanted)) {
      this.#wanted = identity
      this.#renewing = this.#renewing.then(() => this.#renew(identity))
    } else if (this.#isUp) this.#repeat()
  }

  async stop(): Promise<void> {
    await this.#renewing
    await this.#speaker.stop({ graceful: true })
  }

  /** The announcements first, for End-of-RIB follows them. */
  #repeat(): void {
    if (this.#said === undefined) return
    const { peers, routes, filter } = this.#said
    if (filter !== this.#filter) this.#speaker.setImportFilter(filter)
    this.#filter = filter
    this.#speaker.originate(routes)
    this.#speaker.setPeers(peers)
  }

  async #renew(identity: Identity): Promise<void> {
    const { log, clock, make, signal } = this.#options
    this.#held = this.learned()
    this.#isUp = false
    await this.#speaker.stop({ graceful: true })
    for (;;) {
      if (signal.aborted || !sameIdentity(identity, this.#wanted)) return
      const speaker = make(identity, true)
      try {
        await speaker.start()
        log.info('BGP begins anew', { asn: identity.asn, port: identity.port, reflects: identity.clusterId !== undefined })
        this.#trouble = undefined
        this.#speaker = speaker
        this.#filter = undefined
        this.#follow(speaker)
        return
      } catch (reason) {
        this.#trouble = `BGP cannot begin anew as AS ${identity.asn} on port ${identity.port}: ${reasonOf(reason)}`
        log.warn('BGP cannot begin anew; tried again soon', { why: reasonOf(reason) })
        await speaker.stop({ graceful: true })
        await sleep(clock, RETRY, signal).catch(() => undefined)
      }
    }
  }

  #follow(speaker: Speaker): void {
    const { changed, clock } = this.#options
    this.#isUp = true
    speaker.onChange(change => {
      if (change.is === 'routes') changed()
    })
    void speaker.settled.then(() => {
      if (speaker !== this.#speaker) return
      this.#settled.resolve()
      if (this.#held.size === 0) return
      clock.wakeAt(after(clock.now(), LINGER), () => {
        if (speaker !== this.#speaker || !this.#isUp) return
        this.#held = new Map()
        changed()
      })
    })
    this.#repeat()
  }
}

function sameIdentity(a: Identity, b: Identity): boolean {
  return a.asn === b.asn && a.port === b.port && a.clusterId === b.clusterId
}
