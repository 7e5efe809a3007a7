/** The agent's socket: who may have it, and what becomes of bad requests. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { silentLog } from '@network/base/run/log.ts'
import { claimSocketPath, openAgentSocket } from './socket.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-socket-'))
after(() => rmSync(directory, { recursive: true }))

test('a live agent keeps its path; a dead one’s is taken over', async () => {
  const path = join(directory, 'a.sock')
  {
    await using first = await openAgentSocket(path, {}, silentLog)
    await assert.rejects(claimSocketPath(path), /cannot listen on .*a\.sock: another agent answers there; stop it/)
    await assert.rejects(openAgentSocket(path, {}, silentLog), { code: 'agent.running' })
    assert.equal((await ask(first.path, '/')).status, 404, 'and goes on answering')
  }
  writeFileSync(path, 'left behind')
  await using next = await openAgentSocket(path, {}, silentLog)
  assert.equal((await ask(next.path, '/')).status, 404)
})

test('a run-dir that cannot be made names the path and the setting', async () => {
  const file = join(directory, 'file')
  writeFileSync(file, '')
  await assert.rejects(
    claimSocketPath(join(file, 'a.sock')),
    /cannot listen on .*file\/a\.sock: .*file is no directory; .*--run-dir/,
  )
  await assert.rejects(claimSocketPath(join(file, 'deeper', 'a.sock')), /ENOTDIR.*--run-dir/)
  await assert.rejects(claimSocketPath('/proc/nowhere/a.sock'), /ENOENT.*--run-dir/)
  await claimSocketPath(join(directory, 'new', 'and-newer', 'a.sock'))
})

test('a socket is nobody else’s, whatever files may usually be to others, and other files are as usual', async () => {
  const usual = process.umask(0)
  try {
    await using socket = await openAgentSocket(join(directory, 'c.sock'), {}, silentLog)
    assert.equal(statSync(socket.path).mode & 0o777, 0o600)
    assert.equal(process.umask(), 0)
  } finally {
    process.umask(usual)
  }
})

test('a path that no socket can have is refused with its length', async () => {
  await assert.rejects(
    claimSocketPath(join(directory, `${'a'.repeat(108)}.sock`)),
    /longer than 107 octets; name a shorter --run-dir/,
  )
})

test('a request that fails is told so, and the next one is answered', async () => {
  const routes = {
    'POST /fail': async () => {
      throw new Error('on purpose')
    },
    'POST /echo': async (body: string) => body,
  }
  await using socket = await openAgentSocket(join(directory, 'b.sock'), routes, silentLog)
  assert.deepEqual(await ask(socket.path, '/fail', 'x'), { status: 500, text: '{"error":"on purpose"}' })
  assert.deepEqual(await ask(socket.path, '/echo', 'x'.repeat(2 << 20)).then(({ status }) => status), 500, 'too large')
  assert.deepEqual(await ask(socket.path, '/echo', 'x'), { status: 200, text: '"x"' })
})

function ask(
  socketPath: string,
  path: string,
  body = '',
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST', agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
