/** `--wait` of any change: until agents have heard of it, also where their status says nothing about it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStage, type Stage } from '../testing/stage.ts'
import { statusOf } from '../testing/statuses.ts'

const KEY = '/cali/v1/bgpconfigurations/default'

async function revisionOf(stage: Stage): Promise<string | null> {
  return (await stage.store.get(KEY, stage.options))?.revision ?? null
}

/** Answers as an agent that hears of everything at the third question. */
function late(stage: Stage) {
  let asked = 0
  let now: string | null = null
  return {
    asked: () => asked,
    heardOf: () => {
      asked++
      void revisionOf(stage).then(revision => {
        now = revision
      })
      return { [KEY]: asked < 3 ? 'an earlier one' : now }
    },
  }
}

test('what is created, changed and deleted is waited for', async () => {
  await using stage = await openStage()
  const agent = late(stage)
  await stage.agent('a', () => statusOf('a'), agent)
  const ended = await stage.calictl('bgp config set asNumber=64600 --wait')
  assert.equal(ended.exit, 0, ended.err)
  assert.ok(agent.asked() >= 3, 'P0: before, a status in sync was enough')
  assert.match(ended.err, /^1 of 1: a after \d\.\d s$/)
})

test('what others wrote meanwhile counts as the change; what is gone has to be gone', async () => {
  await using stage = await openStage()
  let isWritten = false
  let now: string | null = null
  const heardOf = () => {
    if (!isWritten)
      void stage.calictl('bgp config set asNumber=64700').then(async () => {
        now = await revisionOf(stage)
      })
    isWritten = true
    return { [KEY]: now }
  }
  await stage.agent('a', () => statusOf('a'), { heardOf })
  assert.equal((await stage.calictl('bgp config set asNumber=64600 --wait')).exit, 0)
  now = null
  assert.equal((await stage.calictl('delete bgpconfig default --wait')).exit, 0)
})

test('an agent that never hears of it is named when the time is over; one that cannot tell is taken at its status', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => statusOf('a'), { heardOf: () => ({ [KEY]: null }) })
  await stage.agent('b', () => statusOf('b'))
  const ended = await stage.calictl('bgp config set asNumber=64600 --wait --timeout 1')
  assert.equal(ended.exit, 6)
  assert.match(
    ended.err,
    /1 of 2: b after .*\n.*after 1 s, a: it has not heard of BGPConfiguration default as it is now; it is stored/,
  )
})
