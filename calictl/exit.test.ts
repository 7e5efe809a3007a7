/** The exit codes that scripts rely on, each from a real process, with data on stdout and the reason on stderr. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { environmentOf, LAUNCHER, launch, runProcess } from './testing/launch.ts'
import { openStage, type Stage } from './testing/stage.ts'
import { peerOf, statusOf, withPeers } from './testing/statuses.ts'

interface Ending {
  readonly exit: number
  readonly line: string
  /** What is done to a stage that has a pool "default" and an agent "a" that is well. */
  readonly given?: (stage: Stage) => Promise<unknown>
  readonly out: RegExp
  readonly err: RegExp
}

const NOTHING = /^$/

const ENDINGS: readonly Ending[] = [
  { exit: 0, line: 'ippool get', out: /^default /m, err: NOTHING },
  { exit: 0, line: 'node status --check', out: /^All is well/, err: NOTHING },
  { exit: 0, line: 'ippool get --help', out: /^Usage: /, err: NOTHING },
  {
    exit: 1,
    line: 'node status --check',
    given: stage => stage.agent('b', () => withPeers('b', [peerOf('c', { state: 'idle', lastError: 'hold timer expired' })])),
    out: /^Not as it should be.*\n {2}b: session with c .* is down \(idle\): hold timer expired\n/,
    err: NOTHING,
  },
  {
    exit: 2,
    line: 'ippool get -o xml',
    out: NOTHING,
    err: /^error: .* table, wide, json, yaml, name, jsonpath=…, custom-columns=….*; see calictl --help\n$/,
  },
  {
    exit: 2,
    line: 'ippool set',
    out: NOTHING,
    err: /nothing is given to set; write field=value; calictl explain ippool\.spec lists the fields\n$/,
  },
  { exit: 2, line: 'ippol get', out: NOTHING, err: /Did you mean ippool/ },
  { exit: 2, line: 'ippool set --ipip Crosssubnt', out: NOTHING, err: /did you mean CrossSubnet\? write Always, / },
  {
    exit: 2,
    line: 'ippool set --ipip Never --timeout soon',
    out: NOTHING,
    err: /--timeout soon: it takes whole seconds; write 1 to/,
  },
  {
    exit: 3,
    line: 'ippool get defualt',
    out: NOTHING,
    err: /there is no such pool; did you mean default\? the pools are default/,
  },
  { exit: 3, line: 'workload get web-1', out: NOTHING, err: /there are no pods at all/ },
  { exit: 4, line: 'ippool create other --cidr 10.1.0.0/17', out: NOTHING, err: /overlaps pool default/ },
  {
    exit: 5,
    line: 'ippool get --datastore sqlite:/proc/absent.db',
    out: NOTHING,
    err: /cannot open datastore .*\nnote: calictl node status and calictl route get ADDRESS ask the agents alone\n$/,
  },
  { exit: 5, line: 'node status b', given: stage => stage.deadAgent('b'), out: NOTHING, err: /nobody listens on its socket/ },
  { exit: 5, line: 'node status bb', out: NOTHING, err: /it has no socket in \S+; agents that answer here: a/ },
  {
    exit: 6,
    line: 'ippool set --ipip Always --timeout 1',
    out: /Never -> Always/,
    err: /after 1 s, a: it still acts on Never; it is/,
  },
  {
    exit: 7,
    line: 'node status',
    given: stage => stage.deadAgent('b'),
    out: /^Not as it should be.*\n {2}b: no answer/,
    err: NOTHING,
  },
  { exit: 7, line: 'version', given: stage => stage.deadAgent('b'), out: /^agent of a/m, err: /no answer from the agent of b/ },
  {
    exit: 7,
    line: 'ippool set --ipip Never',
    given: stage => stage.deadAgent('b'),
    out: /a: in effect after/,
    err: /no answer from the agent of b/,
  },
]

for (const { exit, line, given, out, err } of ENDINGS)
  test(`${exit}: calictl ${line}${given === undefined ? '' : ', when something is wrong'}`, async () => {
    await using stage = await openStage()
    await stage.calictl('ippool create default --cidr 10.1.0.0/16')
    await stage.agent('a', () =>
      statusOf('a', { pools: [{ name: 'default', ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false }] }),
    )
    await given?.(stage)
    const ended = await launch(stage, line)
    assert.deepEqual([ended.exit, out.test(ended.out), err.test(ended.err)], [exit, true, true], `${ended.out}\n${ended.err}`)
  })

test('0: a shell that waits for completion is not kept by a store that is locked', async () => {
  await using stage = await openStage()
  await stage.calictl('ippool create default --cidr 10.1.0.0/16')
  const completed = () => runProcess(LAUNCHER, ['__complete', 'ippool', 'get', ''], environmentOf(stage))
  assert.match((await completed()).out, /^default\t/)
  await stage.store[Symbol.asyncDispose]()
  const other = new DatabaseSync(stage.url.replace('sqlite:', ''))
  other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  const began = systemClock.now()
  assert.deepEqual(await completed(), { exit: 0, out: '', err: '' })
  // Every other command waits ten seconds for its turn.
  assert.ok(between(began, systemClock.now()) < 8000)
  other.close()
})
