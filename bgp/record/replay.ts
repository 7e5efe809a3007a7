/** A recording happens again to a new speaker; where it does something else than the recorded one, that is told. */
import { isDeepStrictEqual } from 'node:util'
import type { Ipv6 } from '@network/base/net/ipv6.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { silentLog } from '@network/base/run/log.ts'
import type { Instant } from '@network/base/time/units.ts'
import { acceptAll, type SpeakerOptions } from '../options.ts'
import type { DialFailure, DialListener, Endpoint, Listening, Transport, Wire, WireListener } from '../session/transport.ts'
import { Speaker } from '../speaker.ts'
import type { Seeking } from '../unnumbered/discovery.ts'
import { fromLine, type Input, isHeading, isMoment, type Moment, type Output, toLine } from './format.ts'
import { CALLS } from './recorder.ts'

export interface Replayed {
  /** As it stood after the last event; stopped by nobody. */
  readonly speaker: Speaker
  readonly events: number
  readonly outputs: number
  /** Line of the file, counted from 1, and what is different there; undefined: nothing is. */
  readonly difference: { readonly line: number; readonly says: string } | undefined
}

/** Ends at the first difference. A Fault says which line of the file cannot be read. */
export async function replay(file: string, lines: readonly string[]): Promise<Replayed> {
  const [first, ...rest] = lines
  const heading = read(file, first ?? '', 1)
  if (!isHeading(heading)) throw unreadable(file, 1, 'is not the heading of a recording')
  const stage = new Stage()
  const speaker = new Speaker({ ...stage.surroundings, ...toOptions(heading.options) })
  let outputs = 0
  for (const [at, text] of rest.entries()) {
    const line = at + 2
    const moment = read(file, text, line)
    if (!isMoment(moment)) throw unreadable(file, line, 'is no event of a recording')
    const says = await stage.play(moment, speaker)
    outputs += moment.outputs.length
    if (says !== undefined) return { speaker, events: at + 1, outputs, difference: { line, says } }
  }
  return { speaker, events: rest.length, outputs, difference: undefined }
}

function read(file: string, text: string, line: number): unknown {
  try {
    return fromLine(text)
  } catch (cause) {
    throw unreadable(file, line, reasonOf(cause))
  }
}

function unreadable(file: string, line: number, says: string): Fault {
  return new Fault('bgp.recording', {
    doing: 'replay',
    on: `${file}, line ${line}`,
    says,
    mend: 'was the file cut short, or is it something else?',
  })
}

type PlainOptions = Omit<SpeakerOptions, 'clock' | 'random' | 'log' | 'transport' | 'importFilter'>

/** What a recorder wrote down is what a speaker takes: the file is ours. */
function toOptions(plain: Readonly<Record<string, unknown>>): PlainOptions {
  return plain as unknown as PlainOptions
}

/** Everything around the replayed speaker: it moves only when the recording says so. */
class Stage {
  readonly surroundings: Pick<SpeakerOptions, 'clock' | 'random' | 'log' | 'transport' | 'importFilter'>
  #now = 0 as Instant
  #wall = new Date(0)
  #chance: number[] = []
  #sends: boolean[] = []
  #outputs: Output[] = []
  readonly #wakes: (() => void)[] = []
  readonly #turns: (() => void)[] = []
  readonly #accepts: ((wire: Wire) => WireListener | undefined)[] = []
  readonly #binding: PromiseWithResolvers<Listening>[] = []
  readonly #unbinding: PromiseWithResolvers<void>[] = []
  readonly #dials: DialListener[] = []
  readonly #watches: ((address: Ipv6) => void)[] = []
  readonly #listeners = new Map<number, WireListener>()
  readonly #closing = new Map<number, PromiseWithResolvers<void>>()

  constructor() {
    this.surroundings = {
      clock: {
        now: () => this.#now,
        wall: () => this.#wall,
        wakeAt: (_at, wake) => {
          this.#wakes.push(wake)
          return () => undefined
        },
      },
      random: () => this.#chance.shift() ?? 0,
      log: silentLog,
      importFilter: acceptAll,
      transport: this.#transport(),
    }
  }

