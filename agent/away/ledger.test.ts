/** The ledger's file: what was written is there for the next life, whatever was cut short. */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { silentLog } from '@network/base/run/log.ts'
import { endpointOf } from '../workload/names.ts'
import { Ledger, type LedgerEntry, type Standing } from './ledger.ts'
import { LedgerFile } from './ledger-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-ledger-'))
after(() => rmSync(directory, { recursive: true }))

test('what was put is found by the next life, what was dropped is not', () => {
  const path = join(directory, 'deep', 'a.ledger')
  const ledger = opened(path)
  assert.equal(existsSync(path), false, 'looking makes nothing')
  for (const handle of ['one', 'two', 'three']) ledger.put(entry(handle, 'owed'))
  ledger.put(entry('two', 'leaving'))
  ledger.drop('three')
  assert.equal(ledger.isWhole, false)
  ledger.beWhole()
  const next = opened(path)
  assert.deepEqual([...next.entries.values()], [entry('one', 'owed'), entry('two', 'leaving')])
  assert.ok(next.isWhole)
  next.put(entry('four', 'held'))
  assert.equal(opened(path).entries.size, 3)
})

test('a line that was cut short was never acted upon, and the next one is not glued to it', () => {
  const path = join(directory, 'cut.ledger')
  opened(path).put(entry('one', 'owed'))
  const whole = readFileSync(path, 'utf8')
  opened(path).put(entry('two', 'owed'))
  const text = readFileSync(path, 'utf8')
  for (let length = whole.length; length < text.length; length++) {
    writeFileSync(path, text.slice(0, length))
    assert.deepEqual([...opened(path).entries.keys()], ['one'], `cut at ${length}`)
  }
  writeFileSync(path, text.slice(0, -5))
  opened(path).put(entry('three', 'owed'))
  assert.deepEqual([...opened(path).entries.keys()], ['one', 'three'])
})

test('a ledger of another datastore, of a newer version or of nothing counts as none', () => {
  const path = join(directory, 'other.ledger')
  opened(path).put(entry('one', 'owed'))
  assert.equal(opened(path).entries.size, 1, 'P0')
  assert.equal(opened(path, { datastore: 'etcd://there' }).entries.size, 0)
  writeFileSync(path, readFileSync(path, 'utf8').replace('"version":1', '"version":9'))
  assert.equal(opened(path).entries.size, 0)
  writeFileSync(path, '')
  assert.equal(opened(path).entries.size, 0)
})

test('after a boot nothing of it lives: what was owed is to be forgotten, and the datastore is to be asked what else there is', () => {
  const path = join(directory, 'boot.ledger')
  const ledger = opened(path)
  for (const standing of ['held', 'owed', 'left', 'leaving'] as const) ledger.put(entry(standing, standing))
  ledger.beWhole()
  const next = opened(path, { boot: 'two' })
  assert.equal(next.isWhole, false)
  assert.deepEqual(
    [...next.entries.values()].map(({ standing }) => standing),
    ['held', 'leaving', 'left', 'leaving'],
  )
})

test('the file does not grow with what comes and goes', () => {
  const path = join(directory, 'long.ledger')
  const ledger = opened(path)
  ledger.put(entry('stays', 'held'))
  for (let n = 0; n < 2_000; n++) {
    ledger.put(entry(`pod-${n}`, 'held'))
    ledger.drop(`pod-${n}`)
  }
  assert.ok(readFileSync(path, 'utf8').split('\n').length < 600)
  assert.deepEqual([...opened(path).entries.keys()], ['stays'])
})

test('what cannot be written is refused with the setting that mends it, and changes nothing', () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const ledger = opened(join(file, 'x.ledger'))
  assert.throws(
    () => ledger.put(entry('one', 'owed')),
    (reason: unknown) => reason instanceof Fault && reason.code === 'pod.journal' && /--run-dir/.test(reason.message),
  )
  assert.equal(ledger.entries.size, 0)
})

test('lines behind one that nobody can read are not believed', () => {
  const path = join(directory, 'torn.ledger')
  opened(path).put(entry('one', 'owed'))
  const good = readFileSync(path, 'utf8')
  opened(path).put(entry('two', 'owed'))
  const second = readFileSync(path, 'utf8').slice(good.length)
  writeFileSync(path, good)
  appendFileSync(path, `{"is":"put","ent\n${second}`)
  assert.deepEqual([...opened(path).entries.keys()], ['one'])
})

function opened(path: string, but: { readonly datastore?: string; readonly boot?: string } = {}): Ledger {
  return new Ledger(new LedgerFile({ path, datastore: 'etcd://here', boot: 'one', log: silentLog, ...but }))
}

function entry(handle: string, standing: Standing): LedgerEntry {
  const pod = { containerId: handle, ifName: 'eth0', namespace: 'shop', pod: 'web', network: 'cali' }
  const address = ipv4('10.0.0.1')
  const at = '2026-01-01T00:00:00.000Z'
  return { handle, standing, use: 'shop/web', at, address, endpoint: { ...endpointOf(pod, 'a'), addresses: [address] } }
}
