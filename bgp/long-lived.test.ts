/** Routes that outlive the restart time as the last resort: what is kept, for how long, and who hears of it. RFC 9494. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { LLGR_STALE, NO_LLGR, plainAttributes } from './attributes/attributes.ts'
import { encodeAttributes } from './attributes/encode.ts'
import type { LongLived, SpeakerOptions } from './options.ts'
import { formatCommunity } from './policy/community-pattern.ts'
import { Cluster, type Member, meshPeer, peerOf, routes } from './testing/cluster.ts'
import { RawPeer } from './testing/raw-peer.ts'
import { IPV4_UNICAST } from './wire/capabilities.ts'
import { encodeAnnouncement, encodeEndOfRib } from './wire/update.ts'

const US = ipv4('192.0.2.1')
const AWAY = ipv4('192.0.2.66')
const RESTART_TIME = 120
const LONG_TIME = 3600
const LONG: LongLived = { staleTime: seconds(LONG_TIME) }
const INSIDE_TOO: LongLived = { ...LONG, lastResortInside: true }

/** What the peer that comes and goes says of itself. */
interface Greeting {
  readonly forwarding: boolean
  /** What it says of RFC 9494; undefined: nothing. */
  readonly long: { readonly forwarding: boolean; readonly staleTime: number } | undefined
  readonly restartTime?: number
}

const PROMISE: Greeting = { forwarding: true, long: { forwarding: true, staleTime: LONG_TIME } }

/** Us, a peer outside that comes and goes, and those who hear of it through us: in our AS and outside, taking part and not. */
class Story {
  readonly cluster = new Cluster()
  readonly us: Member
  readonly hearers: readonly (readonly [name: string, member: Member])[]
  #peer: RawPeer | undefined

  private constructor(us: Member, hearers: Story['hearers'], cluster: Cluster) {
    this.us = us
    this.hearers = hearers
    this.cluster = cluster
  }

  static async begin(longLived: LongLived | undefined): Promise<Story> {
    const cluster = new Cluster()
    const us = await cluster.member('192.0.2.1', optionsWith(longLived))
    const hearers = await Promise.all(
      (['outside', 'inside'] as const).flatMap((where, side) =>
        ([LONG, undefined] as const).map(async (takes, index): Promise<readonly [string, Member]> => {
          const asn = where === 'outside' ? 65010 + index : 64512
          const member = await cluster.member(`192.0.2.${10 + 2 * side + index}`, { ...optionsWith(takes), asn })
          member.speaker.setPeers([meshPeer(US, member.address)])
          return [`${where}${takes === undefined ? '' : ', taking part'}`, member]
        }),
      ),
    )
    us.speaker.setPeers([
      { ...meshPeer(AWAY, US), asn: 65001, passive: true },
      ...hearers.map(([name, { address }], index) => ({
        ...meshPeer(address, US),
        asn: name.startsWith('outside') ? 65010 + index : 64512,
      })),
    ])
    cluster.run(10)
    return new Story(us, hearers, cluster)
  }

  greet({ forwarding, long, restartTime = RESTART_TIME }: Greeting): void {
    const peer = new RawPeer()
    peer.dial(this.cluster.network.host(AWAY), US, AWAY)
    this.cluster.run(1)
    peer.greet(
      { myAs: 65001, routerId: AWAY, holdTime: seconds(0) },
      {
        fourOctetAs: 65001,
        gracefulRestart: {
          restarting: true,
          notification: false,
          restartTime: seconds(restartTime),
          families: [{ ...IPV4_UNICAST, forwarding }],
        },
        ...(long === undefined
          ? {}
          : { longLived: [{ ...IPV4_UNICAST, forwarding: long.forwarding, staleTime: seconds(long.staleTime) }] }),
      },
    )
    this.#peer = peer
    this.cluster.run(1)
  }

