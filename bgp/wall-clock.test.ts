/** The clock on the wall jumps: sessions and timers do not see it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cancel, Clock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'
import { Cluster, learnedText, peerOf, routes } from './testing/cluster.ts'

const HOUR_MS = 3_600_000

/** A cluster's own clock with a wall that anybody may turn. */
class TurnedClock implements Clock {
  readonly #inner: Clock
  turnedByMs = 0

  constructor(inner: Clock) {
    this.#inner = inner
  }

  now(): Instant {
    return this.#inner.now()
  }

  wall(): Date {
    return new Date(this.#inner.wall().getTime() + this.turnedByMs)
  }

  wakeAt(at: Instant, wake: () => void): Cancel {
    return this.#inner.wakeAt(at, wake)
  }
}

for (const [what, jumpMs] of [
  ['forward', HOUR_MS],
  ['back', -HOUR_MS],
] as const)
  test(`an hour ${what}: no session expires, no route goes; P0: silence for the hold time ends them all the same`, async () => {
    const cluster = new Cluster()
    const clock = new TurnedClock(cluster.clock)
    const [a, b] = [await cluster.member('192.0.2.1', { clock }), await cluster.member('192.0.2.2', { clock })]
    a.speaker.originate(routes('10.0.1.0/26'))
    cluster.mesh(a, b)
    cluster.run(5)
    const before = peerOf(b, a)
    assert.deepEqual([before.state, learnedText(b)], ['established', ['10.0.1.0/26 via 192.0.2.1']])

    clock.turnedByMs = jumpMs
    cluster.run(600)
    const later = peerOf(b, a)
    assert.deepEqual([later.state, later.flaps, later.since], ['established', 0, before.since])
    assert.equal(later.sinceMillis, before.sinceMillis + 600_000)
    assert.deepEqual(learnedText(b), ['10.0.1.0/26 via 192.0.2.1'])

    cluster.network.cut(a.address, b.address)
    cluster.run(15)
    assert.equal(peerOf(b, a).state, 'established', 'nor does it expire early')
    cluster.run(17)
    assert.notEqual(peerOf(b, a).state, 'established', 'P0')
    assert.deepEqual(learnedText(b), [])
  })

test('stale routes live their 120 s, whatever the wall says', async () => {
  const cluster = new Cluster()
  const clock = new TurnedClock(cluster.clock)
  const [a, b] = [await cluster.member('192.0.2.1', { clock }), await cluster.member('192.0.2.2', { clock })]
  a.speaker.originate(routes('10.0.1.0/26'))
  cluster.mesh(a, b)
  cluster.run(5)
  cluster.network.crash(a.address)
  cluster.run(60)
  clock.turnedByMs = HOUR_MS
  cluster.run(55)
  assert.deepEqual(learnedText(b), ['10.0.1.0/26 via 192.0.2.1 stale'])
  cluster.run(10)
  assert.deepEqual(learnedText(b), [], 'P0')
})
