/** Groups that hear several paths of a prefix: whatever happens, each member holds what a slow model says, under ids that stay. RFC 7911. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { ipv6, prefix6 } from '@network/base/net/ipv6.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import fc from 'fast-check'
import { type Attributes, plainAttributes } from '../attributes/attributes.ts'
import { fingerprint } from '../attributes/encode.ts'
import type { Path, Source } from '../rib/path.ts'
import { Rib } from '../rib/rib.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import { type Dialect, dialectOut } from '../wire/dialect.ts'
import { type Identified, keyOf } from '../wire/nlri.ts'
import { decodeUpdate } from '../wire/update.ts'
import { advertised, type Outlet } from './advertise.ts'
import type { Follower } from './change-log.ts'
import { UpdateGroup } from './update-group.ts'

const SELF = { asn: 64512, routerId: ipv4('192.0.2.100') }
const OUTLET: Outlet = {
  kind: 'internal',
  localAddress: SELF.routerId,
  localAsn: SELF.asn,
  clusterId: SELF.routerId,
  client: true,
}
const DIALECT: Dialect = { kind: 'internal', asnOctets: 4, addPath: { in: [IPV4_UNICAST], out: [IPV4_UNICAST] } }
const CLIENTS = 4
const NETS = 4
const MODES = ['all', 1, 2] as const
type Mode = (typeof MODES)[number]

interface Member {
  readonly number: number
  readonly mode: Mode
  follower: Follower
  /** Path by prefix and id. */
  readonly held: Map<string, string>
}

/** A reflector whose clients tell several paths, and hear all, the best or two of them. */
class Bench {
  readonly rib = new Rib(SELF)
  readonly groups = new Map(MODES.map(mode => [mode, this.#groupOf(mode)]))
  readonly members: Member[] = []
  /** Under which id each path was told as long as it lived. */
  readonly #ids = new Map<string, string>()

  #groupOf(mode: Mode): UpdateGroup {
    const paths = [{ family: IPV4_UNICAST, most: mode }]
    return new UpdateGroup({ outlet: OUTLET, dialect: DIALECT, longestMessage: 4096, paths }, this.rib)
  }

  group({ mode }: Member): UpdateGroup {
    const group = this.groups.get(mode)
    assert.ok(group !== undefined)
    return group
  }

  join(number: number, mode: Mode): void {
    if (this.members.some(each => each.number === number && each.mode === mode)) return
    const { id, address } = client(number)
    const group = this.groups.get(mode)
    assert.ok(group !== undefined)
    this.members.push({ number, mode, follower: group.join(this.rib.slotOf(id), address), held: new Map() })
  }

  leave(number: number, mode: Mode): void {
    const index = this.members.findIndex(each => each.number === number && each.mode === mode)
    const [member] = index < 0 ? [] : this.members.splice(index, 1)
    if (member !== undefined) this.group(member).leave(member.follower)
  }

  settle(): void {
    const changes = this.rib.decide()
    for (const group of this.groups.values()) {
      const { ids, count } = group.concernOf(changes)
      group.absorb(ids, count)
    }
    this.rib.tidy(set => {
      for (const group of this.groups.values()) group.forget(set)
    })
  }

  read(member: Member): boolean {
    const { slices } = this.group(member).pull(member.follower)
    for (const slice of slices) replay(member.held, slice)
    return slices.length > 0
  }

  check(): void {
    for (const member of this.members) {
      while (this.read(member));
      const told = [...member.held].map(([key, print]) => `${key.split('#')[0]} ${print}`)
      assert.deepEqual(told.toSorted(), due(this.rib, member).toSorted(), `client ${member.number} hears ${member.mode}`)
      assert.equal(this.group(member).toldTo(member.follower.slot), member.held.size)
    }
    this.#checkIds()
  }

  /** Where the same path is told twice, to whomever and whenever, it has the same id. */
  #checkIds(): void {
    const alive = new Set<string>()
    for (let net = 0; net < NETS; net++) {
      const id = this.rib.prefixes.find(netOf(net))
      if (id < 0) continue
      for (const { path, pathId } of this.rib.waysOf(id, Number.POSITIVE_INFINITY, () => true)) {
        const key = `${net} ${path}`
        alive.add(key)
        assert.equal(this.#ids.get(key) ?? `${pathId}`, `${pathId}`)
        this.#ids.set(key, `${pathId}`)
      }
    }
    for (const key of this.#ids.keys()) if (!alive.has(key)) this.#ids.delete(key)
  }
}

const number = fc.nat(CLIENTS - 1)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant('say'),
      number,
      net: fc.nat(NETS - 1),
      pathId: fc.nat(2),
      hop: number,
      med: fc.nat(1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('unsay'), number, net: fc.nat(NETS - 1), pathId: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('settle'), number }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('read'), number, mode: fc.constantFrom(...MODES) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      is: fc.constantFrom('join', 'leave', 'resend', 'move', 'drop', 'stale', 'sweep'),
      number,
      mode: fc.constantFrom(...MODES),
    }),
  },
)

