/** Two ends of a BFD session on one virtual clock: handshake, timers, silence, loss, and an end that restarts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { after, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { BFD_STATES, type BfdPacket, decodeBfd, encodeBfd } from './packet.ts'
import { type BfdAction, type BfdEvent, type BfdSession, type BfdTimers, detectionTime, newBfd, stepBfd } from './session.ts'

const FAST: BfdTimers = { minTx: millis(100), minRx: millis(100), multiplier: 3 }
const SLOWER: BfdTimers = { minTx: millis(300), minRx: millis(250), multiplier: 5 }

const packets = fc.record(
  {
    diagnostic: fc.nat(31),
    state: fc.constantFrom(...BFD_STATES),
    poll: fc.boolean(),
    final: fc.boolean(),
    controlPlaneIndependent: fc.boolean(),
    demand: fc.boolean(),
    multiplier: fc.integer({ min: 1, max: 255 }),
    mine: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    yours: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    desiredMinTx: fc.nat(4_000_000).map(millis),
    requiredMinRx: fc.nat(4_000_000).map(millis),
  },
  { noNullPrototype: true },
)

describe('packets', () => {
  test('survive the wire', () => {
    fc.assert(fc.property(packets, packet => assert.deepEqual(decodeBfd(encodeBfd(packet)), packet)))
  })

  test('any octets give a packet or nothing', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), bytes => void decodeBfd(bytes)))
  })

  for (const [what, at, octet] of [
    ['another version', 0, 0x40],
    ['a length beyond the datagram', 3, 25],
    ['a length that is too short', 3, 23],
    ['no multiplier', 2, 0],
    ['authentication', 1, 0xc4],
    ['multipoint', 1, 0xc1],
  ] as const)
    test(`${what} is nothing`, () => {
      const bytes = encodeBfd({ ...SOUND, state: 'up' })
      assert.notEqual(decodeBfd(bytes), undefined)
      bytes[at] = octet
      assert.equal(decodeBfd(bytes), undefined)
    })

  test('without our discriminator it may only be down', () => {
    assert.equal(decodeBfd(encodeBfd({ ...SOUND, state: 'init', yours: 0 })), undefined)
    assert.equal(decodeBfd(encodeBfd({ ...SOUND, state: 'down', yours: 0 }))?.state, 'down')
  })
})

describe('two ends', () => {
  test('come up, at a packet a second at most until then, and end their polls', () => {
    const pair = new Pair(FAST, SLOWER)
    pair.run(millis(3500))
    assert.deepEqual(pair.states, ['up', 'up'])
    assert.deepEqual(
      pair.ends.map(({ session }) => session.polling),
      [false, false],
    )
    assert.equal(detectionTime(pair.a.session, FAST), 5 * 300)
    assert.equal(detectionTime(pair.b.session, SLOWER), 3 * 250)
  })

  test('who is up sends at the slower of what it wants and what the other takes', () => {
    const pair = new Pair(FAST, SLOWER)
    pair.run(millis(5000))
    const before = pair.a.sent
    pair.run(millis(25_000))
    const each = 25_000 / (pair.a.sent - before)
    assert.ok(each >= 250 * 0.75 && each <= 250, `${each} ms`)
  })

  test('silence is a failure after the detection time and not before', () => {
    const pair = new Pair(FAST, FAST)
    pair.run(millis(5000))
    pair.cut = 'both'
    const from = pair.now
    pair.until(() => pair.a.downs.length > 0)
    const took = pair.now - from
    assert.ok(took > 200 && took <= 300, `${took} ms`)
    assert.deepEqual(pair.a.downs, ['expired'])
  })

  test('one way lost: the deaf one says so, and the other goes down with it', () => {
    const pair = new Pair(FAST, FAST)
    pair.run(millis(5000))
    pair.cut = 'to-a'
    pair.run(millis(600))
    assert.deepEqual([pair.a.downs, pair.b.downs], [['expired'], ['told']])
  })

  test('an end that stops on purpose is no failure', () => {
    const pair = new Pair(FAST, FAST)
    pair.run(millis(5000))
    pair.a.feed({ is: 'stop' })
    pair.run(millis(100))
    assert.deepEqual(pair.b.downs, ['administrative'])
  })

  test('an end that restarts with another discriminator is heard, and both come up again', () => {
    const pair = new Pair(FAST, FAST)
    pair.run(millis(5000))
    pair.a.session = newBfd(77)
    pair.a.feed({ is: 'start' })
    pair.run(millis(4000))
    assert.deepEqual(pair.states, ['up', 'up'])
    assert.equal(pair.b.session.theirs, 77)
    assert.deepEqual(pair.b.downs, ['told'])
  })

  test('with any timers, delay and loss that ends: both are up in the end, with nothing to poll, and agree on discriminators', () => {
    const timers = fc.record({
      minTx: fc.integer({ min: 10, max: 2000 }).map(millis),
      minRx: fc.integer({ min: 10, max: 2000 }).map(millis),
      multiplier: fc.integer({ min: 2, max: 10 }),
    })
    fc.assert(
      fc.property(timers, timers, fc.nat(9), fc.nat(90), fc.nat(1000), (a, b, delay, loss, seed) => {
        const pair = new Pair(a, b, { delay: millis(delay), loss: loss / 100, seed })
        pair.run(millis(20_000))
        pair.loss = 0
        pair.run(millis(60_000))
        assert.deepEqual(pair.states, ['up', 'up'])
        assert.deepEqual(
          pair.ends.map(({ session }) => session.polling),
          [false, false],
        )
        assert.deepEqual([pair.a.session.theirs, pair.b.session.theirs], [pair.b.session.mine, pair.a.session.mine])
      }),
      { numRuns: 60 },
    )
  })

  test('without loss an end that is up stays up, whatever the timers', () => {
    const interval = fc.integer({ min: 20, max: 1500 }).map(millis)
    const timers = fc.record({ minTx: interval, minRx: interval, multiplier: fc.integer({ min: 2, max: 5 }) })
    fc.assert(
      fc.property(timers, timers, fc.nat(1000), (a, b, seed) => {
        const pair = new Pair(a, b, { delay: millis(3), loss: 0, seed })
        pair.run(millis(30_000))
        assert.deepEqual([pair.states, pair.a.downs, pair.b.downs], [['up', 'up'], [], []])
      }),
      { numRuns: 60 },
    )
  })
})

const SOUND: BfdPacket = {
  diagnostic: 0,
  state: 'up',
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  multiplier: 3,
  mine: 1,
  yours: 2,
  desiredMinTx: millis(100),
  requiredMinRx: millis(100),
}

interface Weather {
  readonly delay: Millis
  readonly loss: number
  readonly seed: number
}

/** Two ends and what is under way between them. */
class Pair {
  now: Instant = new ManualClock().now()
  cut: 'none' | 'both' | 'to-a' = 'none'
  loss: number
  readonly a: End
  readonly b: End
  readonly #delay: Millis
  readonly #chance: () => number
  #flying: { readonly at: Instant; readonly to: End; readonly bytes: Uint8Array }[] = []

