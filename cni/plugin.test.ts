/** What the plugin judges alone, and what it says when its agent is absent, slow or somebody else; both programs of it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createPlainServer, type Server as PlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CNI_ERROR, type CniReply } from '@network/model/cni.ts'
import fc from 'fast-check'
import { answerCall } from './plugin.ts'
import { type Client, compiled, scripted, watched } from './testing/clients.ts'

const directory = mkdtempSync(join(tmpdir(), 'cali-cni-'))
const servers: (Server | PlainServer)[] = []
after(() => {
  for (const server of servers) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  }
  rmSync(directory, { recursive: true })
})
const twin = compiled(join(directory, 'twin'))
const clients: readonly Client[] = twin === undefined ? [scripted] : [scripted, twin]

/** Deeper than any stack of calls. */
const DEEP = '['.repeat(100_000) + ']'.repeat(100_000)

const JUDGED: readonly (readonly [what: string, config: string, code: number, says: RegExp])[] = [
  ['rubbish', '{"cniVersion":', CNI_ERROR.undecodable, /not JSON/],
  ['nothing', '', CNI_ERROR.undecodable, /not JSON/],
  ['a list', '[]', CNI_ERROR.invalidConfig, /not an object/],
  ['null', 'null', CNI_ERROR.invalidConfig, /not an object/],
  ['an unknown version', '{"cniVersion":"9.9.9"}', CNI_ERROR.incompatibleVersion, /cniVersion is "9\.9\.9"/],
  ['no version', '{"name":"cali"}', CNI_ERROR.incompatibleVersion, /cniVersion is missing/],
  ['a version that is nested deep', `{"cniVersion":${DEEP}}`, CNI_ERROR.incompatibleVersion, /cniVersion is not text/],
  ['what is nested deep and not closed', `{"x":${DEEP}`, CNI_ERROR.undecodable, /not JSON/],
  ['a version inside something else', '{"a":{"cniVersion":"1.0.0"}}', CNI_ERROR.incompatibleVersion, /cniVersion is missing/],
  ['an agent that is a number', '{"cniVersion":"1.0.0","agent":7}', CNI_ERROR.invalidConfig, /"agent" is not text/],
  ['an agent that is empty', '{"cniVersion":"1.0.0","agent":""}', CNI_ERROR.invalidConfig, /"agent" is not text/],
]

for (const client of clients) {
  const named = (what: string) => `${client.name}: ${what}`
  const call = (command: string, config: string) => client.answer({ environment: { CNI_COMMAND: command }, config })

  test(named('VERSION needs no agent'), async () => {
    const { exitCode, body } = await call('VERSION', '')
    assert.deepEqual([exitCode, body], [0, { cniVersion: '1.1.0', supportedVersions: ['0.4.0', '1.0.0', '1.1.0'] }])
  })

  for (const [what, config, code, says] of JUDGED)
    test(named(`${what} on standard input: code ${code}, whether the agent lives or not`), async () => {
      assertFailed(await call('ADD', config), code, says)
    })

  test(named('without CNI_COMMAND it says what it is'), async () => {
    assertFailed(await client.answer({ environment: {}, config: '' }), CNI_ERROR.invalidEnvironment, /CNI_COMMAND is not set/)
  })

  test(named('P0: an agent that answers is believed, and printed as it answered'), async () => {
    const silent = await listening(`well-${client.name}`, () => '{"exitCode":0,"body":null}')
    assert.deepEqual(await call('DEL', configFor(silent)), { exitCode: 0, body: null })
    const body = { cniVersion: '1.1.0', code: 101, msg: 'ä "quoted" \\ \u0001', details: 'x'.repeat(100_000) }
    const wordy = await listening(`wordy-${client.name}`, () => JSON.stringify({ exitCode: 1, body }))
    assert.deepEqual(await call('DEL', configFor(wordy)), { exitCode: 1, body })
  })

  test(named('the agent hears CNI_ variables alone, and the configuration to the octet'), async () => {
    const echo = await listening(`echo-${client.name}`, body => `{"exitCode":0,"body":${body}}`)
    const config = `{ "cniVersion": "1.1.0",\n"x": "ä\\u00e4\\"\\ud83d\\ude00", "agent": "\\u0000", "agent":${JSON.stringify(echo)}, "big": 1e400 }\n`
    const environment = { CNI_COMMAND: 'ADD', CNI_ARGS: 'a="b";c=\\\u0007ä', CNI_EMPTY: '', HOME: '/root', XCNI_: 'no' }
    const { exitCode, body } = await client.answer({ environment, config })
    const { HOME: _, XCNI_: __, ...heard } = environment
    assert.deepEqual([exitCode, body], [0, { environment: heard, config }])
  })

  for (const command of ['ADD', 'DEL', 'CHECK', 'GC'])
    test(named(`no agent: ${command} is code 11, try again later`), async () => {
      const reply = await call(command, configFor(join(directory, 'nobody.sock')))
      assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer on .*nobody\.sock/)
      assert.match(String(reply.body?.['details']), /ENOENT.*see that cali-agent runs/)
    })

  test(named('no agent: STATUS is code 50, not available'), async () => {
    const reply = await call('STATUS', configFor(join(directory, 'nobody.sock')))
    assertFailed(reply, CNI_ERROR.notAvailable, /does not answer/)
  })

  test(named('a path that no socket can have: code 11'), async () => {
    assertFailed(await call('ADD', configFor(`/${'x'.repeat(300)}`)), CNI_ERROR.tryAgainLater, /does not answer/)
  })

  test(named('an agent that accepts and is silent: code 11 when the deadline is over'), async () => {
    const agent = await listening(`mute-${client.name}`, () => undefined)
    const reply = await call('ADD', configFor(agent))
    assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
    assert.match(String(reply.body?.['details']), /nothing came within 2 s/)
  })

  test(named('an agent that hangs up: code 11'), async () => {
    const reply = await call('ADD', configFor(await hangingUp(`gone-${client.name}`, '')))
    assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
  })

  test(named('an agent that dies in the middle of its answer: code 11'), async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"exitCode":0,"bo'
    const reply = await call('ADD', configFor(await hangingUp(`half-${client.name}`, half)))
    assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
  })

  for (const text of [
    'not JSON',
    '{"error":"no such thing as POST /cni"}',
    '{"exitCode":7,"body":null}',
    'null',
    '{"exitCode":0}',
  ])
    test(named(`somebody else on the socket, who says ${text}: code 11`), async () => {
      const reply = await call('ADD', configFor(await listening(`other-${client.name}-${text.length}`, () => text)))
      assertFailed(reply, CNI_ERROR.tryAgainLater, /does not answer/)
      assert.match(String(reply.body?.['details']), /no agent of this release/)
    })
}

