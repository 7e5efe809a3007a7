/** Bad input from every side, on real nodes: refused with a sentence, and nobody else blinks. Needs no ipip. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import type { AgentStatus } from '@network/model/status.ts'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import { socketOf } from '../lab/agents.ts'
import type { Outcome } from '../lab/command.ts'
import { addNamespace, removeFabric } from '../lab/fabric.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { CNI_PLUGIN, NETNS_DIR, program } from '../lab/paths.ts'
import { callCni } from '../lab/pods.ts'
import { topology } from '../lab/topology.ts'
import { must } from './frozen.ts'

/** A machine that is no node: nothing but loopback. */
const BARE = 'bare'
/** Its own, for /run is the lab's. */
const BARE_RUN_DIR = '/run/cali-bare'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 3, 0), { pool: { cidr: '10.244.0.0/26', ipip: 'Never' } })
  await addNamespace(BARE)
  mkdirSync(BARE_RUN_DIR)
  await everyAgent(
    lab,
    'both sessions of each',
    ({ bgp }) => bgp.peers.filter(({ state }) => state === 'established').length === 2,
  )
})
after(async () => {
  await removeFabric([BARE])
  await lab[Symbol.asyncDispose]()
})

const CONFIGS: readonly (readonly [what: string, config: string, code: number, says: RegExp])[] = [
  ['malformed JSON', '{"cniVersion": "1.0.0", ', 6, /not JSON/],
  ['an unknown version', '{"cniVersion": "7.0.0", "name": "cali", "type": "cali"}', 1, /cniVersion is "7\.0\.0"/],
]
for (const [what, config, code, says] of CONFIGS)
  test(`${what} on the plugin's standard input: code ${code}`, async () => {
    const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'x', CNI_NETNS: `${NETNS_DIR}/${BARE}`, CNI_IFNAME: 'eth0' }
    refusedWith(await lab.exec('a1', [CNI_PLUGIN], { input: config, env }), code, says)
  })

test('a namespace that is missing, that is a plain file, that is the node itself: refused, and nothing is left', async () => {
  writeFileSync(`${NETNS_DIR}/plain`, '')
  refusedWith(await add('a1', 'nowhere'), 3, /\/run\/netns\/nowhere.*no such file/i)
  refusedWith(await add('a1', 'plain'), 3, /\/run\/netns\/plain: it is not a network namespace/)
  refusedWith(await add('a1', 'a1'), 4, /\/run\/netns\/a1: it is the node's own network namespace/)
  assert.equal(await handles(), '')
})

test('a pool of one block: the first node has it, the others answer code 100 with the mend, and P0: a second pool serves them', async () => {
  const answers = []
  for (const node of ['a1', 'a2', 'a3']) answers.push(await add(node, BARE))
  const [refused, ...more] = answers.filter(({ exitCode }) => exitCode !== 0)
  assert.ok(refused !== undefined && more.length === 1, answers.map(({ stdout }) => stdout).join('\n'))
  for (const answer of [refused, ...more])
    refusedWith(
      answer,
      100,
      /no address is free in default; create a further pool, or see who holds addresses: calictl ipam show/,
    )
  for (const node of ['a1', 'a2', 'a3']) assert.equal((await callCni({ command: 'DEL', node, pod: BARE })).exitCode, 0)
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'second', '--cidr', '10.245.0.0/24')
  for (const node of ['a1', 'a2', 'a3']) {
    assert.equal((await add(node, BARE)).exitCode, 0, node)
    assert.equal((await callCni({ command: 'DEL', node, pod: BARE })).exitCode, 0)
  }
})

const MARKER = '\\xff'.repeat(16)
const RUBBISH: readonly (readonly [what: string, bytes: string, answer: string])[] = [
  ['HTTP', 'GET / HTTP/1.1\\r\\nHost: cali\\r\\n\\r\\n', '03 01 01'],
  ['zeros', '\\x00'.repeat(64), '03 01 01'],
  ['a length of 65535', `${MARKER}\\xff\\xff\\x02`, '03 01 02'],
  ['a length of 1', `${MARKER}\\x00\\x01\\x04`, '03 01 02'],
  ['a type that there is not', `${MARKER}\\x00\\x13\\x63`, '03 01 03'],
  ['an UPDATE before all else', `${MARKER}\\x00\\x17\\x02\\x00\\x00\\x00\\x00`, '03 05 01'],
]
test('a peer that sends rubbish to port 179: NOTIFICATION, a line in the log, and the sessions of others do not blink', async () => {
  await lab.agents.kill('a3')
  const before = await agentStatus('a1')
  for (const [what, bytes, answer] of RUBBISH) {
    const { stdout } = await saidTo179('a3', bytes)
    assert.match(stdout.replaceAll(/\s+/g, ' '), new RegExp(`ff 00 1[5-9a-f] ${answer}`), `${what}: ${stdout}`)
  }
  await saidTo179('a3', '', 'head -c 1000000 /dev/urandom >&3')
  await saidTo179('router', 'I am no peer')
  const after = await agentStatus('a1')
  assert.equal(after.pid, before.pid)
  assert.deepEqual(sessionWith(after, 'a2'), sessionWith(before, 'a2'))
  const said = after.bgp.peers.find(({ name }) => name === 'a3')
  assert.match(said?.lastError ?? '', /\S/)
  assert.match(lab.agents.log('a1'), /"peer":"172\.16\.20\.13"[^\n]*the octets received are no BGP message/)
  await lab.agents.start('a3')
  await everyAgent(lab, 'a3 to be back', status => sessionWith(status, 'a3')?.state === 'established', { nodes: ['a1'] })
  assert.deepEqual(sessionWith(await agentStatus('a1'), 'a2'), sessionWith(before, 'a2'))
})

