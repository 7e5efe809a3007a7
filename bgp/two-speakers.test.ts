/** Two speakers, one clock, and a seed that delays, loses, cuts, half-opens, kills and stalls: in the end each knows what the other announces. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Millis, millis, seconds } from '@network/base/time/units.ts'
import { Cluster, learnedText, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'

const SEEDS = 300
const STEPS = 12
const ADDRESSES = ['192.0.2.1', '192.0.2.2'] as const
const NETS = 6

describe('two speakers', () => {
  const tally = { collisions: 0, half: 0, losses: 0, cuts: 0, deaths: 0, stalls: 0, kept: 0 }

  for (let group = 0; group < 10; group++)
    test(`seeds ${(group * SEEDS) / 10 + 1} to ${((group + 1) * SEEDS) / 10} agree in the end, whatever the network did`, async () => {
      for (let seed = (group * SEEDS) / 10 + 1; seed <= ((group + 1) * SEEDS) / 10; seed++) await new Story(seed, tally).tell()
    })

  test('all of it happened: collisions, half-open streams, losses, cuts, deaths, stalls, and routes kept over them', () => {
    for (const [what, count] of Object.entries(tally)) assert.ok(count > SEEDS / 5, `${what}: ${count}`)
  })

  test('a seed tells the same story again', async () => {
    for (const seed of [1, 77, 299]) {
      const first = await new Story(seed, tally).tell()
      assert.deepEqual(await new Story(seed, tally).tell(), first)
      assert.ok(first.length > STEPS)
    }
  })
})

type Tally = Record<'collisions' | 'half' | 'losses' | 'cuts' | 'deaths' | 'stalls' | 'kept', number>

class Story {
  readonly #seed: number
  readonly #random: Random
  readonly #tally: Tally
  readonly #lines: string[] = []
  readonly #cluster: Cluster
  readonly #gracefully: boolean
  readonly #owned: [ReadonlySet<string>, ReadonlySet<string>] = [new Set(), new Set()]
  #longest = 1
  #members: Member[] = []

  constructor(seed: number, tally: Tally) {
    this.#seed = seed
    this.#tally = tally
    this.#random = seededRandom(seed)
    this.#gracefully = this.#random() < 0.7
    this.#cluster = new Cluster({ seed, latency: () => this.#latency() })
  }

  /** All that happened, in lines; an assertion names the seed. */
  async tell(): Promise<readonly string[]> {
    for (const which of [0, 1] as const) this.#members.push(await this.#born(which, false))
    for (let step = 0; step < STEPS; step++) {
      await this.#happen()
      this.#run(this.#random() * 30)
    }
    this.#calm()
    this.#cluster.run(600)
    this.#agree()
    return this.#lines
  }

  async #happen(): Promise<void> {
    const [a, b] = this.#members
    assert.ok(a !== undefined && b !== undefined)
    const which = this.#random() < 0.5 ? 0 : 1
    const [near, far] = which === 0 ? [a, b] : [b, a]
    const { network } = this.#cluster
    const event = Math.floor(this.#random() * 10)
    this.#lines.push(`event ${event} at ${formatIpv4(near.address)}`)
    switch (event) {
      case 0:
        this.#longest = [1, 20, 500, 3000][Math.floor(this.#random() * 4)] ?? 1
        return
      case 1:
        this.#tally.losses++
        return network.lose(near.address, far.address, 'both')
      case 2:
        this.#tally.half++
        return network.lose(near.address, far.address, 'first')
      case 3:
        this.#tally.cuts++
        return network.cut(near.address, far.address)
      case 4:
        return network.mend(near.address, far.address)
      case 5:
      case 6:
        this.#tally.deaths++
        if (event === 5) network.crash(near.address)
        else network.powerOff(near.address)
        this.#run(this.#random() * 5)
        this.#members[which] = await this.#born(which, true)
        return
      case 7: {
        this.#tally.stalls++
        network.sleep(near.address)
        this.#run(this.#random() * 15)
        return network.wake(near.address)
      }
      case 8:
        near.speaker.clear(far.address, { is: 'hard', words: '' })
        return
      default:
        this.#own(which)
    }
  }

  /** Both dial at once. */
  async #born(which: 0 | 1, restarting: boolean): Promise<Member> {
    const [here, there] = which === 0 ? ADDRESSES : [ADDRESSES[1], ADDRESSES[0]]
    const member = await this.#cluster.member(here, {
      gracefulRestart: { restartTime: seconds(this.#gracefully ? 120 : 0), restarting, deferral: millis(60_000) },
      ...(this.#gracefully && this.#seed % 2 === 0 ? { keepOverNotification: true } : {}),
    })
    member.speaker.onChange(change => {
      if (this.#cluster.network.streams >= 2) this.#tally.collisions++
      if (change.is === 'peer') this.#lines.push(`${this.#cluster.clock.now()} ${here} ${change.state}`)
      else this.#lines.push(`${this.#cluster.clock.now()} ${here} ${change.prefixes.join()}`)
    })
    member.speaker.originate(routes(...this.#owned[which]))
    const paced = this.#seed % 3 === 0 ? { advertisementInterval: millis(8000) } : {}
    member.speaker.setPeers([{ ...meshPeer(ipv4(there), ipv4(here)), dialAfter: millis(0), ...paced }])
    return member
  }

  #own(which: 0 | 1): void {
    const nets = Array.from({ length: NETS }, (_, net) => `10.${which}.${net}.0/24`).filter(() => this.#random() < 0.5)
    this.#owned[which] = new Set(nets)
    this.#members[which]?.speaker.originate(routes(...nets))
  }

  /** Nobody ever knows what the other never said, and connections do not pile up. */
  #run(duration: number): void {
    this.#cluster.run(duration)
    for (const [which, member] of this.#members.entries()) {
      const foreign = `10.${1 - which}.`
      for (const line of learnedText(member)) assert.ok(line.startsWith(foreign), `seed ${this.#seed}: ${line}`)
      if (learnedText(member).some(line => line.endsWith('stale'))) this.#tally.kept++
    }
    const { streams } = this.#cluster.network
    assert.ok(streams <= 8, `seed ${this.#seed}: ${streams} streams`)
  }

  #calm(): void {
    const [a, b] = this.#members
    if (a !== undefined && b !== undefined) this.#cluster.network.mend(a.address, b.address)
    this.#longest = 1
  }

  #agree(): void {
    const [a, b] = this.#members
    assert.ok(a !== undefined && b !== undefined)
    for (const [near, far, theirs] of [
      [a, b, this.#owned[1]],
      [b, a, this.#owned[0]],
    ] as const) {
      const why = `seed ${this.#seed}, at ${formatIpv4(near.address)}`
      assert.equal(peerOf(near, far).state, 'established', why)
      const due = [...theirs].sort().map(net => `${net} via ${formatIpv4(far.address)}`)
      assert.deepEqual(learnedText(near), due, why)
      const told = [...far.speaker.adjOut(near.address)].length
      assert.deepEqual([told, [...near.speaker.adjIn(far.address)].length], [due.length, due.length], why)
    }
    assert.equal(this.#cluster.network.streams, 1, `seed ${this.#seed}`)
  }

  #latency(): Millis {
    return millis(1 + Math.floor(this.#random() * this.#longest))
  }
}
