/** Update groups: whatever happens, and however slowly a member reads, it holds exactly what it should. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, prefix, toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { type Attributes, NO_ADVERTISE, plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes, fingerprint } from '../attributes/encode.ts'
import type { Source } from '../rib/path.ts'
import { Rib } from '../rib/rib.ts'
import type { Dialect } from '../wire/dialect.ts'
import { decodeUpdate } from '../wire/update.ts'
import { advertised, type Outlet } from './advertise.ts'
import type { Follower } from './change-log.ts'
import type { Held } from './naming.ts'
import { UpdateGroup } from './update-group.ts'

const SELF = { asn: 64512, routerId: ipv4('192.0.2.100') }
const DIALECT: Dialect = { kind: 'internal', asnOctets: 4 }
const OUTLET: Outlet = {
  kind: 'internal',
  localAddress: SELF.routerId,
  localAsn: SELF.asn,
  clusterId: SELF.routerId,
  client: true,
}
const TERMS = { outlet: OUTLET, dialect: DIALECT, longestMessage: 4096 }

/** A reflector with one group of clients, each of which keeps what it hears. */
class Bench {
  readonly rib = new Rib(SELF)
  readonly group = new UpdateGroup(TERMS, this.rib)
  readonly #gone = new Set<number>()
  readonly members = new Map<number, { readonly follower: Follower; readonly held: Map<string, string> }>()

  join(number: number): void {
    if (this.members.has(number)) return
    const { id, address } = client(number)
    this.members.set(number, { follower: this.group.join(this.rib.slotOf(id), address), held: new Map() })
  }

  leave(number: number): void {
    const member = this.members.get(number)
    if (member === undefined) return
    this.group.leave(member.follower)
    this.members.delete(number)
    this.#gone.add(number)
    this.rib.drop(client(number).id)
  }

  settle(): void {
    const { ids, count } = this.rib.decide()
    this.group.absorb(ids, count)
    this.#releaseGone()
    this.rib.tidy(set => this.group.forget(set))
  }

  /** Who left for good gives its number to the next one that comes. */
  #releaseGone(): void {
    for (const number of this.#gone) {
      const { id } = client(number)
      const slot = this.rib.idleSlotOf(id)
      if (this.members.has(number) || slot === undefined) continue
      this.group.forgetSlots(new Set([slot]))
      this.rib.release(id)
    }
    this.#gone.clear()
  }

  /** Reads one load; true while there may be more. */
  read(number: number): boolean {
    const member = this.members.get(number)
    if (member === undefined) return false
    const { slices } = this.group.pull(member.follower)
    for (const slice of slices) replay(member.held, slice)
    return slices.length > 0
  }

  readAll(number: number): void {
    while (this.read(number));
    const member = this.members.get(number)
    if (member !== undefined) assert.ok(this.group.isCurrent(member.follower))
  }

  /** Lets go of a member, which is known to hold exactly what it has read. */
  stall(number: number): void {
    const member = this.members.get(number)
    if (member === undefined) return
    const held = this.group.heldBy(member.follower)
    assert.deepEqual(namesIn(held), [...member.held.keys()].toSorted())
    this.group.retract(member.follower, held)
  }

  /** What a member should hold, by the rules one route at a time. */
  due(number: number): Map<string, string> {
    const due = new Map<string, string>()
    const { id, address } = client(number)
    for (const prefixId of this.rib.chosenIds()) {
      const best = this.rib.bestOf(prefixId)
      const said = best === undefined ? undefined : advertised(best.attributes, best.source, OUTLET, false)
      if (best === undefined || said === undefined || best.source.id === id || said.nextHop === address) continue
      due.set(best.key, fingerprint(said))
    }
    return due
  }

  check(): void {
    for (const [number, { held, follower }] of this.members) {
      this.readAll(number)
      assert.deepEqual(held, this.due(number), `member ${number}`)
      assert.equal(this.group.toldTo(follower.slot), held.size)
    }
  }
}

const MEMBERS = 4
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('say'),
      who: fc.nat(MEMBERS),
      net: fc.nat(7),
      hop: fc.nat(MEMBERS),
      med: fc.nat(1),
      before: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('unsay'), who: fc.nat(MEMBERS), net: fc.nat(7) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('settle') }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('read'), who: fc.nat(MEMBERS) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constantFrom('join', 'leave', 'resend', 'move'), who: fc.nat(MEMBERS) }) },
)

