/** A speaker whose every input is written down, so that the same can happen to another one later, step by step. */
import { reasonOf } from '@network/base/run/fault.ts'
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'
import type { SpeakerOptions } from '../options.ts'
import { acceptAll } from '../options.ts'
import { tcpTransport } from '../session/tcp.ts'
import type { Dial, DialListener, Endpoint, Guard, Listening, Transport, Wire, WireListener } from '../session/transport.ts'
import { Speaker } from '../speaker.ts'
import type { Links } from '../unnumbered/discovery.ts'
import { type Input, MAGIC, type Output, toLine, VERSION } from './format.ts'

/** Calls of a speaker that change it. */
export const CALLS = ['start', 'setPeers', 'setDynamicPeers', 'originate', 'clear', 'drain', 'stop'] as const

/**
 * A speaker made of `options` that hands each line of its recording to `write`. While it is recorded its clock stands still during each
 * event, so durations in its status are those of the last one. Throws TypeError where an option cannot be written down: an import filter, a resolver of next hops.
 */
export function recordedSpeaker(options: SpeakerOptions, write: (line: string) => void): Speaker {
  if (options.importFilter !== acceptAll) throw new TypeError('a recorded speaker takes no import filter: use import policies')
  if (options.resolveNextHop !== undefined) throw new TypeError('a recorded speaker takes no resolver of next hops')
  const tape = new Tape(options, write)
  const speaker = new Speaker({ ...options, clock: tape.clock, random: () => tape.draw(), transport: tape.transport })
  return new Proxy(speaker, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const method = CALLS.find(each => each === name)
      if (method === undefined) return value.bind(target)
      return (...args: readonly unknown[]) => tape.enter({ is: 'call', method, args }, () => Reflect.apply(value, target, args))
    },
  })
}

interface Errand {
  readonly to: Endpoint
  readonly from: Endpoint['address'] | undefined
  readonly guard: Guard | undefined
}

class Tape {
  readonly clock: Clock
  readonly transport: Transport
  readonly #options: SpeakerOptions
  readonly #under: Transport
  readonly #write: (line: string) => void
  #now: Instant
  #wall: Date
  #input: Input | undefined
  #chance: number[] = []
  #sends: boolean[] = []
  #outputs: Output[] = []
  #isInside = false
  #wakes = 0
  #turns = 0
  #listens = 0
  #dials = 0
  #wires = 0
  #watches = 0

  constructor(options: SpeakerOptions, write: (line: string) => void) {
    this.#options = options
    this.#write = write
    this.#under = options.transport ?? tcpTransport(options.clock)
    this.#now = options.clock.now()
    this.#wall = options.clock.wall()
    const { clock: _clock, random: _random, log: _log, transport: _transport, importFilter: _filter, ...plain } = options
    write(toLine({ [MAGIC]: VERSION, options: plain }))
    this.clock = {
      now: () => this.#now,
      wall: () => this.#wall,
      wakeAt: (at, wake) => this.#wakeAt(at, wake),
    }
    this.transport = {
      listen: (at, accept) => this.#listen(at, accept),
      dial: (to, from, listener, guard) => this.#dial({ to, from, guard }, listener),
      ...(this.#under.links === undefined ? {} : { links: this.#watching(this.#under.links) }),
      turn: act => this.#turn(act),
    }
  }

  #watching(links: Links): Links {
    return {
      watch: (device, seen) => {
        const watch = this.#watches++
        this.#outputs.push({ is: 'watch', device })
        const seeking = links.watch(device, address => this.enter({ is: 'seen', watch, address }, () => seen(address)))
        return {
          again: () => {
            this.#outputs.push({ is: 'watch-again', watch })
            seeking.again()
          },
          close: () => {
            this.#outputs.push({ is: 'unwatch', watch })
            seeking.close()
          },
        }
      },
    }
  }

