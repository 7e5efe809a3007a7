/**
 * The file of a recording: JSON lines. The first says what the speaker was made of; each further one is an event that reached it, with
 * the time it saw, the chance it drew, what its sends returned, and what it did then.
 */

export const MAGIC = 'cali-bgp-recording'
export const VERSION = 1

export interface Heading {
  readonly [MAGIC]: typeof VERSION
  /** Plain options of the speaker: all but clock, random, log, transport and functions. */
  readonly options: Readonly<Record<string, unknown>>
}

/** What reached the speaker. Numbers count what the speaker asked for, in order: wake-ups, turns, dials, listeners, watched interfaces; and streams. */
export type Input =
  | { readonly is: 'call'; readonly method: string; readonly args: readonly unknown[] }
  | { readonly is: 'wake'; readonly wake: number }
  | { readonly is: 'turn'; readonly turn: number }
  | { readonly is: 'listening'; readonly listen: number; readonly endpoint: unknown }
  | { readonly is: 'not-listening'; readonly listen: number; readonly says: string }
  | { readonly is: 'accepted'; readonly listen: number; readonly wire: number; readonly local: unknown; readonly remote: unknown }
  | { readonly is: 'opened'; readonly dial: number; readonly wire: number; readonly local: unknown; readonly remote: unknown }
  | { readonly is: 'failed'; readonly dial: number; readonly reason: unknown }
  | { readonly is: 'data'; readonly wire: number; readonly bytes: Uint8Array }
  | { readonly is: 'drained'; readonly wire: number }
  | { readonly is: 'lost'; readonly wire: number; readonly why: string }
  | { readonly is: 'closed'; readonly wire: number }
  | { readonly is: 'listener-closed'; readonly listen: number }
  | { readonly is: 'seen'; readonly watch: number; readonly address: unknown }

/** What the speaker did. */
export type Output =
  | { readonly is: 'listen'; readonly at: unknown }
  | { readonly is: 'stop-listening'; readonly listen: number }
  | { readonly is: 'dial'; readonly to: unknown; readonly from: unknown }
  | { readonly is: 'give-up'; readonly dial: number }
  | { readonly is: 'send'; readonly wire: number; readonly bytes: Uint8Array }
  | { readonly is: 'close'; readonly wire: number }
  | { readonly is: 'watch'; readonly device: string }
  | { readonly is: 'watch-again' | 'unwatch'; readonly watch: number }

export interface Moment {
  /** Milliseconds of the monotonic clock. */
  readonly now: number
  /** Milliseconds since 1970. */
  readonly wall: number
  readonly input: Input
  readonly chance: readonly number[]
  /** What each send returned, in order. */
  readonly sends: readonly boolean[]
  readonly outputs: readonly Output[]
}

/** One line, without its newline. */
export function toLine(value: Heading | Moment | Output): string {
  return JSON.stringify(value, (_key, plain: unknown) => wrap(plain))
}

/** Reads a line again; throws SyntaxError on what is no JSON. */
export function fromLine(line: string): unknown {
  return JSON.parse(line, (_key, plain: unknown) => unwrap(plain))
}

export function isHeading(value: unknown): value is Heading {
  return typeof value === 'object' && value !== null && Reflect.get(value, MAGIC) === VERSION && 'options' in value
}

export function isMoment(value: unknown): value is Moment {
  return typeof value === 'object' && value !== null && 'input' in value && 'outputs' in value && 'now' in value
}

function wrap(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() }
  if (value instanceof Map) return { $map: [...value] }
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  return value
}

function unwrap(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('$bigint' in value) return BigInt(String(value.$bigint))
  if ('$map' in value && Array.isArray(value.$map)) return new Map(value.$map)
  if ('$bytes' in value) return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'))
  return value
}
