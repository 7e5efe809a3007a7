/** One client at a time, for one member; the next member when that one fails; no call without an end. */

import { InterceptingCall, type Interceptor } from '@grpc/grpc-js'
import { Fault } from '@network/base/run/fault.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { after, between, millis } from '@network/base/time/units.ts'
import { noop } from 'cockatiel'
import { Etcd3, type IOptions } from 'etcd3'
import { beforeAbort } from '../ipam/turns.ts'
import { Late, meaningOf, troubleOf } from './trouble.ts'

export interface ConnectionOptions {
  /** How it is called in messages. */
  readonly name: string
  readonly members: readonly string[]
  readonly tls: boolean
  readonly credentials: IOptions['credentials']
  readonly auth: IOptions['auth']
  readonly clock: Clock
  readonly random: Random
}

/** The client in use; `signal` aborts when it is given up for another. */
export interface Session {
  readonly client: Etcd3
  readonly signal: AbortSignal
}

/** One member gets so long, all together so long. */
const TRY = millis(2_000)
const PATIENCE = millis(6_000)
const RETRY = { base: millis(20), cap: millis(500) }
/** gRPC gives up later than we do: it only has to clean up. */
const GRPC_DEADLINE = millis(8_000)
/** etcd throws out, as it comes, whoever pings more often than every 5 s. */
const PING_EVERY = millis(5_500)
const PING_TIMEOUT = millis(1_500)
/** Of one answer; etcd's requests are smaller, its lists are not. */
const LARGEST_ANSWER = 32 * 1024 * 1024

export class Connection {
  readonly #options: ConnectionOptions
  readonly #closing = new AbortController()
  #member: number
  #session: { readonly client: Etcd3; readonly given: AbortController } | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    // Many clients must not all begin with the first.
    this.#member = Math.floor(options.random() * options.members.length)
  }

  /** Aborts when the connection is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  session(): Session {
    this.#closing.signal.throwIfAborted()
    this.#session ??= { client: this.#connect(), given: new AbortController() }
    return { client: this.#session.client, signal: this.#session.given.signal }
  }

  /** Leaves the session's member for the next one; of many who say so of one session the first is heard. */
  giveUp({ client }: Session): void {
    if (this.#session?.client !== client) return
    this.#end(new Error('its member failed'))
    this.#member = (this.#member + 1) % this.#options.members.length
  }

  /**
   * Asks until there is an answer, at most six seconds. What is not `repeatable` (a write whose fate is unknown) is asked again only when it
   * surely was not heard, and not abandoned on its way. Rejects with a Fault, or with the signal's reason.
   */
  async ask<T>(
    { doing, signal, repeatable }: { readonly doing: string; readonly signal: AbortSignal; readonly repeatable: boolean },
    question: (client: Etcd3) => Promise<T>,
  ): Promise<T> {
    const { clock, random, name: on } = this.#options
    const deadline = after(clock.now(), PATIENCE)
    const ending = AbortSignal.any([signal, this.#closing.signal])
    for (let tried = 0; ; tried++) {
      ending.throwIfAborted()
      const session = this.session()
      try {
        // A write on its way is waited for: whoever gave up and looks at once must not find it undone and done a moment later.
        return await this.#within(repeatable ? ending : this.#closing.signal, question(session.client))
      } catch (reason) {
        ending.throwIfAborted()
        const meaning = meaningOf(reason)
        if (meaning === 'away' || meaning === 'not-sent' || meaning === 'token') this.giveUp(session)
        const again = meaning === 'not-sent' || meaning === 'token' || (meaning === 'away' && repeatable)
        if (!again || between(clock.now(), deadline) <= 0)
          throw this.#told(reason, { doing, on }, meaning === 'away' && !repeatable)
      }
      await sleep(clock, backoff(tried, RETRY, random), ending)
    }
  }

  /** What one member has to answer at once: rejects when it does not, and when the signal aborts. */
  soon<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#within(AbortSignal.any([signal, this.#closing.signal]), promise)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed.aborted) return
    const closed = new Fault('datastore.closed', { doing: 'reach', on: this.#options.name, says: 'it was closed' })
    this.#closing.abort(closed)
    this.#end(closed)
  }

  #told(reason: unknown, act: { readonly doing: string; readonly on: string }, uncertain: boolean): Fault {
    const fault = troubleOf(reason, act)
    if (!uncertain) return fault
    return new Fault(
      fault.code,
      { ...fault.detail, says: `${fault.detail.says}; whether it was written is not known` },
      { cause: reason },
    )
  }

  #end(reason: Error): void {
    this.#session?.given.abort(reason)
    this.#session?.client.close()
    this.#session = undefined
  }

  /** Our own deadline, by a clock that does not jump: the library repeats what is late, and is later. */
  async #within<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
    const { clock } = this.#options
    const late = Promise.withResolvers<never>()
    const cancel = clock.wakeAt(after(clock.now(), TRY), () => late.reject(new Late(`no answer within ${TRY / 1000} s`)))
    try {
      return await beforeAbort(Promise.race([promise, late.promise]), signal)
    } finally {
      cancel()
    }
  }

  #connect(): Etcd3 {
    const { members, tls, credentials, auth, clock } = this.#options
    const member = members[this.#member] ?? ''
    return new Etcd3({
      hosts: [`${tls ? 'https' : 'http'}://${member}`],
      ...(credentials === undefined ? {} : { credentials }),
      ...(auth === undefined ? {} : { auth }),
      // Repetition and choice of members are ours: a write that is repeated behind our back would be answered wrongly.
      faultHandling: { global: noop, host: () => noop },
      grpcOptions: {
        'grpc.keepalive_time_ms': PING_EVERY,
        'grpc.keepalive_timeout_ms': PING_TIMEOUT,
        'grpc.max_receive_message_length': LARGEST_ANSWER,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        // Two clients of one process must not share a connection that one of them gave up.
        'grpc.use_local_subchannel_pool': 1,
      },
      defaultCallOptions: ({ isStream }) => ({
        ...(isStream ? {} : { deadline: new Date(clock.wall().getTime() + GRPC_DEADLINE) }),
        interceptors: [demandLeader],
      }),
    })
  }
}

/** A member without a leader is to say so at once, and to end its watches: it hears of nothing. */
const demandLeader: Interceptor = (options, next) =>
  new InterceptingCall(next(options), {
    start(metadata, listener, go) {
      metadata.set('hasleader', 'true')
      go(metadata, listener)
    },
  })
