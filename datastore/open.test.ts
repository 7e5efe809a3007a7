import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { openDatastore } from './open.ts'

for (const url of ['etcd3://root:se/"cret@a:1', 'etcd://root:se/"cret@a:1', 'etcds://a,root:se/"cret@b/x'])
  test(`what is refused is told without its password: ${url}`, async () => {
    const reason = await openDatastore(url, { clock: systemClock, random: seededRandom(1) }).catch((thrown: unknown) => thrown)
    assert.ok(reason instanceof Error)
    assert.match(reason.message, /^cannot open datastore "etcd[3s]?:\/\/…@/)
    assert.doesNotMatch(reason.message, /cret/)
  })