test('VERSION does not read standard input', async () => {
  const readConfig = () => assert.fail('standard input was read')
  const { exitCode } = await answerCall({ environment: { CNI_COMMAND: 'VERSION' }, readConfig, deadlineMs: 1 })
  assert.equal(exitCode, 0)
})

/** The twin, where it cannot be watched. */
const other = watched(join(directory, 'watched')) ?? twin
if (other !== undefined)
  test('whatever is on standard input, both programs judge alike', async () => {
    await fc.assert(
      fc.asyncProperty(configurations, async config => {
        const call = { environment: { CNI_COMMAND: 'ADD' }, config }
        const replies = await Promise.all([scripted.answer(call), other.answer(call)])
        const [ours, theirs] = replies.map(({ exitCode, body }) => [exitCode, body?.['code'], body?.['cniVersion']])
        assert.deepEqual(theirs, ours)
      }),
      { numRuns: 300 },
    )
  })

/** Whole configurations, almost whole ones, and such as were cut or changed at one place. */
const whole = fc
  .tuple(
    fc.constantFrom('"1.0.0"', '"1.1.0"', '"1.\\u0030.0"', '"9.9.9"', '1.0', '[]', '{"a":[]}', 'null'),
    fc.constantFrom('"/nowhere/agent.sock"', '"\\/nowhere\\/a"', '7', 'null', '""', '{}'),
    fc.json(),
    fc.constantFrom('', ' ', '\n\t'),
  )
  .map(
    ([version, agent, rest, blank]) => `${blank}{"cniVersion":${version},${blank}"x":${rest},"agent"${blank}:${agent}}${blank}`,
  )
const configurations = fc.oneof(
  whole,
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.tuple(whole, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1))),
  fc
    .tuple(whole, fc.nat(), fc.constantFrom('"', '\\', '{', ']', ',', ':', '0', '-', 'e', '\u0000', '\\u12', 'tru'))
    .map(([text, at, other]) => `${text.slice(0, at % text.length)}${other}${text.slice((at % text.length) + 1)}`),
)

function configFor(agent: string): string {
  return JSON.stringify({ cniVersion: '1.1.0', name: 'cali', type: 'cali', agent })
}

/** Answers every request with what `answer` makes of its body, or with nothing at all. */
function listening(name: string, answer: (body: string) => string | undefined): Promise<string> {
  const path = join(directory, `${name}.sock`)
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const text = answer(body)
    if (text !== undefined) response.end(text)
  })
  servers.push(server)
  return new Promise(resolve => server.listen(path, () => resolve(path)))
}

/** Says the text to whoever has said something, and closes. */
function hangingUp(name: string, text: string): Promise<string> {
  const path = join(directory, `${name}.sock`)
  const server = createPlainServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(text))
  })
  servers.push(server)
  return new Promise(resolve => server.listen(path, () => resolve(path)))
}

function assertFailed({ exitCode, body }: CniReply, code: number, says: RegExp): void {
  assert.equal(exitCode, 1)
  assert.equal(body?.['code'], code, JSON.stringify(body))
  assert.match(String(body['msg']), says)
}
