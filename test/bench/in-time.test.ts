import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { measureInTime } from './in-time.ts'
import type { Measurement } from './measurement.ts'

const measured: Measurement[] = [{ what: 'a thing', value: 1, unit: 'ms', runs: 1 }]

test('a bench that ends in time gives what it measured', async () => {
  const clock = new ManualClock()
  const heard: string[] = []
  const measure = async (say: (line: string) => void) => {
    say('round 1')
    return measured
  }
  const limits = { clock, within: millis(1000), say: (line: string) => void heard.push(line) }
  assert.deepEqual(await measureInTime({ name: 'quick', measure }, limits), measured)
  assert.deepEqual(heard, ['round 1'])
})

test('one that does not is given up with the last that it said', async () => {
  const clock = new ManualClock()
  const measure = (say: (line: string) => void) => {
    say('round 3 of 7')
    return new Promise<never>(() => undefined)
  }
  const outcome = measureInTime({ name: 'slow', measure }, { clock, within: millis(1000), say: () => undefined })
  clock.advance(millis(1000))
  await assert.rejects(
    outcome,
    (thrown: unknown) => thrown instanceof Fault && /measure slow: it did not end within 1 s.*round 3 of 7/.test(thrown.message),
  )
})