describe('a group', () => {
  test('every member holds what it should and gets no withdrawal for what it has not, in whatever order things happen', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120, size: 'max' }), actions => {
        const bench = new Bench()
        for (let number = 0; number < MEMBERS; number++) bench.join(number)
        for (const step of actions) perform(bench, step)
        bench.settle()
        bench.check()
      }),
      { numRuns: 300 },
    )
  })

  test('a number that passes to another member takes nothing of the old one with it', () => {
    const bench = new Bench()
    bench.join(0)
    bench.join(1)
    bench.rib.announce(client(0), [prefix('10.0.0.0/24')], saying(1, 0))
    bench.settle()
    bench.check()
    const slot = bench.rib.slotOf(client(1).id)
    bench.leave(1)
    bench.settle()
    bench.join(2)
    assert.equal(bench.rib.slotOf(client(2).id), slot)
    bench.check()
    assert.deepEqual([...(bench.members.get(2)?.held.keys() ?? [])], ['10.0.0.0/24'])
  })

  test('a member that stops reading is let go of, costs no memory, and is right when it reads again', () => {
    const bench = new Bench()
    bench.join(0)
    bench.join(1)
    bench.join(2)
    const nets = Array.from({ length: 3000 }, (_, index) => toPrefix(toIpv4(0x0a000000 + index * 256), 24))
    bench.rib.announce(client(0), nets, saying(3, 0))
    bench.settle()
    bench.check()
    for (let round = 0; round < 11_000; round++) {
      const at = round % nets.length
      if (round < 1000) bench.rib.withdraw(client(0).id, nets.slice(at, at + 1))
      else bench.rib.announce(client(0), nets.slice(at - (at % 2), at + 1), saying(3, round))
      bench.settle()
      bench.readAll(1)
    }
    const stalled = bench.members.get(2)
    assert.ok(stalled !== undefined && !bench.group.isCurrent(stalled.follower))
    assert.ok(bench.group.lagging < 2 << 20, `${bench.group.lagging} octets kept for it`)
    bench.check()
  })

  test('a member that stalls in the middle of a long dump is held to what it has read of it', () => {
    const bench = new Bench()
    const nets = Array.from({ length: 120_000 }, (_, index) => toPrefix(toIpv4(0x0a000000 + index * 256), 24))
    bench.rib.announce(client(0), nets, saying(3, 0))
    bench.settle()
    bench.join(1)
    assert.ok(bench.read(1))
    const read = bench.members.get(1)?.held.size ?? 0
    assert.ok(read > 0 && read < nets.length, `${read} read`)
    bench.stall(1)
    bench.rib.withdraw(client(0).id, nets.slice(0, 200))
    bench.rib.withdraw(client(0).id, nets.slice(-200))
    bench.settle()
    assert.ok(bench.read(1))
    bench.stall(1)
    bench.check()
  })

  test('ten thousand changes that a member has not read are not ten thousand batches for ever', () => {
    const bench = new Bench()
    bench.join(0)
    bench.join(1)
    for (let round = 0; round < 11_000; round++) {
      bench.rib.announce(client(0), [prefix('10.0.0.0/24')], saying(3, round))
      bench.settle()
    }
    assert.ok(bench.group.lagging < 2 << 20)
    bench.check()
  })

  test('numbers of attribute sets that are given again mean what they mean now', () => {
    const bench = new Bench()
    bench.join(0)
    bench.join(1)
    const nets = Array.from({ length: 40 }, (_, index) => toPrefix(toIpv4(0x0a000000 + index * 256), 24))
    for (let round = 0; round < 9000; round++) {
      const attributes = { ...saying(2 + (round % 2), round), communities: round % 5 === 1 ? [NO_ADVERTISE] : [] }
      const block = encodeAttributes(attributes, DIALECT)
      const set = round % 3 === 0 ? bench.rib.sets.skim(client(0), block, 0, block.length) : undefined
      const net = nets[round % nets.length] ?? prefix('10.0.0.0/24')
      if (set === undefined) bench.rib.announce(client(0), [net], attributes)
      else bench.rib.announceField(client(0), set, Uint8Array.of(24, net.address >>> 24, net.address >>> 16, net.address >>> 8))
      bench.settle()
      bench.readAll(0)
      bench.readAll(1)
    }
    assert.ok(bench.rib.sets.size < 8500, 'sets were forgotten on the way')
    bench.check()
  })

  test('messages are full, none is longer than allowed, and the count is right', () => {
    const bench = new Bench()
    bench.join(1)
    const nets = Array.from({ length: 3000 }, (_, index) => toPrefix(toIpv4(0x0a000000 + index * 64), 26))
    bench.rib.announce(client(0), nets, saying(0, 1))
    bench.settle()
    const member = bench.members.get(1)
    assert.ok(member !== undefined)
    const { slices, messages } = bench.group.pull(member.follower)
    const lengths = slices.flatMap(lengthsOf)
    assert.equal(lengths.length, messages)
    assert.ok(lengths.every(length => length <= 4096))
    assert.ok(lengths.slice(0, -1).every(length => length > 4090))
  })

  test('attributes that fit in no message: reported, and withdrawn where told before', () => {
    const bench = new Bench()
    bench.join(1)
    const huge = { ...saying(0, 1), communities: Array.from({ length: 1100 }, (_, index) => index) }
    for (const [attributes, holds] of [
      [huge, 0],
      [saying(0, 1), 1],
      [huge, 0],
    ] as const) {
      bench.rib.announce(client(0), [prefix('10.1.0.0/24')], attributes)
      bench.settle()
      bench.readAll(1)
      assert.equal(bench.members.get(1)?.held.size, holds)
      assert.equal(bench.group.takeOversized().length, holds === 0 ? 1 : 0)
    }
  })

  test('an unchanged route is said once, and again when asked for', () => {
    const bench = new Bench()
    bench.join(1)
    bench.rib.announce(client(0), [prefix('10.1.0.0/24')], saying(0, 1))
    bench.settle()
    assert.equal(bench.read(1), true)
    bench.rib.announce(client(0), [prefix('10.1.0.0/24')], structuredClone(saying(0, 1)))
    bench.settle()
    assert.equal(bench.read(1), false)
    const member = bench.members.get(1)
    if (member !== undefined) bench.group.resend(member.follower)
    assert.equal(bench.read(1), true)
    assert.equal(bench.read(1), false)
  })
})

