import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { execa } from 'execa'

const RUN = join(import.meta.dirname, 'run.sh')
const share = mkdtempSync(join(tmpdir(), 'cali-share-'))
test.after(() => rmSync(share, { recursive: true }))

test('a command keeps its words, environment, directory, streams and status, and has a kernel with tunl0', async () => {
  const script = `printf '%s|' "$@" "$ODD" "$PWD"; echo to-err >&2
    echo written >'${share}/kept'; echo lost >'${share}-lost'
    modprobe ipip && ip -o link show tunl0 | cut -d: -f2
    exit 7`
  const odd = `it's "odd"\n$HOME \\ *`
  const ended = await run(['--share', share, '--', 'sh', '-c', script, 'sh', 'two words', odd], { ODD: odd })
  assert.deepEqual(ended, { stdout: `two words|${odd}|${odd}|${share}| tunl0@NONE`, stderr: 'to-err', exitCode: 7 })
  assert.equal(readFileSync(join(share, 'kept'), 'utf8'), 'written\n')
  assert.equal(existsSync(`${share}-lost`), false)
})

test('a command that is late is stopped', async () => {
  const { exitCode, stderr } = await run(['--timeout', '1', 'sleep', '60'])
  assert.equal(exitCode, 124)
  assert.match(stderr, /stopped after 1 s/)
})

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const { stdout, stderr, exitCode } = await execa('sh', [RUN, ...args], { reject: false, cwd: share, env })
  return { stdout, stderr, exitCode }
}
