/** What is offered where, for every command there is. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { registerNode } from '@network/datastore/nodes.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import type { Command } from 'commander'
import { buildProgram } from '../program.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { pathOf } from './complete.ts'
import { knowsArguments, OPTION_VALUES } from './sources.ts'

/** Two pools, two nodes and pods in two namespaces. */
async function peopled(stage: Stage): Promise<void> {
  await stage.calictl('ippool create default --cidr 10.244.0.0/16')
  await stage.calictl('ippool create edge --cidr 10.77.0.0/20')
  for (const [name, address] of [
    ['node-1', '172.16.20.11'],
    ['node-2', '172.16.20.12'],
  ] as const) {
    const node = {
      name,
      id: name,
      address: ipv4(address),
      subnetLength: 24,
      asn: undefined,
      tunnelAddress: undefined,
      vxlanMac: undefined,
    }
    await registerNode(stage.store, node, stage.options)
  }
  for (const [namespace, name] of [
    ['default', 'web-1'],
    ['shop', 'db'],
  ] as const) {
    const endpoint = {
      node: 'node-1',
      namespace,
      pod: name,
      containerId: `id-${name}`,
      endpoint: 'eth0',
      interfaceName: 'cali00000000001',
      mac: 'ee:ee:ee:ee:ee:ee',
      addresses: [ipv4('10.244.7.5')],
    }
    await stage.store.create(WORKLOAD_ENDPOINT.keyOf(endpoint), WORKLOAD_ENDPOINT.print(endpoint), stage.options)
  }
}

async function offered(stage: Stage, line: string): Promise<readonly string[]> {
  const { exit, out, err } = await stage.calictl(['__complete', ...line.split(' ')])
  assert.deepEqual([exit, err], [0, ''])
  return out === '' ? [] : out.split('\n').map(one => one.replace(/\t.*/, ''))
}

const OFFERED: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['', ['ippool', 'node', 'ipam', 'workload', 'route', 'datastore', 'version', 'completion', 'help']],
  ['ip', ['ippool', 'ipam']],
  ['node ', ['get', 'status', 'delete', 'help']],
  ['-o yaml node st', ['status']],
  ['--output=json node st', ['status']],
  ['nonsense ', []],
  ['ippool get ', ['default', 'edge']],
  ['ippool get default ', []],
  ['ippool get -o wide d', ['default']],
  ['ippool set e', ['edge']],
  ['ippool delete z', []],
  ['ippool create ', []],
  ['node get ', ['node-1', 'node-2']],
  ['node delete --force node-', ['node-1', 'node-2']],
  ['route get --node ', ['node-1', 'node-2']],
  ['route get w', ['web-1']],
  ['workload get ', ['web-1', 'db']],
  ['workload get sh', ['shop/db']],
  ['workload get shop/', ['shop/db']],
  ['ippool set default --ipip ', ['Always', 'CrossSubnet', 'Never']],
  ['ippool set default --ipip cross', ['CrossSubnet']],
  ['ippool set --ipip=n', ['--ipip=Never']],
  ['ippool set --nonsense=n', []],
  ['ippool get -o ', ['table', 'wide', 'json', 'yaml']],
  ['ippool get --output=y', ['--output=yaml']],
  [
    'ippool set --',
    [
      '--ipip',
      '--vxlan',
      '--nat-outgoing',
      '--no-nat-outgoing',
      '--wait',
      '--no-wait',
      '--timeout',
      '--help',
      '--version',
      '--datastore',
      '--run-dir',
      '--output',
    ],
  ],
  ['ippool set --ipip Never --no-w', ['--no-wait']],
  ['node status --check --c', []],
  ['ippool set --timeout ', []],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['--datastore ', ['sqlite:/var/lib/cali/cali.db']],
  ['node status --run-dir ', [':directories']],
]

test('each place on the line is offered what may stand there', async t => {
  await using stage = await openStage()
  await peopled(stage)
  for (const [line, words] of OFFERED)
    await t.test(`calictl ${line}<Tab>`, async () => assert.deepEqual(await offered(stage, line), words))
})

test('names come with what they mean', async () => {
  await using stage = await openStage()
  await peopled(stage)
  const { out } = await stage.calictl('__complete ippool get d')
  assert.equal(out, 'default\t10.244.0.0/16, ipip Never')
})

test('the store is the one that the line names', async () => {
  await using stage = await openStage()
  const other = `sqlite:${join(stage.directory, 'other.db')}`
  await stage.calictl(`ippool create elsewhere --cidr 10.9.0.0/16 --datastore ${other}`)
  await peopled(stage)
  assert.deepEqual(await offered(stage, `ippool get --datastore ${other} `), ['elsewhere'])
  assert.deepEqual(await offered(stage, `--datastore=${other} ippool get `), ['elsewhere'])
})

test('whatever is wrong with the store, nothing is offered and nothing said', async t => {
  await using stage = await openStage()
  const rubbish = join(stage.directory, 'rubbish.db')
  await writeFile(rubbish, 'no database, and no thought of ever being one')
  await stage.store.create('/cali/v1/ippools/odd', { kind: IP_POOL.kind }, stage.options)
  for (const line of [
    `ippool get --datastore sqlite:${stage.directory}/absent.db `,
    `ippool get --datastore sqlite:${rubbish} `,
    'ippool get --datastore nonsense ',
    'ippool get ',
  ])
    await t.test(line, async () => assert.deepEqual(await offered(stage, line), []))
  await t.test('a file of settings that is none', async () => {
    const broken = { env: {}, readText: async () => 'datastore: [' }
    assert.deepEqual(await stage.calictl(['__complete', 'ippool', 'get', ''], broken), { exit: 0, out: '', err: '' })
  })
  await t.test('a bug', async () => {
    const openStore = () => Promise.reject(new TypeError('a bug'))
    assert.deepEqual(await stage.calictl(['__complete', 'ippool', 'get', ''], { openStore }), { exit: 0, out: '', err: '' })
  })
})

test('a store that does not answer is given up', async () => {
  await using stage = await openStage()
  const clock = new ManualClock()
  const { promise: asked, resolve: open } = Promise.withResolvers<void>()
  const { promise: never } = Promise.withResolvers<never>()
  const openStore = () => {
    open()
    return never
  }
  const ended = stage.calictl(['__complete', 'ippool', 'get', ''], { openStore, clock })
  await asked
  const deadline = clock.next()
  assert.ok(deadline !== undefined)
  clock.advance(deadline)
  assert.deepEqual(await ended, { exit: 0, out: '', err: '' })
})

test('somebody has thought of the values of every argument and option', () => {
  const nowhere = () => assert.fail('nothing runs')
  const world = { out: nowhere, err: nowhere, env: {}, readText: nowhere, openStore: nowhere, agentsIn: nowhere }
  const clock = { now: nowhere, wall: nowhere, wakeAt: nowhere }
  const all = everyCommand(buildProgram({ ...world, clock, signal: new AbortController().signal }, nowhere))
  const forgotten = all.flatMap(command => [
    ...(knowsArguments(pathOf(command), command.registeredArguments.length) ? [] : [`arguments of calictl ${pathOf(command)}`]),
    ...command.options
      .filter(({ required, optional }) => required || optional)
      .filter(({ argChoices, long }) => argChoices === undefined && !OPTION_VALUES.has(long ?? ''))
      .map(({ flags }) => `${flags} of calictl ${pathOf(command)}`),
  ])
  assert.deepEqual(forgotten, [])
  assert.ok(all.length > 12)
})

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)]
}
