/** What is laid over the datastore's word stays until that says the same, or for ten seconds after it was told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { WORKLOAD_ENDPOINT, type WorkloadEndpoint } from '@network/model/resources/workload-endpoint.ts'
import { endpointOf } from '../workload/names.ts'
import { Overlay } from './overlay.ts'

test('a pod that came is there before the news of it and does not go when it is told', () => {
  const { overlay, base, seen } = stage()
  const came = pod('new', 'one')
  overlay.show(came)
  assert.deepEqual(seen(), ['new one'])
  overlay.told(came)
  assert.deepEqual(seen(), ['new one'], 'the news are on their way')
  put(base, came)
  overlay.baseChanged()
  assert.deepEqual(seen(), ['new one'])
  base.clear()
  overlay.baseChanged()
  assert.deepEqual(seen(), [], 'from then on the datastore’s word counts')
})

test('a pod that went does not come back with old news; its next sandbox does', () => {
  const { overlay, base, seen } = stage()
  const went = pod('web', 'one')
  put(base, went)
  overlay.hide(went)
  assert.deepEqual(seen(), [])
  overlay.told(went)
  assert.deepEqual(seen(), [], 'the news are on their way')
  put(base, pod('web', 'two'))
  overlay.baseChanged()
  assert.deepEqual(seen(), ['web two'])
})

test('an older sandbox that goes takes nothing of the newer one', () => {
  const { overlay, seen } = stage()
  overlay.show(pod('web', 'two'))
  overlay.hide(pod('web', 'one'))
  assert.deepEqual(seen(), ['web two'])
  overlay.hideShown(pod('web', 'one'))
  assert.deepEqual(seen(), ['web two'])
  overlay.hideShown(pod('web', 'two'))
  assert.deepEqual(seen(), [])
})

test('news that never come are waited for ten seconds', () => {
  const { overlay, clock, seen } = stage()
  const came = pod('new', 'one')
  overlay.show(came)
  overlay.told(came)
  clock.advance(millis(9_999))
  assert.deepEqual(seen(), ['new one'])
  clock.advance(millis(1))
  assert.deepEqual(seen(), [])
})

test('a new life begins with what the ledger says', () => {
  const [stays, went] = [pod('stays', 'one'), pod('went', 'two')]
  const common = { use: 'x', at: '2026-01-01T00:00:00Z' }
  const overlay = new Overlay(
    new ManualClock(),
    [
      { ...common, handle: 'one', standing: 'owed', endpoint: stays },
      { ...common, handle: 'two', standing: 'left', endpoint: went },
      { ...common, handle: 'three', standing: 'held', endpoint: pod('held', 'three') },
    ],
    () => assert.fail('nobody is to hear of that'),
  )
  const base = new Map()
  put(base, went)
  assert.deepEqual(
    [...overlay.over(base).values()].map(({ pod }) => pod),
    ['stays'],
  )
})

function stage() {
  const clock = new ManualClock()
  const overlay = new Overlay(clock, [], () => undefined)
  const base = new Map<string, WorkloadEndpoint>()
  const seen = () => [...overlay.over(base).values()].map(({ pod, containerId }) => `${pod} ${containerId}`)
  return { clock, overlay, base, seen }
}

function put(base: Map<string, WorkloadEndpoint>, endpoint: WorkloadEndpoint): void {
  base.set(WORKLOAD_ENDPOINT.keyOf(endpoint), endpoint)
}

function pod(name: string, containerId: string): WorkloadEndpoint {
  const names = { containerId, ifName: 'eth0', namespace: 'shop', pod: name, network: 'cali' }
  return { ...endpointOf(names, 'a'), addresses: [ipv4('10.0.0.1')] }
}
