/** etcd is away, and agents are started anew meanwhile: they go on with what they last saw of it. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import type { Etcd } from '../lab/etcd.ts'
import type { Lab } from '../lab/lab.ts'
import { flood } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { createEtcdLab, type EtcdLab } from './etcd-lab.ts'
import { listenToKernel } from './listen.ts'
import { kernelState } from './meddlings.ts'

let etcd: Etcd
let lab: Lab
let whole: EtcdLab
before(async () => {
  whole = await createEtcdLab(topology(1, 3, 1))
  ;({ etcd, lab } = whole)
})
after(() => whole[Symbol.asyncDispose]())

test('P7: agents started without etcd find their peers by their copy, and nobody cuts them off; without the copy they have none', {
  timeout: 180_000,
}, async () => {
  const states = new Map(lab.nodes.map(({ name }) => [name, kernelState(name)]))
  const pinging = flood(lab, 'a1-p1', lab.pod('a2-p1').address)
  await pinging.flowing()
  await using news = await listenToKernel(lab, 'a1')
  const [member] = etcd.members
  await member?.kill()
  await everyAgent(lab, 'all to be stale', ({ datastore }) => datastore.state === 'stale')

  await lab.agents.kill('a3')
  rmSync(`${lab.runDir}/a3.copy.json`)
  await lab.agents.start('a3')
  await everyAgent(lab, 'a3 to know that etcd is away', ({ datastore }) => datastore.state === 'stale', { nodes: ['a3'] })
  assert.deepEqual((await agentStatus('a3')).bgp.peers, [], 'P0: without the copy it knows nobody')

  await lab.agents.restart('a2')
  await lab.agents.restart('a1')
  const copied = await everyAgent(
    lab,
    'a1 and a2 to speak again',
    ({ bgp, routes }) =>
      bgp.peers.some(
        ({ name, state, stale }) => name.startsWith('a') && name !== 'a3' && state === 'established' && stale === 0,
      ) && routes.some(({ kind, state }) => kind === 'remote' && state === 'installed'),
    { nodes: ['a1', 'a2'] },
  )
  for (const { datastore, bgp } of copied) {
    assert.equal(datastore.state, 'stale')
    assert.match(datastore.error ?? '', /acting from the copy of 20\d\d-/)
    assert.equal(datastore.since, /copy of (\S+)/.exec(datastore.error ?? '')?.[1])
    assert.equal(bgp.originated.length, 1)
  }
  const said = await lab.calictl(['node', 'status', 'a1'])
  assert.match(said.stdout + said.stderr, /from the copy of/)

  member?.start()
  await etcd.ready()
  await everyAgent(lab, 'all to be in sync', status => status.datastore.state === 'in-sync' && meshIsUp(lab)(status))
  const { lostSequences, sent } = await pinging.stop()
  assert.ok(sent > 300, `${sent} pings`)
  assert.deepEqual(lostSequences, [])
  for (const { name } of lab.nodes) assert.deepEqual(kernelState(name), states.get(name), name)
  assert.deepEqual(
    news.heard().filter(line => line.startsWith('Deleted')),
    [],
    'nothing flaps',
  )
})
