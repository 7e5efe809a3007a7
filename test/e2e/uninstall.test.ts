/** `cali-agent uninstall` leaves no trace: what was on a node before Cali came is there again, to the last setting. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { AgentStatus } from '@network/model/status.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { program } from '../lab/paths.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { must } from './frozen.ts'
import { layBait } from './meddlings.ts'
import { difference, type Traces, tracesOf, uninstallOn } from './traces.ts'

let lab: Lab
let bare: Traces
before(async () => {
  lab = await createLab(topology(1, 3, 2), { agents: false })
  await layBait(lab, 'a1')
  // As somebody's hand left it: turning ip_forward on and off would turn these too.
  await must(lab, 'a1', 'sh', '-ec', 'cd /proc/sys/net/ipv4/conf; echo 1 >lo/forwarding; echo 0 >all/accept_redirects')
  bare = await tracesOf(lab, 'a1')
  await Promise.all(lab.nodes.map(({ name }) => lab.agents.start(name)))
  await must(lab, 'router', 'calictl', 'ippool', 'create', 'default', '--cidr', '10.244.0.0/16', '--vxlan', 'Always')
  await Promise.all(lab.topology.pods.map(({ node, name }) => lab.cniAdd(node, name)))
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('P9: it refuses while the agent runs, and where the name is another machine’s, and changes nothing', async () => {
  const installed = await tracesOf(lab, 'a1')
  for (const name of ['links', 'routes', 'settings']) assert.notDeepEqual(installed[name], bare[name], `P0: ${name}`)
  const alive = await uninstallOn(lab, 'a1')
  assert.equal(alive.exitCode, 1)
  assert.match(alive.stderr, /its agent still runs and answers on \/run\/cali\/a1\.sock; stop it first; nothing was changed/)
  await lab.agents.kill('a1')
  const other = await uninstallOn(lab, 'a1', ['--node-id', 'another'])
  assert.equal(other.exitCode, 1)
  assert.match(other.stderr, /that name belongs to machine \w{32}, and this is machine another/)
  assert.deepEqual(difference(installed, await tracesOf(lab, 'a1')), [])
})

test('P9: nothing of ours is left in kernel, datastore and file system; bait stays; former settings are back', async () => {
  const { stdout, stderr, exitCode } = await uninstallOn(lab, 'a1')
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout, /removed: route 10\.244\.\S+ via 10\.244\.\S+ dev vxlan\.cali onlink proto 80 metric 1024/)
  assert.match(stdout, /removed: device vxlan\.cali/)
  assert.match(stdout, /removed: net\/ipv4\/ip_forward is 0 again/)
  assert.match(stdout, /node a1 is uninstalled/)
  assert.match(stderr, /left: interface calibbbbbbbbbbb looks like a pod's, but no endpoint names it/)
  assert.deepEqual(difference(bare, await tracesOf(lab, 'a1')), [])
  assert.deepEqual(await documentsOf('a1'), [])
  assert.deepEqual(
    readdirSync(lab.runDir).filter(file => file.startsWith('a1')),
    [],
  )
  const isForgotten = ({ bgp, routes }: AgentStatus) =>
    ![...bgp.peers.map(({ name }) => name), ...routes.map(({ node }) => node)].includes('a1')
  await everyAgent(lab, 'the others to forget it', isForgotten, { nodes: ['a2', 'a3'] })
  assert.equal((await ping(lab, 'a2-p1', lab.pod('a3-p1').address)).received, 3, 'the others go on')
})

test('P9: a second time it finds nothing and is content', async () => {
  const { stdout, exitCode } = await uninstallOn(lab, 'a1')
  assert.deepEqual([exitCode, stdout.trim()], [0, 'nothing of node a1 is here'])
  assert.deepEqual(difference(bare, await tracesOf(lab, 'a1')), [])
})

test('a node that was uninstalled can be installed again, and left again after a crash', async () => {
  await lab.agents.start('a1')
  await lab.cniAdd('a1', 'again')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  assert.equal((await ping(lab, 'again', lab.pod('a2-p1').address)).received, 3)
  assert.match((await agentStatus('a1')).problems.join('\n'), /interface calibbbbbbbbbbb belongs to no pod/)
  await lab.agents.kill('a1', 'SIGKILL')
  const { stderr, exitCode } = await uninstallOn(lab, 'a1')
  assert.equal(exitCode, 0, stderr)
  assert.deepEqual(difference(bare, await tracesOf(lab, 'a1')), [])
})

test('every command of the agent has help with an example, and an unknown one is a usage error', async () => {
  for (const command of [[], ['run'], ['uninstall']]) {
    const { stdout, exitCode } = await lab.exec('a1', [...program('agent'), ...command, '--help'])
    assert.equal(exitCode, 0)
    assert.match(stdout, new RegExp(`Example:\n  ${['cali-agent', ...command].join(' ')} --`))
  }
  assert.equal((await lab.exec('a1', [...program('agent'), 'reinstall'])).exitCode, 2)
})

/** Keys of all documents that name the node. */
async function documentsOf(node: string): Promise<string[]> {
  await using store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: systemClock, random: systemRandom })
  const { entries } = await store.list('/', { signal: new AbortController().signal })
  assert.ok(entries.length > 0)
  // What other nodes last said of their sessions is theirs, and changes when they have forgotten it.
  const isTheirs = (key: string) => key.startsWith('/cali/aside/v1/nodestatuses/') && !key.endsWith(`/${node}`)
  return entries
    .filter(({ key, document }) => !isTheirs(key) && JSON.stringify(document).includes(`"${node}"`))
    .map(({ key }) => key)
}