  tell(key: string, ...communities: readonly number[]): void {
    const attributes = { ...plainAttributes(AWAY), asPath: [{ kind: 'sequence' as const, asns: [65001] }], communities }
    this.#peer?.say(encodeAnnouncement(encodeAttributes(attributes, { kind: 'external', asnOctets: 4 }), [prefix(key)]))
    this.cluster.run(1)
  }

  end(): void {
    this.#peer?.say(encodeEndOfRib(IPV4_UNICAST))
    this.cluster.run(1)
  }

  lose(): void {
    this.#peer?.hangUp()
    this.cluster.run(1)
  }

  /** What each hearer holds: prefix, LOCAL_PREF where it is not 100, and communities. */
  heard(): Readonly<Record<string, readonly string[]>> {
    const lines = ({ speaker }: Member) =>
      [...speaker.learned()].map(
        ([
          key,
          {
            attributes: { localPref = 100, communities },
          },
        ]) => [key, ...(localPref === 100 ? [] : [`local-pref ${localPref}`]), ...communities.map(formatCommunity)].join(' '),
      )
    return Object.fromEntries(this.hearers.map(([name, member]) => [name, lines(member).toSorted()]))
  }
}

function optionsWith(longLived: LongLived | undefined): Partial<SpeakerOptions> {
  const base = { restartTime: seconds(RESTART_TIME), restarting: false, deferral: millis(60_000) }
  return { gracefulRestart: longLived === undefined ? base : { ...base, longLived } }
}

const NET = '10.1.0.0/24'
const everybody = (...lines: readonly string[]) => ({
  outside: lines,
  'outside, taking part': lines,
  inside: lines,
  'inside, taking part': lines,
})

