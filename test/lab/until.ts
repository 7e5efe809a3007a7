/** Waits for conditions, never for time alone. */
import { Fault } from '@network/base/run/fault.ts'
import { type Clock, sleep } from '@network/base/time/clock.ts'
import { after, between, type Millis, millis } from '@network/base/time/units.ts'

export interface Wait {
  readonly clock: Clock
  /** The condition as words that follow "wait for": `the agent of a1`. */
  readonly what: string
  /** A minute unless told: what must come, but by no rule at once, may take its time on a loaded machine. */
  readonly within?: Millis
  /** Between two looks; 25 ms unless told. */
  readonly every?: Millis
  readonly signal?: AbortSignal
  /** Asked when the deadline passed: what was seen instead, where to look. */
  readonly instead?: () => string | Promise<string>
}

/** Looks until `look` gives something other than undefined or false; past the deadline throws a Fault that says what was seen instead. */
export async function until<T>(
  look: () => T | Promise<T>,
  { within = millis(60_000), ...wait }: Wait,
): Promise<Exclude<T, undefined | false>> {
  const signal = wait.signal ?? new AbortController().signal
  const deadline = after(wait.clock.now(), within)
  for (;;) {
    const seen = await look()
    if (isThere(seen)) return seen
    if (between(wait.clock.now(), deadline) <= 0) throw await lateFault({ ...wait, within })
    await sleep(wait.clock, wait.every ?? millis(25), signal)
  }
}

function isThere<T>(seen: T): seen is Exclude<T, undefined | false> {
  return seen !== undefined && seen !== false
}

async function lateFault({ what, within, instead }: Wait & { readonly within: Millis }): Promise<Fault> {
  const seen = instead === undefined ? '' : `: ${await instead()}`
  return new Fault('lab.late', { doing: 'wait for', on: what, says: `it did not come within ${within / 1000} s${seen}` })
}
