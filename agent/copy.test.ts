/** The copy of the datastore: written seldom, read back whole, and refused when it is not ours. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { SnapshotBuilder } from '@network/model/snapshot.ts'
import { OwnBlocks } from './away/own-blocks.ts'
import { ClusterCopy } from './copy.ts'

const folder = mkdtempSync(join(tmpdir(), 'cali-copy-'))
after(() => rmSync(folder, { recursive: true }))

test('what was seen is read back; changes within half a minute are written together, and at the end', () => {
  const { copy, clock, path, builder } = stage('a')
  assert.equal(copy.read(), undefined, 'P0')
  addPool(builder, 'one', '10.1.0.0/16')
  copy.changed()
  clock.advance(millis(1_000))
  assert.deepEqual([...(copy.read()?.snapshot.pools.keys() ?? [])], ['one'])
  assert.equal(copy.read()?.at, '2026-01-01T00:00:01.000Z')
  addPool(builder, 'two', '10.2.0.0/16')
  copy.changed()
  clock.advance(millis(29_000))
  assert.equal(copy.read()?.snapshot.pools.size, 1)
  clock.advance(millis(1_000))
  assert.equal(copy.read()?.snapshot.pools.size, 2)
  addPool(builder, 'three', '10.3.0.0/16')
  copy.changed()
  copy.stop()
  assert.equal(copy.read()?.snapshot.pools.size, 3)
  assert.ok(JSON.parse(readFileSync(path, 'utf8')).version === 2)
})

const REFUSED: readonly [what: string, change: (text: string) => string][] = [
  ['half a file', text => text.slice(0, -20)],
  ['another version', text => text.replace('"version":2', '"version":1')],
  ['another datastore', text => text.replace('sqlite:/here', 'sqlite:/there')],
]
for (const [what, change] of REFUSED)
  test(`${what} counts as none`, () => {
    const { copy, path, builder } = stage(what.replaceAll(' ', '-'))
    addPool(builder, 'one', '10.1.0.0/16')
    copy.changed()
    copy.stop()
    assert.equal(copy.read()?.snapshot.pools.size, 1, 'P0')
    writeFileSync(path, change(readFileSync(path, 'utf8')))
    assert.equal(copy.read(), undefined)
  })

function stage(name: string) {
  const clock = new ManualClock()
  const builder = new SnapshotBuilder()
  const path = join(folder, `${name}.json`)
  const blocks = new OwnBlocks('a')
  const copy = new ClusterCopy({
    ...{ node: 'a', path, datastore: 'sqlite:/here', clock, log: silentLog },
    snapshot: () => builder.snapshot,
    blocks: () => blocks.all,
  })
  return { clock, builder, path, copy }
}

function addPool(builder: SnapshotBuilder, name: string, cidr: string): void {
  const modes = { ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false } as const
  const pool = { name, cidr: prefix(cidr), blockSize: 26, ...modes }
  builder.apply({ key: IP_POOL.keyOf(pool), document: IP_POOL.print(pool) })
}
