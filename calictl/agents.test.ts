/** How agents are asked, and what is made of those that do not answer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { asOrdinaryUser } from '@network/base/testing/ordinary-user.ts'
import { seconds, toMillis } from '@network/base/time/units.ts'
import { statusFrom } from './agent-status.ts'
import { agentsIn } from './agents.ts'
import { statusOf } from './testing/statuses.ts'

const NEVER = new AbortController().signal

async function openDirectory(): Promise<
  AsyncDisposable & { path: string; listen(node: string, answer: RequestListener): Promise<void> }
> {
  const path = await mkdtemp(join(tmpdir(), 'agents-'))
  const servers: ReturnType<typeof createServer>[] = []
  return {
    path,
    async listen(node, answer) {
      const server = createServer(answer).listen(join(path, `${node}.sock`))
      servers.push(server)
      await once(server, 'listening')
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.closeAllConnections()
        server.close()
      }
      await rm(path, { recursive: true })
    },
  }
}

test('one that takes the question and never answers is given up in the end', async () => {
  await using directory = await openDirectory()
  const clock = new ManualClock()
  await directory.listen('a', () => clock.advance(toMillis(seconds(5))))
  const { answers, silences } = await agentsIn(directory.path, clock).survey(NEVER)
  assert.deepEqual(
    [answers, silences.map(({ node, why, says }) => [node, why, says])],
    [[], [['a', 'late', 'it did not answer within 5 s']]],
  )
})

test('no deadline is left behind by an answer', async () => {
  await using directory = await openDirectory()
  const clock = new ManualClock()
  await directory.listen('a', (_, response) => response.end(JSON.stringify(statusOf('a'))))
  const { answers } = await agentsIn(directory.path, clock).survey(NEVER)
  assert.deepEqual([answers.map(({ node }) => node), clock.next()], [['a'], undefined])
})

test('the node is what the agent says, whatever its socket is called; other files are passed over', async () => {
  await using directory = await openDirectory()
  await directory.listen('agent', (_, response) => response.end(JSON.stringify(statusOf('node-7'))))
  await writeFile(join(directory.path, 'notes.txt'), '')
  const { answers, silences } = await agentsIn(directory.path, new ManualClock()).survey(NEVER)
  assert.deepEqual([answers.map(({ node }) => node), silences], [['node-7'], []])
})

test('one that hangs does not hold up a question to others', async () => {
  await using directory = await openDirectory()
  const clock = new ManualClock()
  await directory.listen('a', (_, response) => response.end(JSON.stringify(statusOf('a'))))
  await directory.listen('b', () => assert.fail('it was not to be asked'))
  const { answers, silences } = await agentsIn(directory.path, clock).survey(NEVER, [join(directory.path, 'a.sock')])
  assert.deepEqual([answers.map(({ node }) => node), silences], [['a'], []])
})

test('one that fails is told with its HTTP status', async () => {
  await using directory = await openDirectory()
  await directory.listen('a', (_, response) => response.writeHead(500).end('{}'))
  const { silences } = await agentsIn(directory.path, new ManualClock()).survey(NEVER)
  assert.deepEqual(
    silences.map(({ why, says }) => [why, says]),
    [['garbled', 'it answered HTTP 500']],
  )
})

test('who is abandoned says why', async () => {
  await using directory = await openDirectory()
  const gone = new AbortController()
  await directory.listen('a', () => gone.abort(new Error('enough')))
  await assert.rejects(agentsIn(directory.path, new ManualClock()).survey(gone.signal))
})

test('a socket of somebody else is told as such', async () => {
  await using directory = await openDirectory()
  await directory.listen('a', (_, response) => response.end(JSON.stringify(statusOf('a'))))
  await chmod(directory.path, 0o755)
  await chmod(join(directory.path, 'a.sock'), 0)
  const { silences } = await asOrdinaryUser(() => agentsIn(directory.path, new ManualClock()).survey(NEVER))
  assert.deepEqual(
    silences.map(({ why, mend }) => [why, mend]),
    [['denied', 'run calictl as root']],
  )
})

const LACKING: readonly (readonly [string, (status: Record<string, unknown>) => unknown, string])[] = [
  ['a list', () => [], 'everything'],
  ['without pools', status => ({ ...status, pools: undefined }), 'pools'],
  ['a pool without a mode', status => ({ ...status, pools: [{ name: 'x' }] }), 'pools[0].ipipMode'],
  ['a datastore of text', status => ({ ...status, datastore: 'in-sync' }), 'datastore'],
  ['a device without a name', status => ({ ...status, ipip: { supported: true, reason: null, device: {} } }), 'ipip.device.name'],
]

for (const [name, spoil, path] of LACKING)
  test(`a status is refused: ${name}`, () => {
    assert.deepEqual(statusFrom(JSON.stringify(spoil({ ...statusOf('a') }))), { ok: false, says: `its status lacks ${path}` })
  })

test('a status of a newer agent is taken', () => {
  assert.equal(statusFrom(JSON.stringify({ ...statusOf('a'), mood: 'good' })).ok, true)
})
