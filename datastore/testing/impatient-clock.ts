/** A clock by which every sleep is over at once: for tests in which something else decides the order. */

import { ManualClock } from '@network/base/testing/manual-clock.ts'
import type { Clock } from '@network/base/time/clock.ts'

const stopped = new ManualClock()

export const impatientClock: Clock = {
  now: () => stopped.now(),
  wall: () => stopped.wall(),
  wakeAt(_, wake) {
    queueMicrotask(wake)
    return () => undefined
  },
}
