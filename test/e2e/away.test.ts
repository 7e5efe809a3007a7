/** etcd is away: pods come and go out of their nodes' own blocks, agents are killed, and when it is back it is told exactly. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import type { Outcome } from '../lab/command.ts'
import { type Etcd, startEtcd } from '../lab/etcd.ts'
import { addNamespace, removeFabric } from '../lab/fabric.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { CNI_BY_NODE, type CniPlugin, staticCni } from '../lab/paths.ts'
import { flood, ping } from '../lab/ping.ts'
import { callCni } from '../lab/pods.ts'
import { ROUTER, topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { listenToKernel } from './listen.ts'

const COMING = ['s1', 's2', 's3', 's4']
let etcd: Etcd
let lab: Lab
before(async () => {
  const racks = topology(1, 3, 1)
  lab = await createLab(racks, {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    datastore: async () => {
      etcd = await startEtcd({ at: { where: ROUTER, address: racks.racks[0]?.gateway ?? '' } })
      return etcd.url('/lab')
    },
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  for (const pod of COMING) await addNamespace(pod)
})
after(async () => {
  await removeFabric(COMING)
  await lab[Symbol.asyncDispose]()
  await etcd[Symbol.asyncDispose]()
})

test('pods start while etcd is away, by both plugins, through kill -9; etcd is told exactly, and no route of the others moves', {
  timeout: 300_000,
}, async () => {
  const compiled = staticCni()
  const plugins: readonly CniPlugin[] = compiled === undefined ? [CNI_BY_NODE] : [CNI_BY_NODE, compiled]
  const pinging = flood(lab, 'a1-p1', lab.pod('a2-p1').address)
  await pinging.flowing()
  await using news = await listenToKernel(lab, 'a2')
  await using own = await listenToKernel(lab, 'a1')
  await etcdGoes()
  const before = lab.pods.map(({ address }) => address)
  assert.deepEqual(spoken(await status('a1')), [0, ''], 'STATUS: the node takes pods')

  const first = await add('a1', 's1', plugins[0])
  const second = await add('a1', 's2', plugins.at(-1))
  assert.notEqual(first, second)
  assert.equal((await ping(lab, 's1', lab.pod('a2-p1').address)).received, 3, 'a new pod reaches another node')
  assert.equal((await ping(lab, 'a3-p1', second)).received, 3, 'and is reached')
  assert.match(
    (await lab.calictl(['node', 'status', 'a1'])).stdout,
    /is stale since\s+20[\s\S]*2\s+endpoints\s+not\s+yet\s+written/,
  )

  const again = await call('ADD', 'a1', 's2')
  assert.equal(again.exitCode, 0, again.stdout)
  assert.match(again.stdout, new RegExp(`"${second}/32"`), 'ADD done twice has the same address')
  const prevResult: unknown = JSON.parse(again.stdout)
  assert.deepEqual(spoken(await callCni({ command: 'CHECK', node: 'a1', pod: 's2', fields: { prevResult } })), [0, ''])

  await lab.agents.kill('a1', 'SIGKILL')
  assert.equal((await ping(lab, 'a3-p1', first)).received, 3, 'the kernel carries on')
  await lab.agents.start('a1')
  await everyAgent(lab, 'a1 to know that etcd is away', ({ datastore }) => datastore.state === 'stale', { nodes: ['a1'] })
  assert.equal((await agentStatus('a1')).books.unwritten, 2, 'the next life knows of them')
  const third = await add('a1', 's3')
  assert.equal(new Set([first, second, third, ...before]).size, 3 + before.length, 'nothing is given twice')
  assert.equal((await ping(lab, 'a2-p1', third)).received, 3)

  assert.deepEqual(spoken(await del('a1', 's1')), [0, ''])
  assert.deepEqual(spoken(await del('a1', 's1')), [0, ''], 'DEL done twice')
  assert.equal(
    (await lab.routes('a1')).some(({ dst }) => dst === first),
    false,
    'gone from the kernel at once',
  )
  const fourth = await add('a1', 's4')
  assert.notEqual(fourth, first, 'not given again before etcd knows')
  assert.deepEqual(spoken(await del('a1', 'a1-p1')), [0, ''], 'a pod from before')
  const { stdout } = await lab.exec('a1', ['ip', '-o', 'link', 'show', 'type', 'veth'])
  assert.equal(stdout.match(/cali[0-9a-f]{11}/g)?.length, 3, stdout)

  const heardBefore = own.heard().length
  await etcdComes()
  await everyAgent(lab, 'etcd to be told', ({ books }) => books.unwritten === 0)
  assert.deepEqual(await written('a1'), { s2: second, s3: third, s4: fourth })
  for (const address of [second, third, fourth]) assert.match(await who(address), /default\/s[234]/)
  for (const address of [first, lab.pod('a1-p1').address]) assert.doesNotMatch(await who(address), /default\//)
  assert.match(await lab.mustCalictl(['ipam', 'check']), /all agree/)
  for (const address of [second, third, fourth]) assert.equal((await ping(lab, 'a3-p1', address)).received, 3)
  for (const heard of [news.heard(), own.heard().slice(heardBefore)])
    assert.deepEqual(
      heard.filter(line => line.startsWith('Deleted')),
      [],
      'nothing flaps',
    )
  await pinging.stop()
  for (const pod of ['s2', 's3', 's4']) assert.deepEqual(spoken(await del('a1', pod)), [0, ''])
  await until(async () => Object.keys(await written('a1')).length === 0, {
    clock: lab.clock,
    what: 'no endpoint',
    within: millis(10_000),
  })
  assert.match(await lab.mustCalictl(['ipam', 'check']), /all agree/)
})

test('an address that somebody took meanwhile is told of with both sides, and is had when he has gone; what is free is settled', {
  timeout: 300_000,
}, async () => {
  await etcdGoes()
  const contested = await add('a1', 's1')
  const free = await add('a1', 's2')
  // It must not tell before somebody was faster.
  await lab.agents.kill('a1', 'SIGKILL')
  etcd.members[0]?.start()
  await etcd.ready()
  const key = await takeByHand(contested)
  await lab.agents.start('a1')
  const [told] = await everyAgent(lab, 'a1 to tell of it', ({ books }) => books.notices.length === 1, { nodes: ['a1'] })
  const sentence =
    /10\.\S+ of pod default\/s1 here \(cni\.s1\.eth0, .*\): the datastore gave it to by\/hand of node z9 meanwhile \(by-hand\); delete one/
  assert.ok(
    told?.problems.some(problem => sentence.test(problem) && problem.startsWith(contested)),
    JSON.stringify(told?.problems),
  )
  assert.match(lab.agents.log('a1'), /conflict with the datastore/)
  assert.match((await lab.calictl(['events', 'a1'])).stdout, new RegExp(`Store\\s+${contested.replaceAll('.', '\\.')}\\s`))
  assert.match(await who(contested), /by\/hand/, 'nobody’s word is written over')
  assert.match(await who(free), /default\/s2/, 'what is free is settled')
  assert.equal((await ping(lab, 'a3-p1', free)).received, 3)
  const other = await add('a1', 's3')
  assert.notEqual(other, contested, 'a live pod’s address goes to nobody')
  assert.deepEqual((await written('a1'))['s1'], undefined)

  assert.match(key, /ipamblocks/)
  await lab.mustCalictl(['ipam', 'release', '--ip', contested, '--force'])
  await everyAgent(
    lab,
    'a1 to have it',
    ({ books, problems }) => books.unwritten === 0 && !problems.some(one => sentence.test(one)),
    {
      nodes: ['a1'],
      within: millis(90_000),
    },
  )
  assert.match(await who(contested), /default\/s1/)
  assert.equal((await written('a1'))['s1'], contested)
  assert.equal((await ping(lab, 'a3-p1', contested)).received, 3)
  for (const pod of ['s1', 's2', 's3']) assert.deepEqual(spoken(await del('a1', pod)), [0, ''])
})

/** As an administrator would: the address is written to the use of a node without an agent, which would free what it does not know. Returns the block's key. */
async function takeByHand(address: string): Promise<string> {
  const keys = (await etcd.ctl('get', '/lab/cali/v1/ipamblocks/', '--prefix', '--keys-only')).split('\n')
  const [, , third, fourth] = address.split('.').map(Number)
  const key =
    keys.find(one => one.endsWith(`-${third}-${((fourth ?? 0) >> 6) << 6}-26`)) ?? assert.fail(`no block of ${address}: ${keys}`)
  const block = JSON.parse(await etcd.ctl('get', key, '--print-value-only'))
  const ordinal = (fourth ?? 0) & 63
  block.spec.free = block.spec.free.filter((one: number) => one !== ordinal)
  block.spec.allocations.push({ ordinal, handle: 'by-hand', node: 'z9', use: 'by/hand' })
  await etcd.ctl('put', key, JSON.stringify(block))
  return key
}