describe('several paths of a prefix', () => {
  test('every member holds what it should, and no withdrawal is of what it has not, in whatever order things happen', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), steps => {
        const bench = new Bench()
        for (let each = 0; each < CLIENTS; each++) for (const mode of MODES) bench.join(each, mode)
        for (const each of steps) perform(bench, each)
        bench.settle()
        bench.check()
      }),
      { numRuns: 300 },
    )
  })

  test('an id stays with its path whatever is said of it, and is not given to the next one', () => {
    const bench = new Bench()
    bench.join(3, 'all')
    const ids = () => [...(bench.members[0]?.held.keys() ?? [])].map(key => key.split('#')[1]).toSorted()
    const say = (pathId: number, med: number) => {
      bench.rib.announce(client(0), [{ ...netOf(0), pathId }], saying(0, med))
      bench.settle()
      bench.check()
    }
    say(7, 0)
    say(9, 0)
    assert.deepEqual(ids(), ['1', '2'])
    say(7, 5)
    assert.deepEqual(ids(), ['1', '2'])
    bench.rib.withdraw(client(0).id, [{ ...netOf(0), pathId: 7 }])
    bench.settle()
    bench.check()
    assert.deepEqual(ids(), ['2'])
    say(7, 5)
    assert.deepEqual(ids(), ['2', '3'])
  })

  test('a family without ids beside one with them hears the best path, bare', () => {
    const { rib } = new Bench()
    const dialect = { ...DIALECT, multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: false } }
    const paths = [{ family: IPV4_UNICAST, most: 'all' }] as const
    const group = new UpdateGroup({ outlet: OUTLET, dialect, longestMessage: 4096, paths }, rib)
    const follower = group.join(rib.slotOf(client(3).id), client(3).address)
    const nextHop6 = { address: ipv6('2001:db8::1'), linkLocal: undefined }
    for (const each of [0, 1]) rib.announce(client(each), [prefix6('2001:db8:1::/48')], { ...saying(each, each), nextHop6 })
    const { ids, count } = group.concernOf(rib.decide())
    group.absorb(ids, count)
    const [slice, ...others] = group.pull(follower).slices
    assert.ok(slice !== undefined && others.length === 0)
    const verdict = decodeUpdate(slice.subarray(19), dialect)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(
      verdict.ipv6.announced.map(({ prefixes, attributes: { med } }) => ({ prefixes: prefixes.map(keyOf), med })),
      [{ prefixes: ['2001:db8:1::/48'], med: 0 }],
    )
    assert.equal(group.toldTo(follower.slot), 1)
  })

  test('those that hear as many paths share a group, whatever they tell themselves', () => {
    const nameOf = (most: Mode, dialect: Dialect) =>
      UpdateGroup.nameOf({
        outlet: OUTLET,
        dialect: dialectOut(dialect),
        longestMessage: 4096,
        paths: [{ family: IPV4_UNICAST, most }],
      })
    const mute: Dialect = { ...DIALECT, addPath: { in: [], out: [IPV4_UNICAST] } }
    assert.equal(nameOf('all', DIALECT), nameOf('all', mute))
    assert.equal(new Set(MODES.map(mode => nameOf(mode, DIALECT))).size, MODES.length)
    const bare = {
      outlet: OUTLET,
      dialect: dialectOut({ ...DIALECT, addPath: { in: [IPV4_UNICAST], out: [] } }),
      longestMessage: 4096,
    }
    assert.equal(UpdateGroup.nameOf(bare), UpdateGroup.nameOf({ ...bare, dialect: { kind: 'internal', asnOctets: 4 } }))
  })

  test('with a pace, a path that fell behind stays told until the better one may be, and one that went goes at once', () => {
    const rib = new Rib(SELF)
    const group = new UpdateGroup(
      {
        outlet: OUTLET,
        dialect: DIALECT,
        longestMessage: 4096,
        paths: [{ family: IPV4_UNICAST, most: 1 }],
        interval: millis(1000),
      },
      rib,
    )
    const follower = group.join(rib.slotOf(client(3).id), client(3).address)
    const held = new Map<string, string>()
    const absorb = (now: number) => {
      const { ids, count } = group.concernOf(rib.decide())
      group.absorb(ids, count, { now: after(new ManualClock().now(), millis(now)), chance: 0.5 })
      for (const slice of group.pull(follower).slices) replay(held, slice)
      return [...held.keys()]
    }
    rib.announce(client(0), [{ ...netOf(0), pathId: 1 }], saying(0, 5))
    assert.deepEqual(absorb(0), ['10.0.0.0/24#1'])
    rib.announce(client(0), [{ ...netOf(0), pathId: 2 }], saying(0, 1))
    assert.deepEqual(absorb(10), ['10.0.0.0/24#1'])
    assert.deepEqual(absorb(2000), ['10.0.0.0/24#2'])
    rib.withdraw(client(0).id, [{ ...netOf(0), pathId: 2 }])
    assert.deepEqual(absorb(2010), [])
    assert.deepEqual(absorb(4000), ['10.0.0.0/24#1'])
  })

  test('messages are full, and none is longer than allowed', () => {
    const bench = new Bench()
    bench.join(3, 'all')
    const nets = Array.from({ length: 2000 }, (_, index) => toPrefix(toIpv4(0x0b000000 + index * 64), 26))
    for (const pathId of [1, 2])
      bench.rib.announce(
        client(0),
        nets.map(net => ({ ...net, pathId })),
        saying(0, 1),
      )
    bench.settle()
    const [member] = bench.members
    assert.ok(member !== undefined)
    const { slices } = bench.group(member).pull(member.follower)
    const lengths = slices.flatMap(lengthsOf)
    assert.ok(lengths.every(length => length <= 4096))
    assert.ok(lengths.slice(0, -1).every(length => length > 4086))
    for (const slice of slices) replay(member.held, slice)
    assert.equal(member.held.size, 2 * nets.length)
    bench.rib.drop(client(0).id)
    bench.settle()
    for (const slice of bench.group(member).pull(member.follower).slices) replay(member.held, slice)
    assert.equal(member.held.size, 0)
  })
})

