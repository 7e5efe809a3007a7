/** What the plugin judges alone, and what it says when its agent is absent, slow or somebody else. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CNI_ERROR, type CniReply } from '@network/model/cni.ts'
import { answerCall } from './plugin.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-cni-'))
const servers: Server[] = []
after(() => {
  for (const server of servers) server.close().closeAllConnections()
  rmSync(directory, { recursive: true })
})

test('VERSION needs neither agent nor standard input', async () => {
  const readConfig = () => assert.fail('standard input was read')
  const { exitCode, body } = await answerCall({ environment: { CNI_COMMAND: 'VERSION' }, readConfig, deadlineMs: 1 })
  assert.deepEqual([exitCode, body?.['supportedVersions']], [0, ['0.4.0', '1.0.0', '1.1.0']])
})

const JUDGED: readonly (readonly [what: string, config: string, code: number, says: RegExp])[] = [
  ['rubbish', '{"cniVersion":', CNI_ERROR.undecodable, /not JSON/],
  ['nothing', '', CNI_ERROR.undecodable, /not JSON/],
  ['a list', '[]', CNI_ERROR.invalidConfig, /not an object/],
  ['null', 'null', CNI_ERROR.invalidConfig, /not an object/],
  ['an unknown version', '{"cniVersion":"9.9.9"}', CNI_ERROR.incompatibleVersion, /cniVersion is "9\.9\.9"/],
  ['no version', '{"name":"cali"}', CNI_ERROR.incompatibleVersion, /cniVersion is missing/],
  ['an agent that is a number', '{"cniVersion":"1.0.0","agent":7}', CNI_ERROR.invalidConfig, /"agent" is not text/],
]
for (const [what, config, code, says] of JUDGED)
  test(`${what} on standard input: code ${code}, whether the agent lives or not`, async () => {
    assertFailed(await call('ADD', config), code, says)
  })

test('without CNI_COMMAND it says what it is', async () => {
  const reply = await answerCall({ environment: {}, readConfig: () => '', deadlineMs: 1 })
  assertFailed(reply, CNI_ERROR.invalidEnvironment, /CNI_COMMAND is not set/)
})

test('P0: an agent that answers is believed', async () => {
  const agent = await listening('well', '{"exitCode":0,"body":null}')
  assert.deepEqual(await call('DEL', configFor(agent)), { exitCode: 0, body: null })
})

for (const command of ['ADD', 'DEL', 'CHECK', 'GC'])
  test(`no agent: ${command} is code 11, try again later`, async () => {
    const reply = await call(command, configFor(join(directory, 'nobody.sock')))
    assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer on .*nobody\.sock/)
    assert.match(String(reply.body?.['details']), /ENOENT.*see that cali-agent runs/)
  })

test('no agent: STATUS is code 50, not available', async () => {
  assertFailed(await call('STATUS', configFor(join(directory, 'nobody.sock'))), CNI_ERROR.notAvailable, /does not answer/)
})

test('an agent that accepts and is silent: code 11 when the deadline is over', async () => {
  const agent = await listening('mute', undefined)
  const reply = await call('ADD', configFor(agent))
  assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
  assert.match(String(reply.body?.['details']), /nothing came within 0\.2 s/)
})

for (const text of ['not JSON', '{"error":"no such thing as POST /cni"}', '{"exitCode":7,"body":null}', 'null'])
  test(`somebody else on the socket, who says ${text}: code 11`, async () => {
    const reply = await call('ADD', configFor(await listening(`other-${text.length}`, text)))
    assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
    assert.match(String(reply.body?.['details']), /no agent of this release/)
  })

function call(command: string, config: string): Promise<CniReply> {
  return answerCall({ environment: { CNI_COMMAND: command }, readConfig: () => config, deadlineMs: 200 })
}

function configFor(agent: string): string {
  return JSON.stringify({ cniVersion: '1.1.0', name: 'cali', type: 'cali', agent })
}

/** Answers every request with the text, or with nothing at all. */
function listening(name: string, text: string | undefined): Promise<string> {
  const path = join(directory, `${name}.sock`)
  const server = createServer((_, response) => {
    if (text !== undefined) response.end(text)
  })
  servers.push(server)
  return new Promise(resolve => server.listen(path, () => resolve(path)))
}

function assertFailed({ exitCode, body }: CniReply, code: number, says: RegExp): void {
  assert.equal(exitCode, 1)
  assert.equal(body?.['code'], code, JSON.stringify(body))
  assert.match(String(body['msg']), says)
}
