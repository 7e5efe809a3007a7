/** What changed in the cluster while an agent was down is cleaned at its start, and nothing else is. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { prefix, samePrefix } from '@network/base/net/prefix.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { createOf, getOf, listOf, updateOf } from '@network/datastore/records.ts'
import { BLOCK_AFFINITY, type BlockAffinity } from '@network/model/resources/block-affinity.ts'
import { IPAM_BLOCK, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { ping } from '../lab/ping.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { hostInterfaceOf } from './frozen.ts'
import { kernelState, layBait } from './meddlings.ts'

const OURS = ' proto 80 metric 1024 '
/** A block of a1 that nobody uses, until it moves. */
const SPARE = prefix('10.244.100.0/26')
const CLEANED = millis(5000)
const context = { signal: new AbortController().signal }

let lab: Lab
let store: Datastore
before(async () => {
  lab = await createLab(topology(2, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: systemClock, random: systemRandom })
  await createOf(store, BLOCK_AFFINITY, { block: SPARE, node: 'a1', state: 'confirmed' }, context)
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  await until(() => has('a1', 'blackhole 10.244.100.0/26'), { clock: lab.clock, what: 'the spare block' })
})
after(async () => {
  await store[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

test('P8: a peer that left, blocks that moved, a pod that went while the agent was down: gone 5 s after its start, bait untouched', async () => {
  const leaver = await lab.cniAdd('a1', 'leaver')
  const stray = await hostInterfaceOf(lab, 'leaver')
  const blockOf = async (node: string) =>
    (await agentStatus('a1')).routes.find(route => route.node === node)?.destination ?? assert.fail(`no block of ${node}`)
  const [goes, moves] = [await blockOf('b2'), await blockOf('b1')]
  await layBait(lab, 'a1')
  const before = kernelState('a1')
  const foreign = before.filter(row => !row.includes(OURS) || row.includes(' table '))

  await lab.agents.kill('a1', 'SIGKILL')
  await lab.agents.kill('b2', 'SIGKILL')
  const { exitCode, stderr } = await lab.calictl(['node', 'delete', 'b2', '--force'])
  assert.equal(exitCode, 0, stderr)
  await moveBlocks(({ node, block }) => node === 'b1' || samePrefix(block, SPARE), 'a2')
  await removeEndpoint('leaver')
  await everyAgent(
    lab,
    'a2 to own the blocks',
    ({ bgp }) => [moves, '10.244.100.0/26'].every(block => bgp.originated.includes(block)),
    {
      nodes: ['a2'],
    },
  )
  assert.deepEqual(kernelState('a1'), before, 'P0: while the agent is down all that is stale stays')

  await lab.agents.start('a1')
  const { address: a2 } = lab.node('a2')
  // b1 lost its only block, takes another one for its tunnel address, and may have taken the one that b2 left.
  const heir = (await agentStatus('b1')).bgp.originated.includes(goes)
  const isClean = (rows: readonly string[]) =>
    [`${moves} via ${a2} dev eth0${OURS}`, `10.244.100.0/26 via ${a2} dev eth0${OURS}`].every(text =>
      rows.some(row => row.includes(text)),
    ) &&
    ![...(heir ? [] : [`route ${goes} via`]), ` ${leaver.address}/32 dev`].some(text =>
      rows.some(row => row.includes(text) && row.includes(OURS)),
    )
  await until(() => isClean(kernelState('a1')), {
    clock: lab.clock,
    what: 'a1 to be clean',
    within: CLEANED,
    instead: () => kernelState('a1').join('\n'),
  })
  const rows = kernelState('a1')
  assert.deepEqual(
    foreign.filter(row => !rows.includes(row)),
    [],
    'nothing of others is gone',
  )
  await everyAgent(lab, 'a1 to be content', ({ converged }) => converged, { nodes: ['a1'], within: CLEANED })
  assert.match((await agentStatus('a1')).problems.join('\n'), new RegExp(`interface ${stray} belongs to no pod of this node`))
  assert.equal((await ping(lab, 'a1-p1', lab.pod('a2-p1').address)).received, 3, 'what stayed works')
})

test('P8: a peer that leaves while the agent runs: its route is gone within 5 s', async () => {
  await lab.agents.kill('b1', 'SIGKILL')
  const { exitCode, stderr } = await lab.calictl(['node', 'delete', 'b1', '--force'])
  assert.equal(exitCode, 0, stderr)
  await everyAgent(
    lab,
    'b1 to be forgotten',
    ({ routes, bgp }) => [...routes.map(({ node }) => node), ...bgp.peers.map(({ name }) => name)].every(name => name !== 'b1'),
    {
      nodes: ['a1', 'a2'],
      within: CLEANED,
    },
  )
})

function has(node: string, text: string): boolean {
  return kernelState(node).some(row => row.includes(text))
}

/** As if the one had released them and the other claimed them. */
async function moveBlocks(moved: (block: BlockAffinity) => boolean, to: string): Promise<void> {
  for (const affinity of (await listOf(store, BLOCK_AFFINITY, context)).read) {
    const { value } = affinity
    if (!moved(value)) continue
    const written = await updateOf(store, BLOCK_AFFINITY, { ...affinity, value: { ...value, node: to } }, context)
    assert.equal(written.is, 'written')
    const block = await getOf(store, IPAM_BLOCK, ipamBlockKey(value.block), context)
    if (block !== undefined) await updateOf(store, IPAM_BLOCK, { ...block, value: { ...block.value, node: to } }, context)
  }
}

async function removeEndpoint(pod: string): Promise<void> {
  const found = (await listOf(store, WORKLOAD_ENDPOINT, context)).read.find(({ value }) => value.pod === pod)
  assert.equal(found && (await store.delete(found.key, found.revision, context)).is, 'deleted')
}