describe('a peer that stays away', () => {
  test('its routes stay as the last resort after the restart time, and go when the long time is over', async () => {
    const story = await Story.begin(LONG)
    story.greet(PROMISE)
    story.tell(NET)
    story.end()
    story.lose()
    story.cluster.run(RESTART_TIME - 10)
    assert.deepEqual(story.heard(), everybody(NET), 'nobody hears of it before')
    assert.equal(peerOf(story.us, { ...story.us, address: AWAY }).gracefulRestart.longLived, false)
    story.cluster.run(20)
    const stale = [`${NET} llgr-stale`]
    assert.deepEqual(story.heard(), { ...everybody(), 'outside, taking part': stale, 'inside, taking part': stale })
    assert.equal(peerOf(story.us, { ...story.us, address: AWAY }).gracefulRestart.longLived, true)
    story.cluster.run(LONG_TIME - 30)
    assert.deepEqual(story.heard()['inside, taking part'], stale)
    story.cluster.run(40)
    assert.deepEqual(story.heard(), everybody())
    assert.equal(story.us.speaker.status().peers[0]?.gracefulRestart.helping, false)
  })

  test('inside, those who take no part may hear of it as the last resort of all', async () => {
    const story = await Story.begin(INSIDE_TOO)
    story.greet(PROMISE)
    story.tell(NET)
    story.lose()
    story.cluster.run(RESTART_TIME + 10)
    assert.deepEqual(story.heard(), {
      outside: [],
      'outside, taking part': [`${NET} llgr-stale`],
      inside: [`${NET} local-pref 0 llgr-stale no-export`],
      'inside, taking part': [`${NET} llgr-stale`],
    })
  })

  test('any other path wins, however bad; why names it', async () => {
    const story = await Story.begin(LONG)
    story.greet(PROMISE)
    story.tell(NET)
    const [, other] = story.hearers.find(([name]) => name === 'inside, taking part') ?? []
    assert.ok(other !== undefined)
    other.speaker.originate(routes(NET))
    story.cluster.run(1)
    const verdicts = () =>
      story.us.speaker.explain(NET).paths.map(({ from, verdict }) => [from, verdict.is === 'lost' ? verdict.by : verdict.is])
    assert.deepEqual(verdicts(), [
      ['192.0.2.12', 'best'],
      ['192.0.2.66', 'as-path-length'],
    ])
    story.us.speaker.setPeers([
      { ...meshPeer(AWAY, US), asn: 65001, passive: true, weight: 50 },
      ...story.hearers.map(([name, { address }], index) => ({
        ...meshPeer(address, US),
        asn: name.startsWith('outside') ? 65010 + index : 64512,
      })),
    ])
    story.cluster.run(1)
    assert.deepEqual(verdicts()[0], ['192.0.2.66', 'best'], 'P0: a weight makes it the best while it is fresh')
    story.lose()
    story.cluster.run(RESTART_TIME + 10)
    assert.deepEqual(verdicts(), [
      ['192.0.2.12', 'best'],
      ['192.0.2.66', 'long-lived-stale'],
    ])
  })

  test('NO_LLGR: the route goes with the restart time', async () => {
    const story = await Story.begin(LONG)
    story.greet(PROMISE)
    story.tell(NET, NO_LLGR)
    story.tell('10.2.0.0/24')
    story.lose()
    story.cluster.run(RESTART_TIME + 10)
    assert.deepEqual(story.heard()['inside, taking part'], ['10.2.0.0/24 llgr-stale'])
  })

  test('a restart time of 0: the last resort at once', async () => {
    const story = await Story.begin(LONG)
    story.greet({ ...PROMISE, restartTime: 0 })
    story.tell(NET)
    story.lose()
    assert.deepEqual(story.heard()['inside, taking part'], [`${NET} llgr-stale`])
  })

  test('without the capability on either side its routes go with the restart time', async () => {
    for (const [ours, its] of [
      [undefined, PROMISE],
      [LONG, { ...PROMISE, long: undefined }],
    ] as const) {
      const story = await Story.begin(ours)
      story.greet(its)
      story.tell(NET)
      story.lose()
      story.cluster.run(RESTART_TIME - 10)
      assert.deepEqual(story.heard(), everybody(NET))
      story.cluster.run(20)
      assert.deepEqual(story.heard(), everybody())
    }
  })

  test('a route that came as the last resort is one here too, and goes to none but those who take part', async () => {
    const story = await Story.begin(LONG)
    story.greet(PROMISE)
    story.tell(NET, LLGR_STALE)
    const stale = [`${NET} llgr-stale`]
    assert.deepEqual(story.heard(), { ...everybody(), 'outside, taking part': stale, 'inside, taking part': stale })
  })
})

type Event =
  | { readonly is: 'greet'; readonly greeting: Greeting }
  | { readonly is: 'tell'; readonly key: string; readonly forbids: boolean }
  | { readonly is: 'end' | 'lose' }
  | { readonly is: 'pass'; readonly seconds: number }

