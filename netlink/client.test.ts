import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { prefix, toPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { NetlinkClient } from './client.ts'
import { toIfIndex } from './link.ts'
import { readEvents } from './monitor.ts'
import { type Route, toRoute } from './route.ts'
import { replaceRoute, writeRoute } from './route-message.ts'
import { fixture, readFixtures } from './testing/fixtures.ts'
import { ackOf, doneOf, message, type Script, ScriptedChannel } from './testing/scripted-channel.ts'
import { FLAG, type MessageHeader, TYPE } from './wire.ts'

const EPERM = 1
const route = toRoute({ destination: prefix('10.1.2.0/26'), gateway: ipv4('10.0.0.2'), device: toIfIndex(3), protocol: 80 })

test('only the last message of a batch asks to be acknowledged, and each refusal finds its instruction', () => {
  const channel = new ScriptedChannel(sent => [ackOf(at(sent, 1), EPERM), ackOf(at(sent, 2))])
  const outcomes = new NetlinkClient(channel).performAll([route, route, route].map(replaceRoute))
  assert.deepEqual(
    outcomes.map(outcome => outcome.is),
    ['done', 'refused', 'done'],
  )
  assert.deepEqual(
    channel.sends.map(sent => sent.map(({ flags }) => (flags & FLAG.ack) !== 0)),
    [[false, false, true]],
  )
})

test('a refused last message is its acknowledgement too', () => {
  const client = new NetlinkClient(new ScriptedChannel(sent => [ackOf(at(sent, 0), EPERM)]))
  assert.throws(
    () => client.perform(replaceRoute(route)),
    (thrown: unknown) =>
      thrown instanceof Fault &&
      thrown.code === 'netlink.refused' &&
      thrown.detail.errno === 'EPERM' &&
      thrown.detail.on === '10.1.2.0/26 via 10.0.0.2 dev #3 proto 80',
  )
})

test('a batch is no larger than its refusals fit into the receive buffer', () => {
  const channel = new ScriptedChannel(sent => [ackOf(at(sent, sent.length - 1))], 100 * 2048)
  const routes = Array.from({ length: 250 }, (_, n) => ({ ...route, destination: toPrefix(toIpv4(n * 64), 26) }))
  assert.equal(new NetlinkClient(channel).performAll(routes.map(replaceRoute)).length, 250)
  assert.deepEqual(
    channel.sends.map(sent => sent.length),
    [100, 100, 50],
  )
})

test('a list that was interrupted is asked for again', () => {
  let tries = 0
  const channel = new ScriptedChannel(([sent]) => {
    tries++
    if (sent === undefined) return []
    return tries === 1
      ? [rowOf(sent, route, FLAG.dumpInterrupted), doneOf(sent, FLAG.dumpInterrupted)]
      : [rowOf(sent, route), doneOf(sent)]
  })
  assert.deepEqual(new NetlinkClient(channel).routes(), [route])
  assert.equal(channel.sends.length, 2)
})

test('a list that is always interrupted is a fault', () => {
  const channel = new ScriptedChannel(([sent]) => (sent === undefined ? [] : [doneOf(sent, FLAG.dumpInterrupted)]))
  assert.throws(() => new NetlinkClient(channel).routes(), hasCode('netlink.interrupted'))
  assert.equal(channel.sends.length, 10)
})

for (const { name, script, code } of [
  { name: 'lost answers', script: () => ['overrun' as const], code: 'netlink.overrun' },
  { name: 'silence', script: () => [], code: 'netlink.silent' },
] satisfies { name: string; script: Script; code: string }[]) {
  test(`${name} is a fault`, () => {
    assert.throws(() => new NetlinkClient(new ScriptedChannel(script)).links(), hasCode(code))
  })
}

test('answers to an exchange given up are not taken for those of the next', () => {
  let sends = 0
  const channel = new ScriptedChannel(([sent]) => {
    if (sent === undefined) return []
    return ++sends === 1 ? ['overrun', rowOf(sent, route), doneOf(sent)] : [rowOf(sent, route), doneOf(sent)]
  })
  const client = new NetlinkClient(channel)
  assert.throws(() => client.routes(), hasCode('netlink.overrun'))
  assert.deepEqual(client.routes(), [route])
})

test('the client closes its channel', () => {
  const channel = new ScriptedChannel(() => [])
  {
    using _ = new NetlinkClient(channel)
  }
  assert.equal(channel.closed, true)
})

test('a socket that nobody may instruct still lists links and finds none by a wrong name', () => {
  using client = NetlinkClient.open()
  const lo = client.links().find(link => link.loopback)
  assert.equal(lo?.name, 'lo')
  assert.deepEqual(client.link('lo')?.index, lo?.index)
  assert.equal(client.link('no-such-link'), undefined)
})

test('events are read from what the kernel sends', () => {
  const events = readEvents(fixture(readFixtures('answers'), 'ip -4 neighbour show'))
  assert.deepEqual(
    events.map(event => event.is),
    ['neighbour'],
  )
})

test('an event that makes no sense counts as lost events', () => {
  assert.deepEqual(
    readEvents(Uint8Array.of(9, 0, 0, 0)).map(event => event.is),
    ['overrun'],
  )
})

function at(sent: readonly MessageHeader[], index: number): MessageHeader {
  return sent[index] ?? assert.fail(`only ${sent.length} messages were sent`)
}

function rowOf(request: MessageHeader, row: Route, flags = 0): Uint8Array {
  return message({ type: TYPE.newRoute, flags, sequence: request.sequence, port: 1 }, writer => writeRoute(writer, row))
}

function hasCode(code: string): (thrown: unknown) => boolean {
  return thrown => thrown instanceof Fault && thrown.code === code
}
