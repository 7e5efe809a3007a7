import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cursor } from '@network/base/bytes/cursor.ts'
import { Writer } from '@network/base/bytes/writer.ts'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix, toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { toIfIndex } from './link.ts'
import { formatRoute, PROTOCOL, type Route, type RouteType, SCOPE, toRoute } from './route.ts'
import { RouteListReader, rowsOf as rowsOfRuns } from './route-list.ts'
import { addRoute, deleteRoute, RoutePattern, readRoute, replaceRoute, writeRoute } from './route-message.ts'
import { fixture, readFixtures, toHex } from './testing/fixtures.ts'
import { bodyOf } from './testing/scripted-channel.ts'
import { eachMessage, FLAG, type Instruction, TYPE, writeInstruction, writeMessage } from './wire.ts'

const requests = readFixtures('requests')
const answers = readFixtures('answers')
const v0 = toIfIndex(3)
const gateway = ipv4('10.0.0.2')

const local = toRoute({ destination: prefix('10.1.0.0/24'), device: v0, protocol: 80, metric: 1024 })
const remote = toRoute({ destination: prefix('10.1.2.0/26'), gateway, device: v0, onlink: true, protocol: 80, metric: 1024 })
const block = toRoute({ type: 'blackhole', destination: prefix('10.244.7.0/26'), protocol: 80, metric: 1024 })
const defaultRoute = toRoute({ destination: prefix('0.0.0.0/0'), gateway, source: ipv4('10.0.0.1'), device: v0 })
const elsewhere = toRoute({
  destination: prefix('10.3.0.0/16'),
  gateway,
  table: 1000,
  device: v0,
  mtu: 1400,
  protocol: PROTOCOL.static,
})
const several = toRoute({
  destination: prefix('10.4.0.0/16'),
  protocol: 80,
  multipath: [
    { gateway, device: v0, onlink: false, weight: 1 },
    { gateway: ipv4('10.0.0.3'), device: v0, onlink: true, weight: 5 },
  ],
})

for (const { command, instruction, route } of [
  { command: 'ip route add 10.1.0.0/24 dev v0 proto 80 scope link metric 1024', instruction: addRoute, route: local },
  {
    command: 'ip route replace 10.1.2.0/26 via 10.0.0.2 dev v0 onlink proto 80 metric 1024',
    instruction: replaceRoute,
    route: remote,
  },
  { command: 'ip route add blackhole 10.244.7.0/26 proto 80 metric 1024', instruction: addRoute, route: block },
  { command: 'ip route add default via 10.0.0.2 src 10.0.0.1 dev v0', instruction: addRoute, route: defaultRoute },
  {
    command: 'ip route add 10.3.0.0/16 via 10.0.0.2 table 1000 dev v0 mtu 1400 proto static',
    instruction: addRoute,
    route: elsewhere,
  },
  {
    command: 'ip route add 10.4.0.0/16 proto 80 nexthop via 10.0.0.2 dev v0 weight 1 nexthop via 10.0.0.3 dev v0 weight 5 onlink',
    instruction: addRoute,
    route: several,
  },
]) {
  test(`what we send is what \`${command}\` sends`, () => {
    const sent = fixture(requests, command)
    assertSends(instruction(route), sent)
    assert.deepEqual(readRoute(bodyCursor(sent)), route)
  })
}

test('a deletion is read and written back to the same bytes', () => {
  const sent = fixture(requests, 'ip route delete 10.1.2.0/26 via 10.0.0.2 dev v0 proto 80 metric 1024')
  const read = readRoute(bodyCursor(sent))
  assert.ok(read)
  assert.equal(read.scope, SCOPE.nowhere)
  assert.equal(toHex(bodyOf(writer => writeRoute(writer, read)).rest()), toHex(sent.subarray(16)))
})

test('the kernel’s list of table main is read whole', () => {
  const rows = rowsOf(fixture(answers, 'ip -4 route show table main'))
  assert.deepEqual(
    rows.map(row => formatRoute(row, index => (index === v0 ? 'v0' : undefined))),
    [
      'default via 10.0.0.2 dev v0 proto 3',
      '10.0.0.0/24 dev #2 proto 2',
      '10.0.0.0/24 dev v0 proto 2',
      '10.1.0.0/24 dev v0 proto 80 metric 1024',
      '10.1.2.0/26 via 10.0.0.2 dev v0 onlink proto 80 metric 1024',
      '10.4.0.0/16 proto 80 nexthop via 10.0.0.2 dev v0 weight 1 nexthop via 10.0.0.3 dev v0 onlink weight 5',
      '10.6.0.0/16 via 10.0.0.2 dev v0 proto 3',
      '10.7.0.0/16 dev v0 proto 3',
      '10.8.0.0/24 dev v0 proto 2',
      'blackhole 10.244.7.0/26 proto 80 metric 1024',
    ],
  )
  for (const ours of [local, remote, several, block]) assert.deepEqual(rowWith(rows, ours), ours)
})

test('a row that says more than its fields can is marked', () => {
  const rows = rowsOf(fixture(answers, 'ip -4 route show table main'))
  const marked = rows.filter(row => row.unmodelled.length > 0).map(row => [formatRoute(row), row.unmodelled])
  assert.deepEqual(marked, [
    ['10.6.0.0/16 via 10.0.0.2 dev #3 proto 3', [8]],
    ['10.7.0.0/16 dev #3 proto 3', [18]],
  ])
})