test('a node with no usable address: the agent says which there are, and how to name one', async () => {
  const flags = ['--node-name', BARE, '--node-id', BARE]
  endedWith(await agentOn(BARE, flags), 1, /no default route.*the addresses here are none; name one with --node-ip/)
  await must(lab, BARE, 'sh', '-c', 'ip link add u0 type veth peer name u1; ip addr add 192.0.2.9/24 dev u0; ip link set u0 up')
  endedWith(await agentOn(BARE, flags), 1, /the addresses here are 192\.0\.2\.9\/24; name one with --node-ip/)
  const wrong = await agentOn(BARE, [...flags, '--node-ip', '192.0.2.10'])
  endedWith(wrong, 1, /address 192\.0\.2\.10: no interface of this node has it; the addresses here are 192\.0\.2\.9\/24/)
  endedWith(
    await agentOn(BARE, [...flags, '--node-ip', '127.0.0.1']),
    2,
    /must be an address of this node that other nodes reach/,
  )
})

test('a second node with the same name or address is refused with both named; P0: with its own it starts', async () => {
  const { address, machineId } = lab.node('a1')
  const before = await agentStatus('a1')
  const named = await agentOn(BARE, ['--node-name', 'a1', '--node-id', 'other', '--node-ip', '192.0.2.9'])
  endedWith(
    named,
    1,
    new RegExp(`name belongs to machine ${machineId} at ${address}, and this is machine other at 192\\.0\\.2\\.9`),
  )
  await must(lab, BARE, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'u0')
  const addressed = await agentOn(BARE, ['--node-name', BARE, '--node-id', BARE, '--node-ip', address])
  endedWith(addressed, 1, new RegExp(`register node ${BARE}: its address ${address} already belongs to node a1`))
  const { id, address: stays, bgp } = await agentStatus('a1')
  assert.deepEqual([id, stays, bgp.peers], [before.id, before.address, before.bgp.peers])

  const running = lab.spawnIn(BARE, [...agentWords(['--node-name', BARE, '--node-id', BARE, '--node-ip', '192.0.2.9'])])
  const isIn = (status: AgentStatus) => status.bgp.peers.some(({ name }) => name === BARE)
  await everyAgent(lab, 'a1 to hear of it', isIn, { nodes: ['a1'] })
  running.kill('SIGTERM')
  await running.ended
  assert.match((await lab.calictl(['node', 'delete', BARE])).stdout, new RegExp(BARE))
})

test('an agent beside a live one, and one that may not write its run-dir: exit status 1, and the live one goes on', async () => {
  const { address, machineId } = lab.node('a1')
  const before = await agentStatus('a1')
  const flags = ['--node-name', 'a1', '--node-id', machineId, '--node-ip', address]
  const second = await agentOn('a1', flags, lab.runDir)
  endedWith(second, 1, new RegExp(`cannot listen on ${socketOf('a1')}: another agent answers there; stop it`))
  endedWith(await agentOn('a1', flags, '/proc/cali'), 1, /cannot listen on \/proc\/cali\/a1\.sock: .*--run-dir/)
  const after = await agentStatus('a1')
  assert.deepEqual([after.pid, after.bgp.peers], [before.pid, before.bgp.peers])
})

function add(node: string, pod: string): Promise<Outcome> {
  return callCni({ command: 'ADD', node, pod })
}

async function handles(): Promise<string> {
  const list = Object(await lab.calictlJson(['workload', 'get']))
  return [...list.items].map(({ metadata }) => metadata.name).join(' ')
}

function refusedWith({ exitCode, stdout }: Outcome, code: number, says: RegExp): void {
  assert.equal(exitCode, 1, stdout)
  const error = JSON.parse(stdout)
  assert.equal(error.code, code, stdout)
  assert.match(error.msg, says)
}

function agentWords(flags: readonly string[], runDir = BARE_RUN_DIR): string[] {
  return [...program('agent'), ...flags, '--run-dir', runDir]
}

function agentOn(where: string, flags: readonly string[], runDir?: string): Promise<Outcome> {
  return lab.exec(where, agentWords(flags, runDir), { timeoutMs: 60_000 })
}

function endedWith({ exitCode, stderr }: Outcome, status: number, says: RegExp): void {
  assert.equal(exitCode, status, stderr)
  assert.match(stderr, says)
}

/** Opens a connection to a1's speaker, says the bytes, and prints in hexadecimal what comes back until the end. */
function saidTo179(where: string, bytes: string, more = ':'): Promise<Outcome> {
  const { address } = lab.node('a1')
  const script = `exec 3<>/dev/tcp/${address}/179; printf '${bytes}' >&3; ${more}; od -An -v -tx1 <&3`
  return lab.exec(where, ['timeout', '10', 'bash', '-c', script])
}

function sessionWith({ bgp }: AgentStatus, name: string) {
  const peer = bgp.peers.find(each => each.name === name)
  return peer === undefined ? undefined : { state: peer.state, since: peer.since, flaps: peer.flaps, received: peer.received }
}