  /** What follows, until the next event, belongs to this one. Throws TypeError on a call out of a listener: it could not be told apart. */
  enter<T>(input: Input, act: () => T): T {
    if (this.#isInside)
      throw new TypeError('a recorded speaker is not changed from inside its own changes: do it in a later turn')
    this.#flush()
    this.#input = input
    this.#now = this.#options.clock.now()
    this.#wall = this.#options.clock.wall()
    // What is awaited goes on in microtasks; the line is written when all of that is over.
    setImmediate(() => this.#flushOf(input))
    this.#isInside = true
    try {
      return act()
    } finally {
      this.#isInside = false
    }
  }

  /** What is drawn while the speaker is made decides where its tables keep things, not what it does. */
  draw(): number {
    const value = this.#options.random()
    if (this.#input !== undefined) this.#chance.push(value)
    return value
  }

  #flushOf(input: Input): void {
    if (this.#input === input) this.#flush()
  }

  #flush(): void {
    const input = this.#input
    if (input === undefined) return
    const moment = {
      now: this.#now,
      wall: this.#wall.getTime(),
      input,
      chance: this.#chance,
      sends: this.#sends,
      outputs: this.#outputs,
    }
    this.#write(toLine(moment))
    this.#input = undefined
    this.#chance = []
    this.#sends = []
    this.#outputs = []
  }

  #wakeAt(at: Instant, wake: () => void): Cancel {
    const number = this.#wakes++
    return this.#options.clock.wakeAt(at, () => this.enter({ is: 'wake', wake: number }, wake))
  }

  #turn(act: () => void): void {
    const number = this.#turns++
    this.#under.turn(() => this.enter({ is: 'turn', turn: number }, act))
  }

  async #listen(at: Endpoint, accept: (wire: Wire) => WireListener | undefined): Promise<Listening> {
    const listen = this.#listens++
    this.#outputs.push({ is: 'listen', at })
    const bound = await this.#under
      .listen(at, wire => {
        const { local, remote } = wire
        const number = this.#wires++
        return this.enter({ is: 'accepted', listen, wire: number, local, remote }, () =>
          this.#heard(number, accept(this.#taped(number, wire))),
        )
      })
      .catch((reason: unknown) => {
        this.enter({ is: 'not-listening', listen, says: reasonOf(reason) }, () => undefined)
        throw reason
      })
    this.enter({ is: 'listening', listen, endpoint: bound.endpoint }, () => undefined)
    return {
      endpoint: bound.endpoint,
      expect: peers => bound.expect(peers),
      close: async () => {
        this.#outputs.push({ is: 'stop-listening', listen })
        await bound.close()
        this.enter({ is: 'listener-closed', listen }, () => undefined)
      },
    }
  }

  #dial({ to, from, guard }: Errand, listener: DialListener): Dial {
    const dial = this.#dials++
    this.#outputs.push({ is: 'dial', to, from })
    const heard: DialListener = {
      opened: wire => {
        const { local, remote } = wire
        const number = this.#wires++
        return this.enter({ is: 'opened', dial, wire: number, local, remote }, () => {
          return this.#around(number, listener.opened(this.#taped(number, wire)))
        })
      },
      failed: reason => this.enter({ is: 'failed', dial, reason }, () => listener.failed(reason)),
    }
    const under = this.#under.dial(to, from, heard, guard)
    return {
      cancel: () => {
        this.#outputs.push({ is: 'give-up', dial })
        under.cancel()
      },
    }
  }

  #heard(wire: number, listener: WireListener | undefined): WireListener | undefined {
    return listener === undefined ? undefined : this.#around(wire, listener)
  }

  #around(wire: number, listener: WireListener): WireListener {
    return {
      data: bytes => this.enter({ is: 'data', wire, bytes: new Uint8Array(bytes) }, () => listener.data(bytes)),
      drained: () => this.enter({ is: 'drained', wire }, () => listener.drained()),
      lost: why => this.enter({ is: 'lost', wire, why }, () => listener.lost(why)),
    }
  }

  #taped(number: number, wire: Wire): Wire {
    const send = (bytes: Uint8Array) => this.#outputs.push({ is: 'send', wire: number, bytes: new Uint8Array(bytes) })
    const returned = (value: boolean) => {
      this.#sends.push(value)
      return value
    }
    return {
      local: wire.local,
      remote: wire.remote,
      send: bytes => {
        send(bytes)
        return returned(wire.send(bytes))
      },
      sendAll: slices => {
        for (const slice of slices) send(slice)
        return returned(wire.sendAll(slices))
      },
      guard: guard => wire.guard(guard),
      close: async () => {
        this.#outputs.push({ is: 'close', wire: number })
        await wire.close()
        this.enter({ is: 'closed', wire: number }, () => undefined)
      },
    }
  }
}