interface Step {
  readonly is: string
  readonly number: number
  readonly net?: number
  readonly pathId?: number
  readonly hop?: number
  readonly med?: number
  readonly mode?: Mode
}

function perform(bench: Bench, { is, number: who, net = 0, pathId = 0, hop = 0, med = 0, mode = 'all' }: Step): void {
  const { rib } = bench
  const { id } = client(who)
  const named: Identified<Prefix> = { ...netOf(net), pathId }
  const member = bench.members.find(each => each.number === who && each.mode === mode)
  if (is === 'say') rib.announce(client(who), [named], saying(hop, med))
  else if (is === 'unsay') rib.withdraw(id, [named])
  else if (is === 'settle') bench.settle()
  else if (is === 'drop') rib.drop(id)
  else if (is === 'stale') rib.markStale(id)
  else if (is === 'sweep') rib.sweepStale(id)
  else if (is === 'join') bench.join(who, mode)
  else if (is === 'leave') bench.leave(who, mode)
  else if (member === undefined) return
  else if (is === 'read') bench.read(member)
  else if (is === 'resend') bench.group(member).resend(member.follower)
  else bench.group(member).retract(member.follower, bench.group(member).heldBy(member.follower))
}

/** The obvious way: all paths that may be used, the best of them, without those that the member told or is. */
function due(rib: Rib, { number: who, mode }: Member): string[] {
  const { id, address } = client(who)
  const most = mode === 'all' ? Number.POSITIVE_INFINITY : mode
  return Array.from({ length: NETS }, (_, net) => rib.paths(keyOf(netOf(net)))).flatMap(paths =>
    paths
      .filter(({ standing }) => standing.is === 'usable')
      .toSorted(byPreference)
      .slice(0, most)
      .filter(({ source, attributes }) => source.id !== id && attributes.nextHop !== address)
      .map(({ key, attributes, source }) => `${key} ${printOf(advertised(attributes, source, OUTLET, false))}`),
  )
}

function printOf(attributes: Attributes | undefined): string {
  return attributes === undefined ? '' : fingerprint(attributes)
}

function byPreference(a: Path, b: Path): number {
  return (
    (a.attributes.med ?? 0) - (b.attributes.med ?? 0) ||
    Number(a.source.address) - Number(b.source.address) ||
    (a.pathId ?? 0) - (b.pathId ?? 0)
  )
}

function netOf(net: number): Prefix {
  return toPrefix(toIpv4(0x0a000000 + net * 256), 24)
}

const SOURCES = Array.from({ length: CLIENTS }, (_, each): Source => {
  const address = ipv4(`192.0.2.${each + 1}`)
  const routerId = address
  const id = formatIpv4(address)
  return { id, kind: 'internal', name: id, address, routerId, localAddress: SELF.routerId, client: true, pathIds: [IPV4_UNICAST] }
})

function client(which: number): Source {
  const source = SOURCES[which]
  assert.ok(source !== undefined)
  return source
}

function saying(hop: number, med: number): Attributes {
  return { ...plainAttributes(ipv4(`192.0.2.${hop + 1}`)), localPref: 100, med }
}

function replay(held: Map<string, string>, slice: Uint8Array): void {
  for (const { from, to } of cut(slice)) {
    const verdict = decodeUpdate(slice.subarray(from + 19, to), DIALECT)
    assert.ok(verdict.is === 'routes')
    for (const path of verdict.withdrawn) assert.ok(held.delete(keyOf(path)), `${keyOf(path)} was never told`)
    for (const { attributes, prefixes } of verdict.announced)
      for (const path of prefixes) {
        assert.ok(path.pathId !== undefined && path.pathId > 0)
        held.set(keyOf(path), fingerprint(attributes))
      }
  }
}

function lengthsOf(slice: Uint8Array): number[] {
  return [...cut(slice)].map(({ from, to }) => to - from)
}

function* cut(slice: Uint8Array): Generator<{ readonly from: number; readonly to: number }, void, void> {
  for (let from = 0; from < slice.length; ) {
    const to = from + (((slice[from + 16] ?? 0) << 8) | (slice[from + 17] ?? 0))
    yield { from, to }
    from = to
  }
}