interface Step {
  readonly is: string
  readonly who?: number
  readonly net?: number
  readonly hop?: number
  readonly med?: number
  readonly before?: boolean
}

function perform(bench: Bench, step: Step): void {
  const { is, who = 0, net = 0, hop = 0, med = 0, before = false } = step
  const named = toPrefix(toIpv4(0x0a000000 + net * 256), 24)
  const member = bench.members.get(who)
  if (is === 'say') bench.rib.announce(client(who), [named], { ...saying(hop, med), ...(before ? REFLECTED_BEFORE : {}) })
  else if (is === 'unsay') bench.rib.withdraw(client(who).id, [named])
  else if (is === 'settle') bench.settle()
  else if (is === 'read') bench.read(who)
  else if (is === 'join') bench.join(who)
  else if (is === 'leave') bench.leave(who)
  else if (member !== undefined && is === 'resend') bench.group.resend(member.follower)
  else if (member !== undefined) bench.group.retract(member.follower, bench.group.heldBy(member.follower))
}

function client(number: number): Source {
  const address = ipv4(`192.0.2.${number + 1}`)
  const cached = CLIENTS.get(number)
  if (cached !== undefined) return cached
  const made: Source = {
    id: formatIpv4(address),
    kind: 'internal',
    name: `client ${number}`,
    address,
    routerId: address,
    localAddress: SELF.routerId,
    client: true,
  }
  CLIENTS.set(number, made)
  return made
}

const CLIENTS = new Map<number, Source>()

/** Two clients that say this of a route are told from each other by nothing that is sent. */
const REFLECTED_BEFORE = { originatorId: ipv4('7.7.7.7'), clusterList: [ipv4('8.8.8.8')] }

/** Points at the client of that number. */
function saying(hop: number, med: number): Attributes {
  return { ...plainAttributes(ipv4(`192.0.2.${hop + 1}`)), localPref: 100, med }
}

function replay(held: Map<string, string>, slice: Uint8Array): void {
  for (let at = 0; at < slice.length; ) {
    const length = ((slice[at + 16] ?? 0) << 8) | (slice[at + 17] ?? 0)
    const verdict = decodeUpdate(slice.subarray(at + 19, at + length), DIALECT)
    assert.ok(verdict.is === 'routes')
    const each = (prefixes: readonly Prefix[], act: (name: string) => void) => {
      for (const one of prefixes) act(formatPrefix(one))
    }
    each(verdict.withdrawn, name => assert.ok(held.delete(name), `${name} was never told`))
    for (const { attributes, prefixes } of verdict.announced) each(prefixes, name => held.set(name, fingerprint(attributes)))
    at += length
  }
}

function namesIn(table: Held): string[] {
  const names: string[] = []
  for (let id = 0; id < table.limit; id++) if (!table.isFree(id)) names.push(formatAnyPrefix(table.prefix(id)))
  return names.toSorted()
}

function lengthsOf(slice: Uint8Array): number[] {
  const lengths: number[] = []
  for (let at = 0; at < slice.length; at += lengths.at(-1) ?? slice.length)
    lengths.push(((slice[at + 16] ?? 0) << 8) | (slice[at + 17] ?? 0))
  return lengths
}