async function etcdGoes(): Promise<void> {
  await etcd.members[0]?.kill()
  await everyAgent(lab, 'all to be stale', ({ datastore }) => datastore.state === 'stale')
}

async function etcdComes(): Promise<void> {
  etcd.members[0]?.start()
  await etcd.ready()
  await everyAgent(lab, 'all to be in sync', status => status.datastore.state === 'in-sync' && meshIsUp(lab)(status))
}

async function add(node: string, pod: string, plugin?: CniPlugin): Promise<string> {
  const outcome = await call('ADD', node, pod, plugin)
  assert.equal(outcome.exitCode, 0, outcome.stdout)
  return String(JSON.parse(outcome.stdout).ips[0].address).replace('/32', '')
}

function del(node: string, pod: string): Promise<Outcome> {
  return call('DEL', node, pod)
}

function status(node: string): Promise<Outcome> {
  return callCni({ command: 'STATUS', node, pod: '', fields: { cniVersion: '1.1.0' } })
}

function call(command: string, node: string, pod: string, plugin?: CniPlugin): Promise<Outcome> {
  return callCni({ command, node, pod, ...(plugin === undefined ? {} : { plugin }) })
}

function spoken({ exitCode, stdout }: Outcome): readonly unknown[] {
  return [exitCode, stdout]
}

/** Pods of a node with their addresses, as etcd has them. */
async function written(node: string): Promise<Record<string, string>> {
  const keys = await etcd.ctl('get', '/lab/cali/v1/workloadendpoints/', '--prefix', '--print-value-only')
  const specs = keys
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line).spec)
  return Object.fromEntries(
    specs.filter(spec => spec.node === node).map(spec => [spec.pod, String(spec.ipNetworks[0]).replace('/32', '')]),
  )
}

function who(address: string): Promise<string> {
  return lab.mustCalictl(['ipam', 'show', '--ip', address])
}
