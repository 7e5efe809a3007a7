/** Every bench ends by itself, or by a deadline with a sentence that says where it was. */

import { Fault } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, type Millis } from '@network/base/time/units.ts'
import type { Bench, Measurement } from './measurement.ts'

export interface Limits {
  readonly clock: Clock
  readonly within: Millis
  readonly say: (line: string) => void
}

/** What the bench measured; past the deadline a Fault `bench.late` with the last that it said. What it began goes on: end the process. */
export async function measureInTime(bench: Bench, { clock, within, say }: Limits): Promise<readonly Measurement[]> {
  let last = 'nothing'
  const late = Promise.withResolvers<never>()
  const cancel = clock.wakeAt(after(clock.now(), within), () => {
    const says = `it did not end within ${within / 1000} s; the last that it said was: ${last}`
    late.reject(
      new Fault('bench.late', { doing: 'measure', on: bench.name, says, mend: `npm run bench -- --only ${bench.name}` }),
    )
  })
  const note = (line: string) => {
    last = line
    say(line)
  }
  try {
    return await Promise.race([bench.measure(note), late.promise])
  } finally {
    cancel()
  }
}
