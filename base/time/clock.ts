/** The only room where time and chance come from the machine; everybody else takes them as arguments. */
import type { Instant, Millis } from './units.ts'

export interface Clock {
  /** Monotonic: wall-clock steps do not move it. */
  now(): Instant
  /** Wall time, for people and timestamps only. */
  wall(): Date
  /** Calls back once at `at` or soon after; the result cancels. */
  wakeAt(at: Instant, wake: () => void): Cancel
}

export type Cancel = () => void
/** A number from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number

export const systemRandom: Random = Math.random

export const systemClock: Clock = {
  now: () => performance.now() as Instant,
  wall: () => new Date(),
  wakeAt(at, wake) {
    const timer = setTimeout(wake, Math.max(0, Math.ceil(at - performance.now())))
    return () => clearTimeout(timer)
  },
}

/** Resolves at `at`; rejects with the signal's reason when that comes first. */
export function sleepUntil(clock: Clock, at: Instant, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const abandon = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = clock.wakeAt(at, () => {
      signal.removeEventListener('abort', abandon)
      resolve()
    })
    signal.addEventListener('abort', abandon, { once: true })
  })
}

export function sleep(clock: Clock, duration: Millis, signal: AbortSignal): Promise<void> {
  return sleepUntil(clock, (clock.now() + duration) as Instant, signal)
}
