/** Colours, where a person sees them and nowhere else. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { environmentOf, LAUNCHER, runProcess } from '../testing/launch.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { Painter } from './colour.ts'
import { table } from './table.ts'
import { wantsColour } from './terminal.ts'

const GREEN = '\u001b[32m'
const YELLOW = '\u001b[33m'
const RED = '\u001b[31m'

for (const [env, isTerminal, wanted] of [
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: '1' }, true, false],
  [{ NO_COLOR: '' }, true, true],
  [{ TERM: 'dumb' }, true, false],
  [{ FORCE_COLOR: '1' }, false, true],
  [{ FORCE_COLOR: '1', NO_COLOR: '1' }, false, true],
  [{ FORCE_COLOR: '0' }, true, false],
] as const)
  test(`${JSON.stringify(env)}, ${isTerminal ? 'a terminal' : 'a pipe'}: ${wanted ? 'colours' : 'none'}`, () =>
    assert.equal(
      wantsColour(env, () => isTerminal),
      wanted,
    ))

test('states are painted by what they mean, in their columns only, and nothing moves', () => {
  const text = `All is well: x\n\n${table(
    ['NODE', 'SESSIONS', 'STATE', 'FOR'],
    [
      ['established', '3/3', 'established', '1 h'],
      ['b', '1/3', 'OpenSent', 'idle'],
      ['c', '0/3', 'Idle', ''],
      ['d', '0/0', 'strange', 'failed'],
    ],
  )}`
  const painted = new Painter().paint(text)
  assert.equal(stripVTControlCharacters(painted), text)
  const lines = painted.split('\n')
  assert.ok(lines[0]?.startsWith(`${GREEN}All is well`))
  const sgr = (line = '') => line.split('\u001b').flatMap(part => (/^\[3[123]m/.test(part) ? [`\u001b${part}`] : []))
  assert.deepEqual(sgr(lines[3]), [`${GREEN}3/3`, `${GREEN}established`])
  assert.deepEqual(sgr(lines[4]), [`${YELLOW}1/3`, `${YELLOW}OpenSent`])
  assert.deepEqual(sgr(lines[5]), [`${RED}0/3`, `${RED}Idle`])
  assert.deepEqual(sgr(lines[6]), [])
})

test('active is well for a pool and not for a session', () => {
  assert.ok(new Painter().paint('NAME  STATE\na     active').includes(GREEN))
  assert.ok(new Painter().paint('PEER  STATE\na     Active').includes(RED))
})

test('lines of a table that come later are painted too, until an empty one', () => {
  const painter = new Painter()
  painter.paint('NAME  STATE')
  assert.ok(painter.paint('a     pending').includes(YELLOW))
  assert.equal(painter.paint('\na     pending'), '\na     pending')
})

describe('the process', () => {
  let stage: Stage
  const calictl = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    runProcess(LAUNCHER, ['--run-dir', stage.directory, ...argv], { ...environmentOf(stage), TERM: 'xterm', ...env })
  const terminal = (words: string, env: NodeJS.ProcessEnv = {}) =>
    runProcess('script', ['-qec', `${LAUNCHER} --run-dir ${stage.directory} ${words}`, '/dev/null'], {
      ...environmentOf(stage),
      TERM: 'xterm',
      ...env,
    })
  before(async () => {
    stage = await openStage()
    await calictl(['ippool', 'create', 'default', '--cidr', '10.244.0.0/16'])
  })
  after(() => stage[Symbol.asyncDispose]())

  test('a pipe has none, on either stream, unless it is forced; data never has', async () => {
    const plain = await calictl(['ippool', 'get'])
    assert.ok(!plain.out.includes('\u001b'), plain.out)
    const forced = await calictl(['ippool', 'get'], { FORCE_COLOR: '1' })
    assert.ok(forced.out.includes(GREEN), forced.out)
    assert.equal(stripVTControlCharacters(forced.out), plain.out)
    assert.ok((await calictl(['get', 'nothings'], { FORCE_COLOR: '1' })).err.startsWith(`${RED}error:`))
    assert.ok((await calictl(['get', 'nothings'])).err.startsWith('error:'))
    for (const format of ['json', 'yaml', 'name'])
      assert.ok(!(await calictl(['ippool', 'get', '-o', format], { FORCE_COLOR: '1' })).out.includes('\u001b'), format)
  })

  test('a terminal has them, unless NO_COLOR is set or it cannot', async () => {
    assert.ok((await terminal('ippool get')).out.includes(GREEN))
    assert.ok(!(await terminal('ippool get', { NO_COLOR: '1' })).out.includes('\u001b'))
    assert.ok(!(await terminal('ippool get', { TERM: 'dumb' })).out.includes('\u001b'))
    assert.ok(!(await terminal('ippool get -o json')).out.includes('\u001b'))
  })
})