  constructor(a: BfdTimers, b: BfdTimers, { delay, loss, seed }: Weather = { delay: millis(1), loss: 0, seed: 1 }) {
    this.#delay = delay
    this.loss = loss
    this.#chance = seededRandom(seed)
    this.a = new End(newBfd(1), a, this, this.#chance)
    this.b = new End(newBfd(2), b, this, this.#chance)
    for (const end of this.ends) end.feed({ is: 'start' })
  }

  get ends(): readonly End[] {
    return [this.a, this.b]
  }

  get states(): readonly string[] {
    return this.ends.map(({ session }) => session.state)
  }

  carry(from: End, bytes: Uint8Array): void {
    const to = from === this.a ? this.b : this.a
    const isCut = this.cut === 'both' || (this.cut === 'to-a' && to === this.a)
    if (!isCut && this.#chance() >= this.loss) this.#flying.push({ at: after(this.now, this.#delay), to, bytes })
  }

  run(duration: Millis): void {
    const end = after(this.now, duration)
    while (this.#next(end)) this.#happen()
    this.now = end
  }

  until(look: () => boolean): void {
    const end = after(this.now, millis(60_000))
    while (!look() && this.#next(end)) this.#happen()
    assert.ok(look())
  }

  #next(end: Instant): boolean {
    const times = [...this.#flying.map(({ at }) => at), ...this.ends.flatMap(({ due }) => due)]
    const next = times.reduce<Instant | undefined>((first, at) => (first === undefined || at < first ? at : first), undefined)
    if (next === undefined || next > end) return false
    this.now = next > this.now ? next : this.now
    return true
  }

  #happen(): void {
    const arriving = this.#flying.filter(({ at }) => at <= this.now)
    this.#flying = this.#flying.filter(({ at }) => at > this.now)
    for (const { to, bytes } of arriving) {
      const packet = decodeBfd(bytes)
      if (packet !== undefined) to.feed({ is: 'packet', packet })
    }
    for (const end of this.ends) if (end.due.some(at => at <= this.now)) end.feed({ is: 'time' })
  }
}

class End {
  session: BfdSession
  sent = 0
  readonly downs: string[] = []
  readonly #timers: BfdTimers
  readonly #pair: Pair
  readonly #chance: () => number

  constructor(session: BfdSession, timers: BfdTimers, pair: Pair, chance: () => number) {
    this.session = session
    this.#timers = timers
    this.#pair = pair
    this.#chance = chance
  }

  get due(): readonly Instant[] {
    const { sendAt, expiresAt } = this.session
    return [sendAt, expiresAt].filter(at => at !== undefined)
  }

  feed(event: BfdEvent): void {
    const stepped = stepBfd(this.session, event, this.#timers, { now: this.#pair.now, chance: this.#chance() })
    this.session = stepped.session
    for (const action of stepped.actions) this.#perform(action)
  }

  #perform(action: BfdAction): void {
    if (action.is === 'send') {
      this.sent++
      this.#pair.carry(this, encodeBfd(action.packet))
    } else if (action.is === 'down')
      this.downs.push(action.administrative ? 'administrative' : action.why === 1 ? 'expired' : 'told')
  }
}
