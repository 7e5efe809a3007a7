/** Documents carried from store to store and through files, by real processes. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { environmentOf, LAUNCHER, launch, runProcess } from '../testing/launch.ts'
import { openStage, type Stage } from '../testing/stage.ts'

async function withPools(stage: Stage): Promise<void> {
  await stage.calictl('ippool create one --cidr 10.244.0.0/16')
  await stage.calictl('ippool create two --cidr 10.245.0.0/16 --ipip Always')
}

test('migrate: copies, tells progress, can be run twice, and refuses to destroy', async () => {
  await using stage = await openStage()
  await withPools(stage)
  const to = `sqlite:${stage.directory}/other/cali.db`
  const first = await launch(stage, `datastore migrate --from ${stage.url} --to ${to}`)
  assert.deepEqual([first.exit, first.err], [0, '1 of 2 documents are there\n2 of 2 documents are there\n'])
  assert.match(first.out, /holds the 2 documents of .*, checked: 2 created, 0 updated, 0 deleted/)
  assert.match((await launch(stage, `--datastore ${to} ippool get`)).out, /^two +10\.245\.0\.0\/16 +Always/m)
  const second = await launch(stage, `datastore migrate --from ${stage.url} --to ${to} -o json`)
  assert.deepEqual(JSON.parse(second.out), {
    kind: 'Migration',
    from: stage.url,
    to,
    total: 2,
    created: 0,
    updated: 0,
    deleted: 0,
  })
  await launch(stage, `--datastore ${to} ippool create three --cidr 10.246.0.0/16`)
  const refused = await launch(stage, `datastore migrate --from ${stage.url} --to ${to}`)
  assert.deepEqual([refused.exit, refused.out], [4, ''])
  assert.match(refused.err, /^error: .*a document that would be lost: \/cali\/v1\/ippools\/three; .*--force; nothing was changed/)
  assert.match((await launch(stage, `datastore migrate --from ${stage.url} --to ${to} --force`)).out, /1 deleted/)
})

test('migrate: what is not there or cannot be a store ends with its code', async () => {
  await using stage = await openStage()
  const absent = await launch(stage, `datastore migrate --from sqlite:${stage.directory}/none.db --to ${stage.url}`)
  assert.deepEqual([absent.exit, /there is no such file/.test(absent.err)], [5, true])
  const wrong = await launch(stage, `datastore migrate --from ${stage.url} --to etcd://a?x=y`)
  assert.deepEqual([wrong.exit, /no parameter "x"/.test(wrong.err)], [2, true])
  assert.equal((await launch(stage, `datastore migrate --from ${stage.url}`)).exit, 2)
})

for (const format of ['yaml', 'json'])
  test(`export and import as ${format}: there and back, through a file and a pipe`, async () => {
    await using stage = await openStage()
    await withPools(stage)
    const exported = await launch(stage, `datastore export -o ${format}`)
    assert.equal(exported.exit, 0)
    const file = join(stage.directory, `all.${format}`)
    await writeFile(file, exported.out)
    const to = `sqlite:${stage.directory}/import.db`
    assert.match((await launch(stage, `--datastore ${to} datastore import -f ${file}`)).out, /2 created/)
    const words = ['--datastore', to, 'datastore', 'import', '-f', '-']
    assert.match((await runProcess(LAUNCHER, words, environmentOf(stage), exported.out)).out, /nothing was left to do/)
    assert.equal((await launch(stage, `--datastore ${to} datastore export -o ${format}`)).out, exported.out)
  })

test('import: a bad file is told whole, and nothing is written', async () => {
  await using stage = await openStage()
  const file = join(stage.directory, 'bad.yaml')
  const cases: readonly (readonly [text: string, exit: number, says: RegExp])[] = [
    ['key: /x\ndocument: 1\n---\n7\n', 2, /document 1: key must .*; document 2: must be a mapping/],
    ['a: [', 2, /cannot import .*bad\.yaml/],
    ['{"key": 1\n', 2, /cannot import/],
  ]
  for (const [text, exit, says] of cases) {
    await writeFile(file, text)
    const ended = await launch(stage, `datastore import -f ${file}`)
    assert.equal(ended.exit, exit, ended.err)
    assert.match(ended.err, says)
  }
  assert.equal((await launch(stage, 'datastore import -f /nonexistent')).exit, 3)
  assert.equal((await launch(stage, 'datastore export')).out, '')
})