  /** In words what is different, if anything is. */
  async play(moment: Moment, speaker: Speaker): Promise<string | undefined> {
    this.#now = moment.now as Instant
    this.#wall = new Date(moment.wall)
    this.#chance = [...moment.chance]
    this.#sends = [...moment.sends]
    this.#outputs = []
    if (!this.#enter(moment.input, speaker)) return `${moment.input.is}: the replayed speaker has not asked for that`
    await new Promise(resolve => setImmediate(resolve))
    const says = difference(moment, this.#outputs)
    if (says !== undefined || this.#chance.length === 0) return says
    return `after ${moment.input.is} it drew ${this.#chance.length} random numbers less`
  }

  /** False: what the input answers was never asked. */
  #enter(input: Input, speaker: Speaker): boolean {
    switch (input.is) {
      case 'call':
        return call(speaker, input.method, input.args)
      case 'wake':
        return run(this.#wakes[input.wake])
      case 'turn':
        return run(this.#turns[input.turn])
      case 'listening':
        return this.#bound(input.listen, input.endpoint)
      case 'not-listening':
        return run(() => this.#binding[input.listen]?.reject(new Error(input.says)))
      case 'listener-closed':
        return run(() => this.#unbinding[input.listen]?.resolve())
      case 'accepted':
        return this.#accepted(input.listen, input.wire, endpoint(input.local), endpoint(input.remote))
      case 'opened':
        return this.#opened(input.dial, input.wire, endpoint(input.local), endpoint(input.remote))
      case 'failed':
        return run(() => this.#dials[input.dial]?.failed(input.reason as DialFailure))
      case 'data':
        return this.#hear(input.wire, listener => listener.data(input.bytes))
      case 'drained':
        return this.#hear(input.wire, listener => listener.drained())
      case 'lost':
        return this.#hear(input.wire, listener => listener.lost(input.why))
      case 'seen':
        return this.#see(input.watch, input.address as Ipv6)
      case 'closed':
        return run(() => this.#closing.get(input.wire)?.resolve())
      default:
        return input satisfies never
    }
  }

  #see(watch: number, address: Ipv6): boolean {
    const seen = this.#watches[watch]
    seen?.(address)
    return seen !== undefined
  }

  #watch(device: string, seen: (address: Ipv6) => void): Seeking {
    this.#outputs.push({ is: 'watch', device })
    const watch = this.#watches.push(seen) - 1
    return {
      again: () => void this.#outputs.push({ is: 'watch-again', watch }),
      close: () => void this.#outputs.push({ is: 'unwatch', watch }),
    }
  }

  #transport(): Transport {
    return {
      listen: (at, accept) => {
        this.#outputs.push({ is: 'listen', at })
        this.#accepts.push(accept)
        const binding = Promise.withResolvers<Listening>()
        this.#binding.push(binding)
        return binding.promise
      },
      dial: (to, from, listener) => {
        this.#outputs.push({ is: 'dial', to, from })
        const dial = this.#dials.push(listener) - 1
        return { cancel: () => void this.#outputs.push({ is: 'give-up', dial }) }
      },
      links: { watch: (device, seen) => this.#watch(device, seen) },
      turn: act => void this.#turns.push(act),
    }
  }

  #bound(listen: number, at: unknown): boolean {
    const binding = this.#binding[listen]
    const unbinding = Promise.withResolvers<void>()
    this.#unbinding[listen] = unbinding
    binding?.resolve({
      endpoint: endpoint(at),
      expect: () => undefined,
      close: () => {
        this.#outputs.push({ is: 'stop-listening', listen })
        return unbinding.promise
      },
    })
    return binding !== undefined
  }

  #accepted(listen: number, wire: number, local: Endpoint, remote: Endpoint): boolean {
    const accept = this.#accepts[listen]
    const listener = accept?.(this.#wire(wire, local, remote))
    if (listener !== undefined) this.#listeners.set(wire, listener)
    return accept !== undefined
  }

  #opened(dial: number, wire: number, local: Endpoint, remote: Endpoint): boolean {
    const listener = this.#dials[dial]
    if (listener === undefined) return false
    this.#listeners.set(wire, listener.opened(this.#wire(wire, local, remote)))
    return true
  }

  #hear(wire: number, tell: (listener: WireListener) => void): boolean {
    const listener = this.#listeners.get(wire)
    if (listener !== undefined) tell(listener)
    return listener !== undefined
  }

  #wire(number: number, local: Endpoint, remote: Endpoint): Wire {
    const send = (bytes: Uint8Array) => this.#outputs.push({ is: 'send', wire: number, bytes: new Uint8Array(bytes) })
    const returned = () => this.#sends.shift() ?? true
    return {
      local,
      remote,
      send: bytes => {
        send(bytes)
        return returned()
      },
      sendAll: slices => {
        for (const slice of slices) send(slice)
        return returned()
      },
      guard: () => undefined,
      close: () => {
        this.#outputs.push({ is: 'close', wire: number })
        const closing = Promise.withResolvers<void>()
        this.#closing.set(number, closing)
        return closing.promise
      },
    }
  }
}

function run(act: (() => void) | undefined): boolean {
  act?.()
  return act !== undefined
}

function call(speaker: Speaker, name: string, args: readonly unknown[]): boolean {
  const method = CALLS.find(each => each === name)
  const made: unknown = method === undefined ? undefined : Reflect.get(speaker, method)
  if (typeof made !== 'function') return false
  const outcome: unknown = Reflect.apply(made, speaker, args)
  // A start that could not bind rejected once before.
  if (outcome instanceof Promise) outcome.catch(() => undefined)
  return true
}

function endpoint(value: unknown): Endpoint {
  return value as Endpoint
}

function difference({ input, outputs: recorded }: Moment, outputs: readonly Output[]): string | undefined {
  const longest = Math.max(recorded.length, outputs.length)
  for (let at = 0; at < longest; at++)
    if (!isDeepStrictEqual(recorded[at], plain(outputs[at])))
      return `after ${input.is} it did ${describe(outputs[at])} where the recorded one did ${describe(recorded[at])}`
  return undefined
}

/** As it would come back from the file. */
function plain(output: Output | undefined): unknown {
  return output === undefined ? undefined : fromLine(toLine(output))
}

function describe(output: Output | undefined): string {
  if (output === undefined) return 'nothing'
  if (output.is !== 'send') return JSON.stringify(output)
  return `send on stream ${output.wire}: ${Buffer.from(output.bytes).toString('hex')}`
}
