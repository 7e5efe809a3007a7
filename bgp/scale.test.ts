/** Many routes, many peers, many speakers: each a part of what `npm run scale:bgp` does in full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@network/base/time/clock.ts'
import { meshAtOnce, tellMany } from './testing/scale.ts'

test('250 peers hear a table of both families, and that its source is lost', async () => {
  const { told, left, alike, losingMs } = await tellMany({ ipv4: 20_000, ipv6: 4000, peers: 250, perSet: 10 }, systemClock)
  assert.deepEqual({ told, left, alike }, { told: 24_000, left: 0, alike: 249 })
  assert.ok(losingMs < 10_000, `${losingMs} ms`)
})

test('speakers that all start at once have one stream a pair in the end, and none is lost again and again', async () => {
  const { mostOpens, mostFlaps, ...mesh } = await meshAtOnce(50, 10)
  assert.deepEqual(mesh, { streams: 1225, established: 2450, lateFlaps: 0, smallestTable: 49 })
  assert.ok(mostOpens <= 3, `${mostOpens} OPENs of one end`)
  assert.ok(mostFlaps <= 3, `${mostFlaps} lost sessions of one end`)
})
