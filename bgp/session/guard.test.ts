/** TCP MD5 and GTSM on loopback, by the kernel itself: two transports, right keys, wrong ones, and keys that change. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AnyAddress, anyAddress } from '@network/base/net/any-address.ts'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { Secret } from '@network/base/run/secret.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import { tcpTransport } from './tcp.ts'
import type { Guard, Listening, Wire, WireListener } from './transport.ts'

const FAMILIES = [
  { loopback: '127.0.0.1', host: '127.0.0.1/32', wider: '127.0.0.0/8' },
  { loopback: '::1', host: '::1/128', wider: '::/64' },
] as const
const transport = tcpTransport(systemClock)
const signed = (text: string): Guard => ({ password: new Secret(text) })

for (const { loopback, host, wider } of FAMILIES) {
  describe(`TCP MD5 at ${loopback}`, () => {
    for (const range of [host, wider])
      test(`the same key for ${range}: octets pass; another one, and none: nobody is there`, async () => {
        await using ends = await Ends.listen(anyAddress(loopback))
        ends.listening.expect([{ range: anyPrefix(range), guard: signed('right') }])
        const { near, far } = await ends.meet(signed('right'))
        near.wire.send(Uint8Array.of(1, 2, 3))
        assert.deepEqual(await far.next(), [1, 2, 3])
        for (const guard of [signed('wrong'), {}]) assert.equal(await ends.isHeard(guard), false)
        assert.equal(await ends.isHeard(signed('right')), true, 'the control')
      })

    test('a key changes on both ends while the stream stands; on one end only, nothing passes until the other follows', async () => {
      await using ends = await Ends.listen(anyAddress(loopback))
      ends.listening.expect([{ range: anyPrefix(host), guard: signed('old') }])
      const { near, far } = await ends.meet(signed('old'))
      assert.equal(far.wire.guard(signed('old')), undefined)
      assert.equal(near.wire.guard(signed('new')), undefined)
      near.wire.send(Uint8Array.of(7))
      const arrival = far.next()
      assert.equal(
        await Promise.race([arrival, ends.isHeard(signed('old'))]),
        true,
        'a new stream stands before the octet is there',
      )
      assert.equal(far.wire.guard(signed('new')), undefined)
      assert.deepEqual(await arrival, [7])
      ends.listening.expect([{ range: anyPrefix(host), guard: signed('new') }])
      assert.equal(await ends.isHeard(signed('new')), true)
      assert.equal(await ends.isHeard(signed('old')), false)
    })

    test('a key that is taken away on both ends leaves the stream as it is', async () => {
      await using ends = await Ends.listen(anyAddress(loopback))
      ends.listening.expect([{ range: anyPrefix(host), guard: signed('old') }])
      const { near, far } = await ends.meet(signed('old'))
      far.wire.guard(signed('old'))
      far.wire.guard({})
      near.wire.guard({})
      near.wire.send(Uint8Array.of(9))
      assert.deepEqual(await far.next(), [9])
      ends.listening.expect([])
      assert.equal(await ends.isHeard({}), true)
    })
  })

  describe(`TTL security at ${loopback}`, () => {
    test('who sends with less than the full TTL is not heard', async () => {
      await using ends = await Ends.listen(anyAddress(loopback))
      const guard: Guard = { ttl: 255, minTtl: 255 }
      ends.listening.expect([{ range: anyPrefix(host), guard }])
      const { near, far } = await ends.meet(guard)
      assert.equal(far.wire.guard(guard), undefined)
      near.wire.send(Uint8Array.of(1))
      assert.deepEqual(await far.next(), [1])
      assert.equal(near.wire.guard({ ttl: 254, minTtl: 255 }), undefined)
      near.wire.send(Uint8Array.of(2))
      const arrival = far.next()
      assert.equal(await Promise.race([arrival, ends.isHeard(guard)]), true)
      assert.equal(near.wire.guard(guard), undefined)
      assert.deepEqual(await arrival, [2])
    })
  })

  test(`a device that is not there is told in words, at ${loopback}`, async () => {
    await using ends = await Ends.listen(anyAddress(loopback))
    const says = await new Promise<string>((failed, wrong) => {
      const opened = () => wrong(new Error('opened')) ?? DEAF
      transport.dial(
        ends.listening.endpoint,
        undefined,
        { opened, failed: reason => failed(reason.says) },
        { device: 'nowhere0' },
      )
    })
    assert.match(says, /ENODEV/)
  })
}

interface End {
  readonly wire: Wire
  next(): Promise<readonly number[]>
}

class Ends implements AsyncDisposable {
  readonly listening: Listening
  readonly #wires: Wire[] = []
  readonly #waiting: ((end: End) => void)[]

  private constructor(listening: Listening, waiting: ((end: End) => void)[]) {
    this.listening = listening
    this.#waiting = waiting
  }

  static async listen(host: AnyAddress): Promise<Ends> {
    const waiting: ((end: End) => void)[] = []
    const accept = (wire: Wire) => heard(wire, waiting.shift() ?? (() => undefined))
    return new Ends(await transport.listen({ address: host, port: 0 }, accept), waiting)
  }

  async meet(guard: Guard): Promise<{ readonly near: End; readonly far: End }> {
    const accepted = new Promise<End>(resolve => this.#waiting.push(resolve))
    const dialled = new Promise<End>((resolve, reject) => {
      const opened = (wire: Wire) => heard(wire, resolve)
      transport.dial(
        this.listening.endpoint,
        this.listening.endpoint.address,
        { opened, failed: ({ says }) => reject(new Error(says)) },
        guard,
      )
    })
    const [near, far] = await Promise.all([dialled, accepted])
    this.#wires.push(near.wire, far.wire)
    return { near, far }
  }

  /** Whether a dial is answered before long; what nobody hears stays so, and each test has one that is heard. */
  async isHeard(guard: Guard): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancel = systemClock.wakeAt(laterBy(400), () => resolve(false))
    const opened = (wire: Wire) => {
      this.#wires.push(wire)
      resolve(true)
      return DEAF
    }
    const dial = transport.dial(
      this.listening.endpoint,
      this.listening.endpoint.address,
      { opened, failed: () => resolve(false) },
      guard,
    )
    const answer = await promise
    cancel()
    if (!answer) dial.cancel()
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#wires.map(wire => wire.close()))
    await this.listening.close()
  }
}

function heard(wire: Wire, tell: (end: End) => void): WireListener {
  const octets: number[] = []
  let waiting: ((octets: readonly number[]) => void) | undefined
  const next = () =>
    new Promise<readonly number[]>(resolve => {
      if (octets.length > 0) resolve(octets.splice(0))
      else waiting = resolve
    })
  tell({ wire, next })
  return {
    ...DEAF,
    data(bytes) {
      octets.push(...bytes)
      if (waiting !== undefined) waiting(octets.splice(0))
      waiting = undefined
    },
  }
}

function laterBy(duration: number): Instant {
  return after(systemClock.now(), millis(duration))
}

const nothing = () => undefined
const DEAF: WireListener = { data: nothing, drained: nothing, lost: nothing }
