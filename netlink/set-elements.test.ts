import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { type ElementChange, SetElements } from './set-elements.ts'
import { ackOf, message, ScriptedChannel } from './testing/scripted-channel.ts'
import type { MessageHeader } from './wire.ts'

const BATCH_BEGIN = 0x10
const NEW_ELEMENT = 0x0a0c
const ENOENT = 2

const ADD: ElementChange = { set: 'nodes', verb: 'add', key: [{ is: 'address', address: ipv4('10.0.0.1') }] }
const DELETE: ElementChange = { set: 'nodes', verb: 'delete', key: [{ is: 'address', address: ipv4('10.0.0.2') }] }

/** A kernel that refuses the messages of a transaction at these places, and has the elements that are asked for in this order. */
function kernel(has: readonly boolean[], refuses: readonly number[] = []): ScriptedChannel {
  const answers = has.values()
  return new ScriptedChannel(sent => {
    const [first] = sent
    if (first === undefined) return []
    if (first.type === BATCH_BEGIN)
      return sent.flatMap((each, at) =>
        refuses.includes(at) ? [ackOf(each, ENOENT)] : at === sent.length - 2 ? [ackOf(each)] : [],
      )
    return answers.next().value === true ? [element(first), ackOf(first)] : [ackOf(first, ENOENT)]
  })
}

function element({ sequence }: MessageHeader): Uint8Array {
  return message({ type: NEW_ELEMENT, flags: 0, sequence, port: 1 }, writer => writer.u32(0))
}

test('what was carried out is looked at, each element by itself', () => {
  const channel = kernel([true, false])
  assert.equal(new SetElements(channel, 'cali').change([ADD, DELETE]), true)
  assert.deepEqual(
    channel.sends.map(sent => sent.length),
    [4, 1, 1],
  )
  assert.equal(new SetElements(kernel([false]), 'cali').change([ADD]), false, 'not there after all')
  assert.equal(new SetElements(kernel([true]), 'cali').change([DELETE]), false, 'still there')
})

test('a refusal of any part is one of all', () => {
  for (const place of [0, 1, 2])
    assert.equal(new SetElements(kernel([true, false], [place]), 'cali').change([ADD, DELETE]), false)
})

test('where nothing is to be changed the kernel, which would not answer, is not asked', () => {
  const channel = kernel([])
  assert.equal(new SetElements(channel, 'cali').change([]), true)
  assert.deepEqual(channel.sends, [])
})

test('a kernel that is silent has refused', () => {
  assert.equal(new SetElements(new ScriptedChannel(() => []), 'cali').change([ADD]), false)
  assert.equal(new SetElements(new ScriptedChannel(() => ['overrun']), 'cali').change([ADD]), false)
})
