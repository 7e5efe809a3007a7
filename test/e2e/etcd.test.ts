/** Four nodes on etcd: it goes and comes back, and nobody on the network notices. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import type { Etcd } from '../lab/etcd.ts'
import type { Lab } from '../lab/lab.ts'
import { flood, ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { createEtcdLab, type EtcdLab } from './etcd-lab.ts'
import { listenToKernel } from './listen.ts'
import { kernelState } from './meddlings.ts'

let etcd: Etcd
let lab: Lab
let whole: EtcdLab
before(async () => {
  whole = await createEtcdLab(topology(2, 2, 1))
  ;({ etcd, lab } = whole)
  await letBorrow()
})
after(() => whole[Symbol.asyncDispose]())

test('P7: etcd goes: traffic flows, status says stale since, where nodes may borrow a new pod is asked to try again, an agent restarts; etcd comes back: nothing flaps', {
  timeout: 180_000,
}, async () => {
  assert.match(
    await etcd.ctl('get', '/lab/cali/v1/ippools/', '--prefix', '--keys-only'),
    /default/,
    'P0: it is etcd that they use',
  )
  const from = lab.pod('a1-p1')
  const to = lab.pod('a2-p1')
  assert.equal((await ping(lab, from.name, to.address)).received, 3, 'P1')
  const states = new Map(lab.nodes.map(({ name }) => [name, kernelState(name)]))
  const pinging = flood(lab, from.name, to.address)
  await pinging.flowing()
  await using news = await listenToKernel(lab, 'a1')
  const [member] = etcd.members
  await member?.kill()

  const stale = await everyAgent(lab, 'all to be stale', ({ datastore }) => datastore.state === 'stale')
  for (const { datastore } of stale) {
    assert.match(datastore.since, /^20\d\d-/)
    assert.match(datastore.error ?? '', /etcd:\/\/172\.16\.20\.1:2379\/lab/)
  }
  const said = await lab.calictl(['node', 'status', 'a1'])
  assert.match(said.stdout + said.stderr, /stale/)
  const refused = await lab.cni('ADD', 'b1', 'b1-p1')
  assert.notEqual(refused.exitCode, 0)
  assert.equal(JSON.parse(refused.stdout).code, 11, refused.stdout)
  assert.match(refused.stdout, /has not answered since 20\d\d-.* other nodes may borrow addresses of its blocks/)

  const before = kernelState('a2')
  await lab.agents.restart('a2')
  const waiting = await agentStatus('a2')
  assert.notEqual(waiting.datastore.state, 'in-sync')
  assert.deepEqual(kernelState('a2'), before, 'an agent that knows nothing changes nothing')
  const later = await lab.cni('ADD', 'a2', 'a2-p1')
  assert.equal(JSON.parse(later.stdout).code, 11, later.stdout)

  member?.start()
  await etcd.ready()
  await everyAgent(lab, 'all to be in sync', status => status.datastore.state === 'in-sync' && meshIsUp(lab)(status))
  await until(async () => (await ping(lab, 'b1-p1', lab.pod('b2-p1').address, 1)).received === 1, {
    clock: lab.clock,
    what: 'the others',
  })
  const { lostSequences, sent } = await pinging.stop()
  assert.ok(sent > 500, `${sent} pings`)
  assert.deepEqual(lostSequences, [])
  for (const { name } of lab.nodes) assert.deepEqual(kernelState(name), states.get(name), name)
  const deletions = news.heard().filter(line => line.startsWith('Deleted'))
  assert.deepEqual(deletions, [], 'nothing flaps')
})

test('keys that are not JSON are named by every agent, and all else goes on', { timeout: 120_000 }, async () => {
  for (const key of ['/lab/cali/v1/nodes/spoilt', '/lab/cali/v1/strangers/x']) await etcd.ctl('put', key, '{')
  const named = (problems: readonly string[]) =>
    ['nodes/spoilt cannot be read', 'strangers/x in the datastore is not JSON'].every(text =>
      problems.some(problem => problem.includes(text)),
    )
  await everyAgent(lab, 'both to be named', ({ problems }) => named(problems))
  await lab.agents.restart('a1')
  await everyAgent(
    lab,
    'both to be named after a restart too',
    ({ datastore, problems }) => datastore.state === 'in-sync' && named(problems),
  )
  await lab.mustCalictl(['ippool', 'set', '--nat-outgoing'])
  await everyAgent(lab, 'a change to pass', ({ pools }) => pools[0]?.natOutgoing === true)
  for (const key of ['/lab/cali/v1/nodes/spoilt', '/lab/cali/v1/strangers/x']) await etcd.ctl('del', key)
  await everyAgent(lab, 'nothing to be named', ({ problems }) => !problems.some(problem => /spoilt|strangers/.test(problem)))
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})

test('an agent that etcd does not let in waits for that, says so, and goes on when it is let in', {
  timeout: 120_000,
}, async () => {
  await etcd.ctl('user', 'add', 'root:top')
  await etcd.ctl('user', 'grant-role', 'root', 'root')
  await etcd.ctl('auth', 'enable')
  try {
    await lab.agents.restart('a1')
    const problems = async () => (await agentStatus('a1')).problems.join()
    const wait = { clock: lab.clock, what: 'the refusal to be told', instead: problems }
    await until(async () => /not registered yet, .*user name is empty/.test(await problems()), wait)
    assert.equal((await ping(lab, 'a1-p1', lab.pod('a2-p1').address)).received, 3, 'traffic flows')
  } finally {
    await etcd.ctl('--user', 'root:top', 'auth', 'disable')
  }
  await everyAgent(lab, 'all to be registered', ({ problems }) => !/not registered/.test(problems.join()))
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})

test('calictl carries the cluster from etcd into a file and back into etcd', { timeout: 120_000 }, async () => {
  const file = `sqlite:${lab.runDir}/copy.db`
  const there = await lab.mustCalictl(['datastore', 'migrate', '--from', etcd.url('/lab'), '--to', file])
  assert.match(there, /^sqlite:.* holds the \d+ documents of etcd:.*, checked: \d+ created, 0 updated, 0 deleted/)
  await lab.mustCalictl(['datastore', 'migrate', '--from', file, '--to', etcd.url('/back')])
  const exported = (prefix: string) => lab.mustCalictl(['--datastore', etcd.url(prefix), 'datastore', 'export'])
  assert.equal(await exported('/back'), await exported('/lab'))
  const again = await lab.mustCalictl(['datastore', 'migrate', '--from', file, '--to', etcd.url('/back')])
  assert.match(again, /nothing was left to do/)
})

/** Then nobody knows what is free without asking. */
async function letBorrow(): Promise<void> {
  const file = `${lab.runDir}/borrowing.yaml`
  const head = 'apiVersion: projectcalico.org/v3\nkind: IPAMConfiguration\nmetadata: { name: default }'
  writeFileSync(file, `${head}\nspec: { strictAffinity: false }\n`)
  await lab.mustCalictl(['apply', '-f', file])
}
