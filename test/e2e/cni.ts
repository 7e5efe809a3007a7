/** What both programs of the CNI plugin must hold, as a runtime calls them: every command, twice, out of order, with agent and plugin killed halfway. Needs no ipip. */
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { setPool } from '@network/datastore/pools.ts'
import { socketOf } from '../lab/agents.ts'
import { ENVIRONMENT, type Outcome } from '../lab/command.ts'
import { addNamespace, removeFabric } from '../lab/fabric.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { type CniPlugin, NETNS_DIR } from '../lab/paths.ts'
import { callCni } from '../lab/pods.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

const NODE = 'a1'
/** Has the form of our names and no endpoint: a stranger's. */
const BAIT = 'cali0123456789a'
/** What came and went at every moment; a namespace each. */
const CONTAINERS = ['web', 'web-2', 'db', 'k1', 'k2', 'k3', 'k4']
const quiet = () => undefined
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet }
const LATEST = { cniVersion: '1.1.0' }

let lab: Lab
let plugin: CniPlugin

/** Declares all tests of the plugin for one of its programs. */
export function testCni(chosen: CniPlugin): void {
  plugin = chosen
  before(async () => {
    lab = await createLab(topology(1, 1, 0), { pool: { cidr: '10.244.0.0/24', ipip: 'Never' } })
    for (const container of CONTAINERS) await addNamespace(container)
    await must(lab, NODE, 'ip', 'link', 'add', BAIT, 'type', 'veth', 'peer', 'name', 'bait')
  })
  after(async () => {
    await removeFabric(CONTAINERS)
    await lab[Symbol.asyncDispose]()
  })

  test('VERSION names the versions; STATUS of a node that can take pods is silent', async () => {
    const { stdout } = await call('VERSION', 'web')
    assert.deepEqual(JSON.parse(stdout), { cniVersion: '1.1.0', supportedVersions: ['0.4.0', '1.0.0', '1.1.0'] })
    assert.deepEqual(spoken(await call('STATUS', '', { fields: LATEST })), [0, ''])
  })

  test('CHECK: silent on what ADD made; each thing that is broken in the pod is named', async () => {
    const prevResult = JSON.parse((await call('ADD', 'web')).stdout)
    const check = () => call('CHECK', 'web', { fields: { prevResult } })
    assert.deepEqual(spoken(await check()), [0, ''])
    const address = prevResult.ips[0].address
    const mac = prevResult.interfaces[1].mac
    const breakages: readonly (readonly [breaking: string, mending: string, says: RegExp])[] = [
      ['ip route del default', 'ip route add default via 169.254.1.1', /no default route via 169\.254\.1\.1/],
      [`ip addr del ${address} dev eth0`, `ip addr add ${address} dev eth0`, /lacks 10\.244\.0\.\d+\/32/],
      [
        'ip link set eth0 down',
        'ip link set eth0 up; ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1',
        /interface eth0 in the pod is down.*no route 169\.254\.1\.1/,
      ],
      ['ip link set eth0 address 02:00:00:00:00:01', `ip link set eth0 address ${mac}`, /address 02:00:00:00:00:01 instead of/],
      ['ip link set eth0 name eth9', 'ip link set eth9 name eth0', /no interface eth0 in the pod/],
    ]
    for (const [breaking, mending, says] of breakages) {
      await must(lab, 'web', 'sh', '-c', breaking)
      refusedWith(await check(), 102, says)
      await must(lab, 'web', 'sh', '-c', `ip link set eth9 name eth0 2>/dev/null; ip link set eth0 up; ${mending}; :`)
      await must(
        lab,
        'web',
        'sh',
        '-c',
        'ip route replace 169.254.1.1 dev eth0 scope link; ip route replace default via 169.254.1.1',
      )
      assert.deepEqual(spoken(await check()), [0, ''], `after ${mending}`)
    }
  })

  test('CHECK sees the side of the node: a stranger who holds the place of the /32, and a pair that is gone', async () => {
    const { address, device } = await attached('web')
    const prevResult = {
      interfaces: [{ name: device }, { name: 'eth0', sandbox: `${NETNS_DIR}/web` }],
      ips: [{ address, interface: 1 }],
    }
    const check = () => call('CHECK', 'web', { fields: { prevResult } })
    assert.deepEqual(spoken(await check()), [0, ''], 'P0')
    await must(lab, NODE, 'sh', '-c', `ip route replace unreachable ${address} metric 1024 proto static`)
    refusedWith(await check(), 102, new RegExp(`the node has no route ${address.replace('/32', '')} dev ${device}`))
    await must(lab, NODE, 'ip', 'route', 'del', 'unreachable', address, 'metric', '1024', 'proto', 'static')
    await until(async () => (await check()).exitCode === 0, {
      clock: lab.clock,
      what: 'the route to be back',
    })
    await must(lab, NODE, 'ip', 'link', 'del', device)
    refusedWith(await check(), 102, /no interface cali.* on the node; there is no interface eth0 in the pod/)
    assert.equal((await call('DEL', 'web')).exitCode, 0, 'what is broken can be taken away')
    await agrees([])
  })

  test('twice and out of order: DEL before ADD, ADD ADD DEL DEL, DEL of an older sandbox beside a newer one', async () => {
    assert.deepEqual(spoken(await call('DEL', 'web')), [0, ''])
    await call('ADD', 'web')
    await call('ADD', 'web')
    await agrees(['web'])
    assert.equal((await call('ADD', 'web', { container: 'web-2' })).exitCode, 0)
    await agrees(['web-2'])
    assert.deepEqual(spoken(await call('DEL', 'web')), [0, ''])
    await agrees(['web-2'])
    assert.deepEqual(spoken(await call('DEL', 'web', { container: 'web-2' })), [0, ''])
    assert.deepEqual(spoken(await call('DEL', 'web', { container: 'web-2' })), [0, ''])
    await agrees([])
  })

  test('all at once, of one pod and of others: what was said last is what stands', async () => {
    const calls = await Promise.all([
      call('ADD', 'web'),
      call('ADD', 'db'),
      call('DEL', 'web'),
      call('ADD', 'web', { container: 'web-2' }),
      call('DEL', 'db'),
      call('ADD', 'k1'),
    ])
    for (const { exitCode, stdout } of calls) assert.equal(exitCode, 0, stdout)
    for (const pod of ['web', 'db', 'k1']) assert.equal((await call('DEL', pod)).exitCode, 0)
    await call('DEL', 'web', { container: 'web-2' })
    await agrees([])
  })

  test('GC frees what the runtime does not name: endpoint, pair, address, route; not another network’s, not a stranger’s', async () => {
    await call('ADD', 'web')
    await call('ADD', 'db')
    await call('ADD', 'k1', { fields: { name: 'other' } })
    await agrees(['db', 'k1', 'web'])
    const valid = [{ containerID: 'web', ifname: 'eth0' }]
    assert.deepEqual(spoken(await call('GC', '', { fields: { ...LATEST, 'cni.dev/valid-attachments': valid } })), [0, ''])
    await agrees(['k1', 'web'])
    refusedWith(await call('GC', '', { fields: LATEST }), 7, /valid-attachments is missing/)
    await agrees(['k1', 'web'])
    for (const name of ['cali', 'other'])
      assert.equal((await call('GC', '', { fields: { ...LATEST, name, 'cni.dev/valid-attachments': [] } })).exitCode, 0)
    await agrees([])
  })

  test('kill -9 of the agent in the middle of ADD and of DEL: the next life leaves nothing half done', async () => {
    let halfway = 0
    for (const container of ['k1', 'k2', 'k3', 'k4']) {
      // The last one is taken away, the others added, when it happens.
      const command = container < 'k4' ? 'ADD' : 'DEL'
      const calling = await underWay(command, container, container < 'k3' ? wroteJournal : () => pairsSeen(container, command))
      await lab.agents.kill(NODE, 'SIGKILL')
      halfway += unfinished().length
      const { exitCode, stdout } = await calling.ended
      if (exitCode !== 0) assert.equal(JSON.parse(stdout).code, 11, stdout)
      refusedWith(await call('ADD', 'web'), 11, /does not answer on/)
      await lab.agents.start(NODE)
      await until(() => unfinished().length === 0, { clock: lab.clock, what: 'the journal to be empty' })
      await agreesSomehow(exitCode === 0 && command === 'ADD' ? container : undefined)
    }
    assert.ok(halfway > 0, 'P0: at least one kill met a call halfway')
    for (const container of ['k1', 'k2', 'k3', 'k4']) await call('DEL', container)
    await agrees([])
  })

  test('the plugin killed while the agent is frozen: nothing is left; P0: not killed, the pod is attached', async () => {
    for (const killed of [true, false]) {
      const pid = lab.agents.pid(NODE)
      assert.ok(pid !== undefined)
      process.kill(pid, 'SIGSTOP')
      const file = join(lab.runDir, 'config.json')
      writeFileSync(file, configText())
      // Each of them becomes the next: one process, which is the plugin.
      const calling = lab.spawnIn(NODE, ['env', ...environmentOf('web'), 'sh', '-c', `exec ${plugin.join(' ')} <${file}`])
      await until(async () => /^\S+\s+\S+\s+1\s/m.test(await waitingOn()), {
        clock: lab.clock,
        what: 'the call',
        instead: waitingOn,
      })
      if (killed) {
        calling.kill('SIGKILL')
        // Gone before the agent wakes, however busy the machine is.
        await calling.ended
      }
      process.kill(pid, 'SIGCONT')
      await calling.ended
      // A call of which the answer says that those before it are done.
      await call('DEL', 'nobody')
      await until(() => unfinished().length === 0, { clock: lab.clock, what: 'the journal to be empty' })
      await agrees(killed ? [] : ['web'])
    }
    await call('DEL', 'web')
  })

  test('no agent, no pool: code 11 and code 50, each with what mends it', async () => {
    await disablePool()
    refusedWith(await call('STATUS', '', { fields: LATEST }), 50, /no pool to take addresses from/)
    refusedWith(await call('ADD', 'web'), 100, /there is no pool.*calictl ippool create/)
    await lab.agents.kill(NODE)
    refusedWith(await call('ADD', 'web'), 11, /the agent of this node does not answer/)
    refusedWith(await call('STATUS', '', { fields: LATEST }), 50, /the agent of this node does not answer/)
  })
}

