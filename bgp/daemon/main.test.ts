/** cali-bgpd as a process: from its command line to its socket. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'

const PROGRAM = join(import.meta.dirname, '..', 'cali-bgpd')
const folder = mkdtempSync(join(tmpdir(), 'bgpd-'))
const config = join(folder, 'bgpd.yaml')
const socket = join(folder, 'control')
/** It listens nowhere and dials nobody. */
const TEXT = `
routerId: 192.0.2.1
asn: 64512
control: ${socket}
neighbours: [{address: 192.0.2.2, passive: true}]
originate: [10.1.0.0/24]
`

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

function run(...words: readonly string[]): Promise<Ended> {
  return new Promise(resolve => {
    execFile(PROGRAM, words, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
    })
  })
}

describe('a running daemon', () => {
  let daemon: ChildProcess
  let lines: AsyncIterator<string>

  /** Reads the log up to a line of this message. */
  async function told(message: string): Promise<string> {
    for (;;) {
      const { value, done } = await lines.next()
      assert.ok(done !== true, `the log ended before "${message}"`)
      if (String(value).includes(`"msg":"${message}"`)) return String(value)
    }
  }

  before(async () => {
    writeFileSync(config, TEXT)
    daemon = spawn(PROGRAM, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    assert.ok(daemon.stderr !== null)
    lines = createInterface(daemon.stderr)[Symbol.asyncIterator]()
    await told('running')
  })
  after(async () => {
    daemon.kill('SIGTERM')
    const [code] = await once(daemon, 'exit')
    rmSync(folder, { recursive: true })
    assert.equal(code, 0)
  })

  test('answers as a table and as JSON', async () => {
    const table = await run('show', 'peers', '--socket', socket)
    assert.match(table.out, /^PEER .*\n192\.0\.2\.2 +192\.0\.2\.2 +64512 +active/)
    const json = await run('show', 'why', '10.1.0.0/24', '--socket', socket, '-o', 'json')
    const said: unknown = JSON.parse(json.out)
    assert.ok(typeof said === 'object' && said !== null && 'is' in said && said.is === 'why')
  })

  test('says what cannot be answered, and ends with an error', async () => {
    assert.deepEqual(await run('show', 'adj-in', '192.0.2.9', '--socket', socket), {
      code: 2,
      out: '',
      err: 'error: there is no peer 192.0.2.9\n',
    })
    assert.equal((await run('show', 'pears', '--socket', socket)).code, 2)
  })

  test('clears sessions: one or all, and says where none stands', async () => {
    const { code, out } = await run('clear', 'all', '--hard', '--message', 'new cables', '--socket', socket)
    assert.deepEqual([code, out], [0, 'PEER       DONE\n192.0.2.2  no session stands\n'])
    assert.match((await run('clear', '192.0.2.9', '--socket', socket)).err, /there is no peer 192\.0\.2\.9/)
    assert.match((await run('clear', 'everybody', '--socket', socket)).err, /there is no peer everybody/)
    assert.match((await run('clear', 'fe80::9', '--socket', socket)).err, /neither a peer nor all/)
    assert.equal((await run('clear', 'all', '--in', '--hard', '--socket', socket)).code, 2)
  })

  test('a drain that cannot be is refused', async () => {
    const { code, err } = await run('drain', '--delay', 'soon', '--socket', socket)
    assert.deepEqual([code, err], [2, 'error: "soon" is no number of seconds\n'])
  })

  test('SIGHUP takes over the file, a wrong one is refused', async () => {
    writeFileSync(config, `${TEXT}kernel: true\n`)
    daemon.kill('SIGHUP')
    assert.match(await told('configuration refused, the old one stays in force'), /:7:1: kernel: no such setting here/)
    writeFileSync(config, TEXT.replace('10.1.0.0/24', '10.2.0.0/24'))
    daemon.kill('SIGHUP')
    assert.match(await told('configuration taken over'), /"changed":\["originate"\]/)
    assert.match((await run('show', 'routes', '--socket', socket)).out, /10\.2\.0\.0\/24 +local/)
  })

  test('a second one on the same socket is refused', async () => {
    const { code, err } = await run('--config', config)
    assert.equal(code, 1)
    assert.match(err, /another cali-bgpd answers there/)
  })
})

test('a drain ends the daemon, and that is no failure', async () => {
  const own = mkdtempSync(join(tmpdir(), 'bgpd-'))
  const path = join(own, 'control')
  writeFileSync(join(own, 'bgpd.yaml'), TEXT.replace(socket, path))
  const daemon = spawn(PROGRAM, ['--config', join(own, 'bgpd.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(daemon, 'exit')
  assert.ok(daemon.stderr !== null)
  for await (const line of createInterface(daemon.stderr)) {
    if (line.includes('"msg":"running"'))
      assert.deepEqual(await run('drain', '--delay', '0', '--socket', path), { code: 0, out: 'PEER  DONE\n', err: '' })
    if (line.includes('"msg":"stopping"')) assert.match(line, /"signal":"drained"/)
  }
  assert.deepEqual(await exited, [0, null])
  rmSync(own, { recursive: true })
})

test('a wrong configuration, a missing one, and none', async () => {
  const wrong = join(mkdtempSync(join(tmpdir(), 'bgpd-')), 'wrong.yaml')
  writeFileSync(wrong, 'asn: 0\n')
  const refused = await run('--config', wrong)
  assert.equal(refused.code, 2)
  assert.match(refused.err, /wrong\.yaml:1:1: asn: must be a whole number/)
  assert.equal((await run('--check', '--config', wrong)).code, 2)
  assert.match((await run('--config', join(wrong, 'nowhere'))).err, /cannot read/)
  assert.match((await run()).err, /--config <file> is needed/)
  assert.match((await run('show', 'peers', '--socket', join(wrong, 'nowhere'))).err, /is cali-bgpd running\?/)
  rmSync(join(wrong, '..'), { recursive: true })
})
