/** `--watch` of commands that ask agents. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { openStage } from '../testing/stage.ts'
import { routeOf, statusOf } from '../testing/statuses.ts'

test('what changed is printed again, what did not is not, and the reader may go', async () => {
  await using stage = await openStage()
  const clock = new ManualClock()
  const gone = new AbortController()
  const asked: number[] = []
  let round = 0
  const next = () => {
    asked.push(++round)
    return statusOf('a', { routes: [routeOf(round < 3 ? '10.1.7.0/26' : '10.1.8.0/26')] })
  }
  await stage.agent('a', next)
  const printed: string[] = []
  const twice = Promise.withResolvers<void>()
  const out = (text: string) => {
    printed.push(text)
    if (printed.length === 2) twice.resolve()
  }
  const watching = stage.calictl('route get --watch', { out, clock, readerGone: gone.signal })
  const ticking = (async () => {
    while (printed.length < 2) {
      await new Promise(resolve => setImmediate(resolve))
      const at = clock.next()
      if (at !== undefined) clock.advance(at)
    }
  })()
  await twice.promise
  await ticking
  gone.abort()
  assert.equal((await watching).exit, 0)
  assert.match(printed[0] ?? '', /10\.1\.7\.0\/26/)
  assert.match(printed[1] ?? '', /^\n[\s\S]*10\.1\.8\.0\/26/)
  assert.deepEqual(asked.slice(0, 3), [1, 2, 3])
})
