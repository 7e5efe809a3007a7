/** The command line as a whole: help everywhere, usage, where things are found, and the launcher. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { asOrdinaryUser } from '@network/base/testing/ordinary-user.ts'
import type { Command } from 'commander'
import { buildProgram } from './program.ts'
import { LAUNCHER, launch } from './testing/launch.ts'
import { openStage } from './testing/stage.ts'
import { statusOf } from './testing/statuses.ts'

test('every command explains itself with an example', async t => {
  await using stage = await openStage()
  for (const line of await allCommands())
    await t.test(`calictl ${line} --help`, async () => {
      const { exit, out, err } = await stage.calictl(`${line} --help`)
      assert.deepEqual([exit, err], [0, ''])
      assert.match(out, /^Usage: calictl /)
      assert.match(out, /\nExamples?:\n {2}calictl /)
      if (line !== '') assert.match(out, new RegExp(`Examples?:(\n.*)*\n {2}calictl ${line}`))
    })
})

/** Each command and group of commands, from the root (an empty line) down. */
async function allCommands(): Promise<readonly string[]> {
  const names = (command: Command, path: string): string[] => [
    path,
    ...command.commands.flatMap(inner => names(inner, `${path} ${inner.name()}`.trim())),
  ]
  const nowhere = () => assert.fail('nothing runs')
  const world = { out: nowhere, err: nowhere, env: {}, readText: nowhere, openStore: nowhere, agentsIn: nowhere }
  const clock = { now: nowhere, wall: nowhere, wakeAt: nowhere }
  return names(await buildProgram({ ...world, clock, signal: new AbortController().signal }, nowhere), '')
}

const USAGE: readonly (readonly [string, RegExp])[] = [
  ['ippol get', /unknown command 'ippol'\n\(Did you mean ippool\?\)/],
  ['ippool gett', /unknown command 'gett'\n\(Did you mean get\?\)/],
  ['ippool get --colour', /unknown option '--colour'/],
  ['ippool get a b', /too many arguments.*; see calictl ippool get --help$/],
  ['completion bsah', /'bsah' is invalid .*choices are bash, zsh, fish; see calictl completion --help$/],
  [
    'ippool get -o xml',
    /argument 'xml' is invalid. Allowed choices are table, wide, json, yaml, name, jsonpath=…, custom-columns=…/,
  ],
  ['ippool', /^Usage: calictl ippool/],
  ['', /^Usage: calictl/],
  [
    'ippool get --datastore /var/lib/cali.db',
    /cannot find the datastore: --datastore: "\/var\/lib\/cali\.db" is not a datastore such as sqlite:/,
  ],
  ['ippool get --datastore etcd:10.0.0.1', /cannot open datastore "etcd:10\.0\.0\.1"/],
]

test('wrong usage: exit 2, with what would be right, and nothing on stdout', async t => {
  await using stage = await openStage()
  for (const [line, says] of USAGE)
    await t.test(`calictl ${line}`, async () => {
      const { exit, out, err } = await stage.calictl(line)
      assert.match(err, says)
      assert.deepEqual([exit, out], [2, ''])
    })
})

test('a datastore that cannot be opened: exit 5', async () => {
  await using stage = await openStage()
  const { exit, err } = await stage.calictl(`ippool get --datastore sqlite:${stage.directory}`)
  assert.match(err, /^error: cannot open/)
  assert.equal(exit, 5)
})

for (const line of [
  'ippool get',
  'ippool set default --ipip Never',
  'ippool delete default',
  'node get',
  'node delete a',
  'ipam show',
  'workload get',
])
  test(`calictl ${line}: a store that is not there is not made, and named`, async () => {
    await using stage = await openStage()
    const path = join(stage.directory, 'deep', 'mistyped.db')
    const { exit, out, err } = await stage.calictl(`${line} --datastore sqlite:${path}`)
    assert.deepEqual([exit, out], [5, ''])
    assert.ok(err.includes(`error: cannot open datastore ${path}: there is no such file; `), err)
    assert.match(err, /cali-agent and "calictl ippool create" make a store; .*--datastore or CALI_DATASTORE$/m)
    assert.match(err, /\nnote: calictl node status and calictl route get ADDRESS ask the agents alone$/)
    assert.ok(!existsSync(join(stage.directory, 'deep')))
  })

test('a store of somebody else: the mend is another user, for agents would not answer this one either', async () => {
  await using stage = await openStage()
  await chmod(stage.directory, 0)
  const { exit, err } = await asOrdinaryUser(() => stage.calictl('ippool get'))
  await chmod(stage.directory, 0o700)
  assert.equal(exit, 5)
  assert.match(
    err,
    /^error: cannot open datastore \S+: permission denied or read-only \(EACCES\); run as a user who may .*such as root/,
  )
  assert.equal(err.split('\n').length, 1)
})

test('a cluster may begin with its first pool: ippool create makes the store', async () => {
  await using stage = await openStage()
  const at = `--datastore sqlite:${join(stage.directory, 'deep', 'new.db')}`
  assert.equal((await stage.calictl(`ippool create default --cidr 10.1.0.0/16 ${at}`)).exit, 0)
  assert.match((await stage.calictl(`ippool get ${at}`)).out, /default +10\.1\.0\.0\/16/)
})

test('the file is asked for what flags and environment leave open', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => statusOf('a'))
  await stage.calictl('ippool create default --cidr 10.1.0.0/16')
  const readText = async () => `datastore: ${stage.url}\nrunDir: ${stage.directory}\n`
  assert.match((await stage.calictl('ippool get', { env: {}, readText })).out, /default/)
  assert.match((await stage.calictl('version', { env: {}, readText })).out, /^agent of a +0\.1\.0$/m)
  const broken = await stage.calictl('ippool get', { env: {}, readText: async () => 'datastore: [' })
  assert.equal(broken.exit, 2)
  assert.match(broken.err, /^error: cannot read \/etc\/cali\/cali\.yaml: .*; mend the file, or give --datastore and --run-dir$/)
  const unread = () => assert.fail('the file is not needed')
  assert.equal((await stage.calictl(`ippool get --run-dir ${stage.directory}`, { readText: unread })).exit, 0)
})

test('version: agents of another version are named', async () => {
  await using stage = await openStage()
  await stage.agent('a', () => statusOf('a'))
  await stage.agent('b', () => statusOf('b', { version: '9.9.9' }))
  const { exit, out, err } = await stage.calictl('version -o json')
  assert.equal(exit, 0)
  assert.equal(err, 'note: not of the version of calictl: the agents of b')
  assert.deepEqual(JSON.parse(out).agents, [
    { node: 'a', version: '0.1.0' },
    { node: 'b', version: '9.9.9' },
  ])
  const alone = await stage.calictl('version --client')
  assert.deepEqual(alone, { exit: 0, out: 'PART     VERSION\ncalictl  0.1.0', err: '' })
})

test('the launcher works from anywhere, through a link too', async () => {
  await using stage = await openStage()
  const link = join(stage.directory, 'a link')
  await symlink(LAUNCHER, link)
  const created = await launch(stage, 'ippool create default --cidr 10.1.0.0/16', link)
  assert.deepEqual(created, { exit: 0, out: 'pool default created: 10.1.0.0/16, blocks of /26, ipipMode Never\n', err: '' })
  const version = await launch(stage, 'version')
  assert.deepEqual([version.exit, version.err], [0, ''])
  assert.match(version.out, /^calictl +0\.1\.0$/m)
})