test('a table above 255 is read from its attribute', () => {
  assert.deepEqual(rowsOf(fixture(answers, 'ip -4 route show table 1000')), [elsewhere])
})

test('a lookup tells gateway, device and source', () => {
  const [row] = rowsOf(fixture(answers, 'ip route get 10.1.2.3'))
  assert.deepEqual(
    [row?.gateway, row?.device, row?.source, row?.destination, row?.unmodelled],
    [gateway, v0, ipv4('10.0.0.1'), prefix('10.1.2.3/32'), []],
  )
})

const anyAddress = fc.integer({ min: 0, max: 0xffffffff }).map(toIpv4)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const index = fc.integer({ min: 1, max: 0x7fffffff }).map(toIfIndex)
const octet = fc.nat({ max: 255 })
const hop = { gateway: maybe(anyAddress), device: maybe(index), onlink: fc.boolean() }
const types: RouteType[] = ['unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw']
const anyRoute: fc.Arbitrary<Route> = fc.record(
  {
    ...hop,
    type: fc.constantFrom(...types),
    destination: fc.tuple(anyAddress, fc.nat({ max: 32 })).map(([from, length]) => toPrefix(from, length)),
    table: fc.integer({ min: 1, max: 0xffffffff }),
    protocol: octet,
    scope: octet,
    metric: fc.nat(),
    tos: octet,
    source: maybe(anyAddress),
    mtu: maybe(fc.nat()),
    multipath: fc.array(fc.record({ ...hop, weight: fc.integer({ min: 1, max: 256 }) }, { noNullPrototype: true }), {
      maxLength: 3,
    }),
    dead: fc.constant(false),
    unmodelled: fc.constant([]),
  },
  { noNullPrototype: true },
)

test('property: a route comes back as it was written', () => {
  fc.assert(
    fc.property(anyRoute, written => {
      assert.deepEqual(readRoute(bodyOf(writer => writeRoute(writer, written))), written)
    }),
  )
})

test('property: a list is read as its rows are one by one, however much they are alike, from a buffer that is used again', () => {
  // Small changes to one row: most lists of ours are so.
  const alike = fc.tuple(anyRoute, fc.array(fc.tuple(anyAddress, fc.nat(3), fc.boolean()), { minLength: 1, maxLength: 30 }))
  const rowsAlike = alike.map(([row, changes]) =>
    changes.map(([address, metric, keepsLength]) => ({
      ...row,
      metric: metric === 0 ? 7 : row.metric,
      destination: toPrefix(address, keepsLength ? row.destination.length : (address >>> 8) % 33),
    })),
  )
  fc.assert(
    fc.property(fc.oneof(rowsAlike, fc.array(anyRoute, { maxLength: 10 })), rows => {
      const reader = new RouteListReader()
      const buffer = new Uint8Array(16 << 10)
      // Several datagrams, each in the same place as the one before.
      for (let from = 0; from < rows.length; from += 7) {
        const writer = new Writer('host')
        for (const row of rows.slice(from, from + 7))
          writeMessage(writer, { type: TYPE.newRoute, flags: 0, sequence: 1, port: 1 }, body => writeRoute(body, row))
        buffer.fill(0xff).set(writer.peek())
        reader.take(buffer.subarray(0, writer.length), ({ type }) => type === TYPE.newRoute)
      }
      const seen = rowsOfRuns(reader.rows)
      assert.deepEqual(seen, rows)
    }),
  )
})

test('property: what a pattern writes and says is what an instruction made for the route itself does', () => {
  const alone = { add: addRoute, replace: replaceRoute, delete: deleteRoute }
  fc.assert(
    fc.property(anyRoute, anyAddress, fc.constantFrom('add', 'replace', 'delete'), (like, address, act) => {
      const pattern = new RoutePattern(act, like)
      const destination = toPrefix(address, like.destination.length)
      const instruction = alone[act]({ ...like, destination })
      assert.deepEqual([pattern.doing, pattern.describe(destination)], [instruction.doing, instruction.on()])
      const [patterned, written] = [new Writer('host'), new Writer('host')]
      // Behind something else, as in a batch.
      for (const writer of [patterned, written]) writer.u32(7)
      pattern.write(patterned, destination, 42)
      writeInstruction(written, instruction, 42)
      assert.equal(toHex(patterned.finish()), toHex(written.finish()))
    }),
  )
})

function assertSends(instruction: Instruction, sent: Uint8Array): void {
  eachMessage(sent, ({ type, flags }) => {
    assert.deepEqual([instruction.type, instruction.flags | FLAG.request | FLAG.ack], [type, flags])
  })
  assert.equal(toHex(bodyOf(instruction.write).rest()), toHex(sent.subarray(16)))
}

function bodyCursor(datagram: Uint8Array): Cursor {
  return new Cursor(datagram.subarray(16), 'host')
}

function rowsOf(datagram: Uint8Array): Route[] {
  const rows: Route[] = []
  eachMessage(datagram, ({ type, body }) => {
    const row = type === TYPE.newRoute ? readRoute(body) : undefined
    if (row !== undefined) rows.push(row)
  })
  return rows
}

function rowWith(rows: readonly Route[], like: Route): Route | undefined {
  return rows.find(row => keyOf(row) === keyOf(like))
}

/** What the kernel takes two rows to be one by: a second row with the same key replaces the first. */
function keyOf({ destination, table, metric, tos }: Route): string {
  return `${formatPrefix(destination)} table ${table} metric ${metric} tos ${tos}`
}
