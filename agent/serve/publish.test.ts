/** The status in the datastore: written once, again when it changed, and by nobody whose node is gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { MemoryStore } from '@network/datastore/testing/memory.ts'
import { NODE_STATUS } from '@network/model/resources/node-status.ts'
import type { AgentStatus, PeerStatus } from '@network/model/status.ts'
import { nodeStatusOf, publishStatus } from './publish.ts'

const KEY = '/cali/aside/v1/nodestatuses/a1'

test('it is written when it changed and not else; a node that is gone says nothing', async () => {
  const clock = new ManualClock()
  const store = new MemoryStore()
  const ending = new AbortController()
  let status = statusWith([])
  let there = false
  const publishing = publishStatus(
    { node: 'a1', store, status: async () => status, isThere: () => there, clock, log: silentLog },
    ending.signal,
  )
  const pass = async () => {
    await new Promise(setImmediate)
    clock.advance(millis(5_000))
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    return store.entries.get(KEY)?.revision
  }
  assert.equal(await pass(), undefined, 'P0: no node, no status')
  there = true
  await pass()
  const first = await pass()
  assert.ok(first !== undefined)
  assert.equal(await pass(), first)
  status = statusWith([peer('192.0.2.2', 'established')])
  const second = await pass()
  assert.notEqual(second, first)
  there = false
  status = statusWith([])
  await pass()
  assert.equal(await pass(), second)
  ending.abort()
  await pass()
  await publishing
})

test('it reads back as its kind, and of many sessions only those that are down are listed', () => {
  const many = Array.from({ length: 300 }, (_, at) => peer(`192.0.2.${at}`, at < 3 ? 'active' : 'established'))
  const value = nodeStatusOf(statusWith(many), '2026-01-01T00:00:00Z')
  assert.deepEqual(
    [value.status?.bgp?.numberEstablishedV4, value.status?.bgp?.numberNotEstablishedV4, value.status?.bgp?.peersV4.length],
    [297, 3, 3],
  )
  const read = NODE_STATUS.parse(NODE_STATUS.print(value))
  assert.ok(read.ok, JSON.stringify(read))
  assert.equal(read.value.status?.agent?.state, 'Ready')
})

function peer(address: string, state: string): PeerStatus {
  const counts = { received: 0, accepted: 0, advertised: 0, stale: 0, flaps: 0 }
  return { address, name: 'n', asn: 64512, type: 'mesh', state, since: '2026-01-01T00:00:00Z', ...counts, lastError: null }
}

function statusWith(peers: readonly PeerStatus[]): AgentStatus {
  return {
    ...{ node: 'a1', id: 'i', version: '0', pid: 1, startedAt: '2026-01-01T00:00:00Z', address: '192.0.2.1/24', addressFrom: '' },
    asn: 64512,
    datastore: { url: 'sqlite:/x', state: 'in-sync', since: '2026-01-01T00:00:00Z', error: null },
    books: { unwritten: 0, notices: [] },
    ipip: { supported: true, reason: null, device: null },
    vxlan: { supported: true, reason: null, device: null },
    tables: [],
    pools: [],
    firewall: { active: true, reason: null, dropped: { forgedIpip: 0, forgedVxlan: 0, spoofedSource: 0 } },
    bgp: { routerId: '192.0.2.1', asn: 64512, listen: '192.0.2.1:179', peers, originated: [], settled: true },
    ...{ routes: [], workloads: [], repairs: { count: 0, last: [] }, problems: [], converged: true },
  }
}
