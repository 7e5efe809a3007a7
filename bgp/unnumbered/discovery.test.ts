/** Router discovery on a link in memory: who is told of whom, how often, and what is not believed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv6, type Ipv6, ipv6 } from '@network/base/net/ipv6.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { encodeAdvertisement, encodeSolicitation, kindOf } from './advertisement.ts'
import { Discovery, type HeardOn, type Icmp, type Seeking } from './discovery.ts'

const [NEAR, FAR] = [ipv6('fe80::1'), ipv6('fe80::2')]

describe('two that watch one link', () => {
  test('see each other at once, whoever came first', () => {
    const link = new Link()
    const near = link.end(NEAR)
    link.run(30)
    assert.equal(near.seen.length, 0)
    const far = link.end(FAR)
    link.run(0.6)
    assert.deepEqual([near.seen.includes('fe80::2'), far.seen.includes('fe80::1')], [true, true])
  })

  test('advertise themselves every ten seconds from then on, and answer each other no oftener than every three', () => {
    const link = new Link()
    link.end(NEAR)
    link.end(FAR)
    link.run(10)
    const before = link.said
    link.run(100)
    assert.ok(link.said - before >= 20 && link.said - before <= 70, `${link.said - before} messages`)
  })

  test('find each other again within two seconds once one is lost and the cable is back', () => {
    const link = new Link()
    const near = link.end(NEAR)
    const far = link.end(FAR)
    link.run(5)
    link.isCut = true
    for (const { seeking } of [near, far]) seeking.again()
    link.run(7.3)
    const [nearBefore, farBefore] = [near.seen.length, far.seen.length]
    link.isCut = false
    link.run(2)
    assert.ok(near.seen.length > nearBefore && far.seen.length > farBefore)
  })

  test('an interface that is not there is tried every second; nothing is left when nobody watches', () => {
    const link = new Link()
    link.trouble = 'there is no interface eth1'
    const near = link.end(NEAR)
    link.run(5)
    assert.equal(link.said, 0)
    link.trouble = undefined
    link.run(1)
    assert.ok(link.said > 0)
    near.seeking.close()
    assert.equal(link.open, 0)
    const { said } = link
    link.run(30)
    assert.equal(link.said, said)
  })
})

describe('what is not believed', () => {
  for (const [name, from, message] of [
    ['an advertisement from no link-local address', ipv6('2001:db8::2'), encodeAdvertisement()],
    ['one of another code', FAR, Uint8Array.of(134, 1, ...new Uint8Array(14))],
    ['one cut short', FAR, encodeAdvertisement().subarray(0, 15)],
    ['one with an option of no length', FAR, Uint8Array.of(...encodeAdvertisement(), 1, 0, 0, 0, 0, 0, 0, 0)],
    ['one whose option overruns', FAR, Uint8Array.of(...encodeAdvertisement(), 1, 2, 0, 0, 0, 0, 0, 0)],
    ['a question', FAR, encodeSolicitation()],
  ] as const)
    test(name, () => {
      const link = new Link()
      const near = link.end(NEAR)
      link.tell(from, message)
      assert.deepEqual(near.seen, [])
      link.tell(FAR, Uint8Array.of(...encodeAdvertisement(), 1, 1, 2, 2, 2, 2, 2, 2))
      assert.deepEqual(near.seen, ['fe80::2'], 'the control: one with the address of its interface')
    })

  test('any octets give a verdict', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), octets => void kindOf(octets)))
    assert.deepEqual([encodeAdvertisement(), encodeSolicitation()].map(kindOf), ['advertisement', 'solicitation'])
  })
})

interface End {
  readonly seen: readonly string[]
  readonly seeking: Seeking
}

class Link {
  isCut = false
  trouble: string | undefined
  said = 0
  open = 0
  readonly #clock = new ManualClock()
  readonly #ears = new Map<Ipv6, HeardOn>()

  end(address: Ipv6): End {
    const discovery = new Discovery(this.#clock, seededRandom(3), heard => this.#icmp(address, heard))
    const seen: string[] = []
    const seeking = discovery.watch('eth1', from => seen.push(formatIpv6(from)))
    return { seen, seeking }
  }

  run(duration: number): void {
    this.#clock.advance(millis(duration * 1000))
  }

  tell(from: Ipv6, message: Uint8Array): void {
    for (const [address, heard] of this.#ears) if (address !== from) heard('eth1', from, message)
  }

  #icmp(address: Ipv6, heard: HeardOn): Icmp {
    this.#ears.set(address, heard)
    this.open++
    return {
      send: (_device, _to, message) => {
        if (this.trouble !== undefined) return this.trouble
        this.said++
        if (!this.isCut) this.tell(address, message)
        return undefined
      },
      close: () => {
        this.#ears.delete(address)
        this.open--
      },
    }
  }
}
