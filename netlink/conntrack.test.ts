import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, type Ipv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { Conntrack } from './conntrack.ts'
import { ackOf, doneOf, message, ScriptedChannel } from './testing/scripted-channel.ts'
import { FLAG, type MessageHeader, writeAttribute } from './wire.ts'

const NEW = 0x100
const GET = 0x101
const NESTED = 0x8000
const ENOENT = 2
const FIRST = ipv4('10.0.0.0')

/** A connection from an address to 192.0.2.1, as the kernel lists it. */
function tracked({ sequence }: MessageHeader, source: Ipv4): Uint8Array {
  return message({ type: NEW, flags: 2, sequence, port: 1 }, writer => {
    writer.u32(0)
    for (const [direction, ends] of [
      [1, [source, ipv4('192.0.2.1')]],
      [2, [ipv4('192.0.2.1'), source]],
    ] as const)
      writeAttribute(writer, direction | NESTED, tuple =>
        writeAttribute(tuple, 1 | NESTED, addresses =>
          ends.forEach((end, at) => void writeAttribute(addresses, at + 1, value => value.u32be(end))),
        ),
      )
  })
}

/** A kernel that tracks one connection from each of so many addresses. */
function kernel(count: number): ScriptedChannel {
  return new ScriptedChannel(([first]) => {
    if (first === undefined) return []
    if (first.type !== GET) return [ackOf(first, ENOENT)]
    assert.equal(first.flags & FLAG.dump, FLAG.dump)
    return [...Array.from({ length: count }, (_, at) => tracked(first, toIpv4(FIRST + at))), doneOf(first)]
  })
}

test('of a long list others get their turn in between, and what is meant is forgotten', async () => {
  const channel = kernel(1000)
  using conntrack = new Conntrack(channel)
  let turns = 0
  const counting = (async () => {
    while (!channel.closed) {
      await new Promise(resolve => setImmediate(resolve))
      turns++
    }
  })()
  assert.equal(await conntrack.forget(address => formatIpv4(address).startsWith('10.0.1.')), 256)
  assert.ok(turns >= 20, `${turns} turns of others`)
  assert.equal(
    channel.sends.length,
    257,
    'one list, and a request for each that is meant; those that ended meanwhile are as well',
  )
  conntrack[Symbol.dispose]()
  await counting
})

test('a kernel that tracks nothing has nothing to forget', async () => {
  using conntrack = new Conntrack(new ScriptedChannel(([first]) => (first === undefined ? [] : [ackOf(first, ENOENT)])))
  assert.equal(await conntrack.forget(() => true), 0)
})

test('a kernel that is silent is a fault', async () => {
  using conntrack = new Conntrack(new ScriptedChannel(() => []))
  await assert.rejects(
    conntrack.forget(() => true),
    /cannot list connections: the kernel did not answer whole/,
  )
})