function call(
  command: string,
  pod: string,
  more: { readonly container?: string; readonly fields?: Readonly<Record<string, unknown>> } = {},
): Promise<Outcome> {
  return callCni({ command, node: NODE, pod, plugin, ...more })
}

/** Calls until the moment is seen while the call is under way: one that was over before we looked is undone and made again. */
async function underWay(
  command: string,
  container: string,
  isMoment: () => boolean | Promise<boolean>,
): Promise<{ readonly ended: Promise<Outcome> }> {
  for (let tries = 0; tries < 50; tries++) {
    assert.equal((await call(command === 'DEL' ? 'ADD' : 'DEL', container)).exitCode, 0)
    let isOver = false
    const ended = call(command, container).finally(() => {
      isOver = true
    })
    while (!isOver) {
      if (await isMoment()) return { ended }
      await setImmediate()
    }
    assert.equal((await ended).exitCode, 0)
  }
  assert.fail(`${command} of ${container} was never seen under way`)
}

/** The node's own tunnel address keeps the pool from being deleted. */
async function disablePool(): Promise<void> {
  await using store = await openDatastore(`sqlite:${lab.runDir}/cali.db`, { clock: lab.clock, random: systemRandom, log: SILENT })
  const set = await setPool(store, 'default', { disabled: true }, { signal: new AbortController().signal })
  assert.equal(set.is, 'set')
  await until(async () => (await call('STATUS', '', { fields: LATEST })).exitCode === 1, {
    clock: lab.clock,
    what: 'the agent to hear of it',
  })
}

