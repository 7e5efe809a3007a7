/** How long to wait before the next try. */
import type { Random } from './clock.ts'
import { type Millis, millis } from './units.ts'

/** Exponential from `base` up to `cap`, the upper half of it random, so that many who failed together do not return together. */
export function backoff(attempt: number, bounds: { readonly base: Millis; readonly cap: Millis }, random: Random): Millis {
  const full = Math.min(bounds.cap, bounds.base * 2 ** Math.min(attempt, 30))
  return millis(full / 2 + (full / 2) * random())
}
