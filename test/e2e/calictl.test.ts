/** calictl against agents that work, that are dead, and that have lost their store. */
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { hostInterfaceOf, must } from './frozen.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

/** One line of a table, by the heads of its columns. */
function rowOf(table: string, name: string): ReadonlyMap<string, string> {
  const [head = '', ...rows] = table.split('\n').map(line => line.split(/ {2,}/))
  const row = rows.find(cells => cells.includes(name)) ?? assert.fail(`${name} is not in\n${table}`)
  return new Map([...head].map((column, at) => [column, row[at] ?? '']))
}

/** What `ip` tells of one link. */
async function linkIn(where: string, device: string): Promise<{ ifindex: number; link_index: number }> {
  const [link] = JSON.parse(await must(lab, where, 'ip', '-j', 'link', 'show', 'dev', device))
  return link
}

const endsOf = async (pod: string) => {
  const { stdout } = await lab.calictl(['workload', 'get', pod, '-o', 'wide'])
  const row = rowOf(stdout, pod)
  return ['INTERFACE', 'PRESENT', 'IFINDEX', 'IN POD', 'POD IFINDEX'].map(column => row.get(column))
}

test('M5: workload get -o wide names both ends of the pair with the indexes that ip tells in both namespaces', async () => {
  for (const pod of ['a1-p1', 'a2-p1']) {
    const device = await hostInterfaceOf(lab, pod)
    const host = await linkIn(pod.slice(0, 2), device)
    const inside = await linkIn(pod, 'eth0')
    assert.deepEqual([host.link_index, inside.link_index], [inside.ifindex, host.ifindex])
    assert.deepEqual(await endsOf(pod), [device, 'yes', `${host.ifindex}`, 'eth0', `${inside.ifindex}`])
  }
})

test('node status: all is well is the first line, and nothing is wider than 120 columns', async () => {
  const { stdout, stderr, exitCode } = await lab.calictl(['node', 'status', '--check'])
  assert.deepEqual([exitCode, stderr], [0, ''])
  assert.match(stdout, /^All is well: 2 agents answer, 2 of 2 sessions established\n/)
  assert.deepEqual(
    stdout.split('\n').filter(line => line.length > 120),
    [],
  )
})

test('node status: a dead agent comes first, with what its peers suffer and what mends it', async () => {
  await lab.agents.kill('a2', 'SIGKILL')
  const down = ({ bgp }: { readonly bgp: { readonly peers: readonly { readonly lastError: string | null }[] } }) =>
    bgp.peers.some(({ lastError }) => lastError?.includes('ECONNREFUSED'))
  await everyAgent(lab, 'a connection that is refused', down, { nodes: ['a1'] })
  const { stdout, exitCode } = await lab.calictl(['node', 'status'])
  assert.equal(exitCode, 7)
  const [verdict, ...suffered] = stdout.split('\n\n')[0]?.split('\n') ?? []
  assert.equal(verdict, 'Not as it should be, 1 agent answers, 0 of 1 sessions established:')
  const told = suffered.join(' ').replace(/ +/g, ' ')
  assert.match(told, /^ a2: no answer from its agent: nobody listens on its socket; start cali-agent there; its routes stay/)
  assert.match(
    told,
    / a1: session with a2 \(172\.16\.20\.12\) is down \(\S+\): nobody listens there on port 179; start cali-agent on a2; its route stays/,
  )
  assert.equal((await lab.calictl(['node', 'status', '--check'])).exitCode, 1)
  assert.equal((await lab.calictl(['node', 'status', 'a2'])).exitCode, 5)
  await lab.agents.start('a2')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})

test('a store that is gone: who needs it says so, who does not goes on, and agents tell that they have lost it', async () => {
  const file = join(lab.runDir, 'cali.db')
  renameSync(file, `${file}.away`)
  const lost = await lab.calictl(['ippool', 'get'])
  assert.deepEqual([lost.exitCode, lost.stdout], [5, ''])
  assert.match(
    lost.stderr,
    /cannot open datastore \S+: there is no such file; .*\nnote: calictl node status and calictl route get ADDRESS ask/,
  )
  const route = await lab.calictl(['route', 'get', lab.pod('a1-p1').address])
  assert.deepEqual([route.exitCode, route.stderr], [0, ''])
  const told = await until(
    async () => {
      const { stdout, exitCode } = await lab.calictl(['node', 'status', '--check'])
      return exitCode === 1 && ['a1', 'a2'].every(node => stdout.includes(`${node}: its datastore`)) && stdout
    },
    { clock: lab.clock, what: 'agents to notice' },
  )
  assert.match(
    told,
    /^Not as it should be, .*:\n {2}a1: its datastore \S+ is stale since\s+20\S+ [\s\S]*;\s+traffic\s+goes\s+on\s+as\s+it\s+was\n/,
  )
  renameSync(`${file}.away`, file)
  await until(async () => (await lab.calictl(['node', 'status', '--check'])).exitCode === 0, {
    clock: lab.clock,
    what: 'agents to find it again',
  })
})

test('M5: an end that is gone has no index', async () => {
  const device = await hostInterfaceOf(lab, 'a1-p1')
  await must(lab, 'a1', 'ip', 'link', 'delete', device)
  const gone = await until(
    async () => {
      const ends = await endsOf('a1-p1')
      return ends[1] === 'no' && ends
    },
    { clock: lab.clock, what: 'the agent to see it' },
  )
  assert.deepEqual(gone, [device, 'no', '-', 'eth0', '-'])
})