function spoken({ exitCode, stdout }: Outcome): [number, string] {
  return [exitCode, stdout]
}

function refusedWith({ exitCode, stdout }: Outcome, code: number, says: RegExp): void {
  assert.equal(exitCode, 1, stdout)
  const error = JSON.parse(stdout)
  assert.equal(error.code, code, stdout)
  assert.match(error.msg, says)
}

interface Attachment {
  readonly container: string
  readonly address: string
  readonly device: string
}

async function attachments(): Promise<readonly Attachment[]> {
  const list = Object(await lab.calictlJson(['workload', 'get']))
  return [...list.items]
    .map(({ spec }) => ({ container: spec.containerID, address: spec.ipNetworks[0], device: spec.interfaceName }))
    .sort((a, b) => (a.container < b.container ? -1 : 1))
}

async function attached(container: string): Promise<Attachment> {
  const found = (await attachments()).find(one => one.container === container)
  assert.ok(found !== undefined, `${container} is not attached`)
  return found
}

/** Exactly these containers, and everywhere the same. */
async function agrees(containers: readonly string[]): Promise<void> {
  assert.deepEqual(
    (await attachments()).map(({ container }) => container),
    containers,
  )
  await agreesSomehow(undefined)
}

/** Endpoints, addresses, links and routes tell of the same pods; `wanted` is among them. */
async function agreesSomehow(wanted: string | undefined): Promise<void> {
  const endpoints = await attachments()
  if (wanted !== undefined) assert.ok(endpoints.some(({ container }) => container === wanted))
  const blocks: readonly { readonly addresses: readonly { readonly address: string; readonly handle: string }[] }[] = Object(
    await lab.calictlJson(['ipam', 'show', '--blocks']),
  ).items
  const inUse = blocks.flatMap(({ addresses }) => addresses).filter(({ handle }) => handle.startsWith('cni.'))
  assert.deepEqual(
    inUse.map(({ handle, address }) => `${handle} ${address}/32`).sort(),
    endpoints.map(({ container, address }) => `cni.${container}.eth0 ${address}`),
    'addresses',
  )
  const links = [...Object(await lab.ip(NODE, ['link', 'show']))].map(({ ifname }) => String(ifname))
  const pairs = links.filter(name => /^cali[0-9a-f]{11}$/.test(name))
  assert.deepEqual(pairs.sort(), [BAIT, ...endpoints.map(({ device }) => device)].sort(), 'links')
  const expected = endpoints.map(({ address, device }) => `${address} ${device}`).sort()
  const routes = async () =>
    (await lab.routes(NODE))
      .filter(({ dev }) => dev?.startsWith('cali'))
      .map(({ dst, dev }) => `${dst}/32 ${dev}`)
      .sort()
  await until(async () => `${await routes()}` === `${expected}`, {
    clock: lab.clock,
    what: `routes ${expected}`,
    instead: async () => `${await routes()}`,
  })
}

function wroteJournal(): boolean {
  return unfinished().length > 0
}

function unfinished(): string[] {
  try {
    return readdirSync(join(lab.runDir, `${NODE}.unfinished`)).filter(name => name.endsWith('.json'))
  } catch {
    return []
  }
}

/** The pod has its interface while the call is under way, or has it no more. */
async function pairsSeen(container: string, command: string): Promise<boolean> {
  const { exitCode } = await lab.exec(container, ['ip', 'link', 'show', 'eth0'])
  return (exitCode === 0) === (command === 'ADD')
}

function waitingOn(): Promise<string> {
  return must(lab, NODE, 'ss', '-Hxl', 'src', socketOf(NODE))
}

function environmentOf(pod: string): string[] {
  return [
    `PATH=${ENVIRONMENT.PATH}`,
    'CNI_COMMAND=ADD',
    `CNI_CONTAINERID=${pod}`,
    `CNI_NETNS=${NETNS_DIR}/${pod}`,
    'CNI_IFNAME=eth0',
    `CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
  ]
}

function configText(): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'cali', type: 'cali', agent: socketOf(NODE) })
}