const OPENING: readonly Event[] = [
  { is: 'greet', greeting: PROMISE },
  { is: 'tell', key: NET, forbids: false },
]
const forwarding = fc.boolean()
const greeting: fc.Arbitrary<Greeting> = fc.record({
  forwarding,
  long: fc.option(fc.record({ forwarding, staleTime: fc.constant(LONG_TIME) }), { nil: undefined, freq: 4 }),
})
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ is: fc.constant('greet' as const), greeting }) },
  {
    weight: 3,
    arbitrary: fc.record({ is: fc.constant('tell' as const), key: fc.constantFrom(NET, '10.2.0.0/24'), forbids: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant({ is: 'end' as const }) },
  { weight: 2, arbitrary: fc.constant({ is: 'lose' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({ is: fc.constant('pass' as const), seconds: fc.constantFrom(30, 115, 130, 1800, 3590, 4000) }),
  },
)

type Held = { readonly forbids: boolean; readonly is: 'fresh' | 'stale' | 'long' }

/** What RFC 4724 and RFC 9494 say that we hold of the peer; timers run a little late, as ours do. */
class Model {
  readonly held = new Map<string, Held>()
  now = 0
  #session: Greeting | undefined
  #until: number | undefined
  #isLong = false
  #longTime: number | undefined

  get isUp(): boolean {
    return this.#session !== undefined
  }

  greet(greeting: Greeting): void {
    const isFaithful = this.#isLong ? greeting.long?.forwarding === true : greeting.forwarding
    if (!isFaithful) this.#drop()
    this.#session = greeting
    if (this.#until !== undefined && !this.#isLong) this.#wait(RESTART_TIME)
    if (!this.#isLong) this.#longTime = undefined
  }

  tell(key: string, forbids: boolean): void {
    this.held.set(key, { forbids, is: 'fresh' })
  }

  end(): void {
    this.#drop()
  }

  lose(): void {
    this.#drop()
    for (const [key, route] of this.held) this.held.set(key, { ...route, is: 'stale' })
    this.#longTime = this.#session?.long?.staleTime
    this.#session = undefined
    this.#wait(RESTART_TIME)
  }

  pass(duration: number): void {
    this.now += duration
    while (this.#until !== undefined && this.#until <= this.now) this.#ring(this.#until)
  }

  #ring(at: number): void {
    if (this.#isLong || this.#longTime === undefined) {
      this.#drop()
      return
    }
    for (const [key, route] of this.held)
      if (route.is === 'stale' && route.forbids) this.held.delete(key)
      else if (route.is === 'stale') this.held.set(key, { ...route, is: 'long' })
    this.#isLong = true
    this.#until = at + this.#longTime + 0.01
  }

  #wait(duration: number): void {
    this.#until = this.now + duration + 0.01
  }

  #drop(): void {
    for (const [key, { is }] of this.held) if (is !== 'fresh') this.held.delete(key)
    this.#until = undefined
    this.#isLong = false
  }

  /** Routes as a hearer sees them. */
  seen(takesPart: boolean, isInside: boolean, lastResortInside: boolean): readonly string[] {
    const lines = [...this.held].flatMap(([key, { is, forbids }]) => {
      const said = [key, ...(forbids ? ['no-llgr'] : [])]
      if (is !== 'long') return [said.join(' ')]
      if (takesPart) return [[...said, 'llgr-stale'].join(' ')]
      return isInside && lastResortInside ? [[key, 'local-pref 0', 'llgr-stale', 'no-export'].join(' ')] : []
    })
    return lines.toSorted()
  }
}

describe('whatever the peer does', () => {
  for (const ours of [LONG, INSIDE_TOO])
    test(`all hold what the model says${ours.lastResortInside === true ? ', those inside who take no part too' : ''}`, async () => {
      const reached = new Set<string>()
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 4, maxLength: 25 }), async events => {
          const story = await Story.begin(ours)
          const model = new Model()
          for (const each of [...OPENING, ...events]) {
            play(each, story, model)
            for (const [name, seen] of Object.entries(story.heard())) {
              const takesPart = name.endsWith('taking part')
              assert.deepEqual(seen, model.seen(takesPart, name.startsWith('inside'), ours.lastResortInside === true), name)
            }
            for (const { is } of model.held.values()) reached.add(is)
          }
        }),
        { numRuns: 100 },
      )
      assert.deepEqual([...reached].toSorted(), ['fresh', 'long', 'stale'], 'P0: the events lead everywhere')
    })
})

function play(what: Event, story: Story, model: Model): void {
  if (what.is === 'pass') {
    story.cluster.run(what.seconds)
    model.pass(what.seconds)
    return
  }
  if (model.isUp !== (what.is !== 'greet')) return
  switch (what.is) {
    case 'greet':
      story.greet(what.greeting)
      model.pass(1)
      model.greet(what.greeting)
      break
    case 'tell':
      story.tell(what.key, ...(what.forbids ? [NO_LLGR] : []))
      model.tell(what.key, what.forbids)
      break
    case 'end':
      story.end()
      model.end()
      break
    case 'lose':
      story.lose()
      model.lose()
      break
    default:
      what satisfies never
  }
  model.pass(1)
}
