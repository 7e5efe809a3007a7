/** Pools from the command line: what is done, what is refused, and that a refusal changes nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import type { Clock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'
import { registerNode } from '@network/datastore/nodes.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { routeOf, statusOf } from '../testing/statuses.ts'

const CREATE = 'ippool create default --cidr 10.244.0.0/16 --ipip CrossSubnet'

async function withDefault(stage: Stage): Promise<void> {
  assert.equal((await stage.calictl(CREATE)).exit, 0)
}

function node(stage: Stage, name: string, address: string) {
  const value = {
    name,
    id: name,
    address: ipv4(address),
    subnetLength: 24,
    asn: undefined,
    tunnelAddress: undefined,
    vxlanMac: undefined,
  }
  return registerNode(stage.store, value, stage.options)
}

async function modeOf(stage: Stage): Promise<unknown> {
  return JSON.parse((await stage.calictl('ippool get default -o json')).out).spec.ipipMode
}

test('create, get, delete', async () => {
  await using stage = await openStage()
  assert.deepEqual(await stage.calictl('ippool get'), {
    exit: 0,
    out: 'There are no pools; make one: calictl ippool create default --cidr 10.244.0.0/16',
    err: '',
  })
  assert.deepEqual(await stage.calictl(CREATE), {
    exit: 0,
    out: 'pool default created: 10.244.0.0/16, blocks of /26, ipipMode CrossSubnet',
    err: '',
  })
  const table =
    'NAME     CIDR           IPIP         VXLAN  BLOCK  STATE\ndefault  10.244.0.0/16  CrossSubnet  Never  /26    active'
  assert.equal((await stage.calictl('ippool get')).out, table)
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'default', resourceVersion: '1' },
    spec: {
      cidr: '10.244.0.0/16',
      blockSize: 26,
      ipipMode: 'CrossSubnet',
      vxlanMode: 'Never',
      natOutgoing: false,
      disabled: false,
      disableBGPExport: false,
      nodeSelector: 'all()',
      allowedUses: ['Workload', 'Tunnel'],
      assignmentMode: 'Automatic',
    },
  }
  assert.deepEqual(JSON.parse((await stage.calictl('ippool get default -o json')).out), document)
  const list = { apiVersion: 'projectcalico.org/v3', kind: 'IPPoolList', items: [document] }
  assert.deepEqual(JSON.parse((await stage.calictl('-o json ippool get')).out), list)
  assert.match((await stage.calictl('ippool get default -o yaml')).out, /^apiVersion: projectcalico.org\/v3\nkind: IPPool\n/)
  assert.deepEqual(await stage.calictl('ippool delete default'), { exit: 0, out: 'pool default deleted', err: '' })
  assert.equal((await stage.calictl('ippool get default')).exit, 3)
})

test('get by the noun prints the whole document: labels survive a way through a file', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  await node(stage, 'a', '172.16.20.11')
  for (const [noun, name] of [
    ['ippool', 'default'],
    ['node', 'a'],
  ] as const) {
    await stage.calictl(`label ${noun} ${name} rack=r1`)
    const printed = (await stage.calictl(`${noun} get ${name} -o yaml`)).out
    assert.equal(printed, (await stage.calictl(`get ${noun} ${name} -o yaml`)).out)
    const replaced = await stage.calictl('replace -f -', { readText: async () => printed })
    assert.deepEqual(replaced, { exit: 0, out: `${noun}/${name} unchanged`, err: '' })
  }
})

const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  [
    'ippool create other --cidr 10.1.0.7/16',
    2,
    /pool other: --cidr: host bits set in 10\.1\.0\.7\/16: write 10\.1\.0\.0\/16; nothing was changed/,
  ],
  ['ippool create other --cidr ten', 2, /--cidr: "ten" is not an IPv4 prefix such as/],
  ['ippool create Other_ --cidr 10.1.0.0/16', 2, /name: must consist of lower-case letters/],
  ['ippool create other --cidr 10.1.0.0/16 --block-size 33', 2, /--block-size: must be 20 to 32/],
  ['ippool create other --cidr 10.1.0.0/16 --block-size small', 2, /--block-size: must be a number/],
  ['ippool create other --cidr 10.1.0.0/28', 2, /--block-size: is larger than the pool/],
  [
    'ippool create other --cidr 10.1.0.0/16 --ipip sometimes',
    2,
    /"sometimes" is not a mode; write Always, CrossSubnet, Never; nothing was changed/,
  ],
  [
    'ippool create other --cidr 10.244.128.0/17',
    4,
    /10\.244\.128\.0\/17 overlaps pool default \(10\.244\.0\.0\/16\).*; nothing was changed/,
  ],
  ['ippool create default --cidr 10.1.0.0/16', 4, /there is a pool of that name already/],
  ['ippool create other --cidr 172.16.0.0/16', 4, /holds 172\.16\.20\.11, the address of node a/],
  ['ippool create other --cidr 169.254.0.0/16', 2, /169\.254\.0\.0\/16, which is link-local/],
  ['ippool create other', 2, /required option '--cidr <prefix>' not specified/],
  ['ippool set gold --ipip Never', 3, /cannot set pool gold: there is no such pool; the pools are default \(10\.244\.0\.0\/16\)/],
  ['ippool set default --ipip maybe', 2, /"maybe" is not a mode/],
  ['ippool set default', 2, /nothing is given to set; write field=value/],
  [
    'ippool set default --ipip Never --vxlan Always',
    2,
    /--ipip Never with --vxlan Always: a pool has one tunnel; give one of them/,
  ],
  ['ippool set default --vxlan maybe', 2, /cannot use --vxlan maybe: "maybe" is not a mode/],
  ['ippool get gold', 3, /the pools are default/],
  ['ippool delete gold', 3, /the pools are default/],
]

test('what cannot be is refused in one sentence, and nothing changes', async t => {
  await using stage = await openStage()
  await withDefault(stage)
  await node(stage, 'a', '172.16.20.11')
  const before = (await stage.calictl('ippool get -o json')).out
  for (const [line, exit, says] of REFUSED)
    await t.test(line, async () => {
      const ended = await stage.calictl(line)
      assert.match(ended.err, says)
      assert.deepEqual([ended.exit, ended.out], [exit, ''])
      assert.equal(ended.err.split('\n').length, 1, ended.err)
      assert.equal((await stage.calictl('ippool get -o json')).out, before)
    })
})

test('a mode is set live, in any case, old and new are told', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  assert.deepEqual(await stage.calictl('ippool set --ipip never'), {
    exit: 0,
    out: 'pool default: ipipMode CrossSubnet -> Never',
    err: '',
  })
  assert.equal(await modeOf(stage), 'Never')
  assert.deepEqual(await stage.calictl('ippool set default --ipip OFF'), {
    exit: 0,
    out: 'pool default: ipipMode is Never already',
    err: 'note: the mode is called Never; "off" is read so',
  })
})

test('a pool has one tunnel: turning VXLAN on turns IPIP off, and back', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  const vxlan = await stage.calictl('ippool set --vxlan crosssubnet')
  assert.equal(vxlan.out, 'pool default: ipipMode CrossSubnet -> Never, vxlanMode Never -> CrossSubnet')
  assert.equal((await stage.calictl('ippool set --vxlan CrossSubnet')).out, 'pool default: vxlanMode is CrossSubnet already')
  assert.equal(await modeOf(stage), 'Never')
  const ipip = await stage.calictl('ippool set --ipip Always')
  assert.equal(ipip.out, 'pool default: ipipMode Never -> Always, vxlanMode CrossSubnet -> Never')
  const made = await stage.calictl('ippool create edge --cidr 10.77.0.0/20 --vxlan Always')
  assert.equal(made.out, 'pool edge created: 10.77.0.0/20, blocks of /26, vxlanMode Always')
})

test('without a name: refused with several pools, which are listed, and with none', async () => {
  await using stage = await openStage()
  const none = await stage.calictl('ippool set --ipip Never')
  assert.equal(none.exit, 3)
  assert.match(none.err, /there are no pools; make one/)
  await withDefault(stage)
  await stage.calictl('ippool create edge --cidr 10.77.0.0/20')
  const several = await stage.calictl('ippool set --ipip Never')
  assert.equal(several.exit, 2)
  assert.match(
    several.err,
    /there are several: default \(10\.244\.0\.0\/16\), edge \(10\.77\.0\.0\/20\); name one; nothing was changed/,
  )
  assert.equal(await modeOf(stage), 'CrossSubnet')
})

test('a tunnel is refused where a kernel has none; agents that are silent are named', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  await stage.calictl('ippool set default --ipip Never')
  const without = { supported: false, reason: 'the kernel has no module ipip', device: null }
  await stage.agent('a', () => statusOf('a'))
  await stage.agent('b', () => statusOf('b', { ipip: without }))
  await stage.agent('c', () => statusOf('c', { ipip: without }))
  await stage.deadAgent('d')
  const ended = await stage.calictl('ippool set default --ipip Always')
  assert.equal(ended.exit, 4)
  assert.match(
    ended.err,
    /note: no answer from the agent of d \(.*d\.sock\): nobody listens on its socket; start cali-agent there/,
  )
  assert.match(
    ended.err,
    /error: cannot set ipipMode of pool default to Always: the kernel of nodes b, c has no IPIP \(the kernel has no module ipip\); load the module there \(modprobe ipip\) or use --vxlan Always; nothing was changed/,
  )
  assert.equal(await modeOf(stage), 'Never')
  const created = await stage.calictl('ippool create other --cidr 10.1.0.0/16 --ipip Always')
  assert.equal(created.exit, 4)
  assert.equal((await stage.calictl('ippool get other')).exit, 3)
})

test('Never between subnets succeeds and says what it means', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  await node(stage, 'a', '172.16.20.11')
  await node(stage, 'b', '172.16.20.12')
  const one = await stage.calictl('ippool set --ipip Never')
  assert.doesNotMatch(one.err, /different subnets/)
  await node(stage, 'c', '172.16.30.13')
  const two = await stage.calictl('ippool set --ipip Never')
  assert.equal(two.exit, 0)
  assert.match(
    two.err,
    /pods in different subnets cannot reach each other unless the fabric knows the blocks: a, b in 172\.16\.20\.0\/24; c in 172\.16\.30\.0\/24/,
  )
  assert.match(two.err, /not asked, for they have no socket in .*: a, b, c/)
  assert.doesNotMatch((await stage.calictl('ippool set --ipip CrossSubnet')).err, /different subnets/)
})

test('natOutgoing is set alone or with a mode, told, waited for, and off again', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  const pools = [false, true].map(natOutgoing => [
    { name: 'default', ipipMode: 'CrossSubnet', vxlanMode: 'Never', natOutgoing } as const,
  ])
  let asked = 0
  await stage.agent('a', () => statusOf('a', { pools: pools[Number(asked++ > 1)] ?? [] }))
  const natOf = async (pool: string) => JSON.parse((await stage.calictl(`ippool get ${pool} -o json`)).out).spec.natOutgoing
  const on = await stage.calictl('ippool set --nat-outgoing')
  assert.match(on.out, /^pool default: natOutgoing false -> true\na: in effect after \d\.\d s$/)
  assert.ok(asked > 2)
  assert.deepEqual([await natOf('default'), await modeOf(stage)], [true, 'CrossSubnet'])
  assert.match((await stage.calictl('ippool set --nat-outgoing')).out, /^pool default: natOutgoing is true already/)
  const both = await stage.calictl('ippool set --no-nat-outgoing --ipip Never --no-wait')
  assert.equal(both.out, 'pool default: ipipMode CrossSubnet -> Never, natOutgoing true -> false')
  for (const [name, flag] of [
    ['far', '--nat-outgoing'],
    ['near', ''],
  ] as const) {
    await stage.calictl(`ippool create ${name} --cidr 10.${name.length}.0.0/16 ${flag}`.trim())
    assert.equal(await natOf(name), name === 'far')
  }
})

/** Answers with what each question finds: the last of the modes stays. */
function follower(modes: readonly [IpipMode, ...IpipMode[]], converged = true) {
  let asked = 0
  return () => {
    const ipipMode = modes[Math.min(asked++, modes.length - 1)] ?? modes[0]
    return statusOf('a', { pools: [{ name: 'default', ipipMode, vxlanMode: 'Never', natOutgoing: false }], converged })
  }
}

test('set waits until the agents that answer act on it', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  await stage.agent('a', follower(['CrossSubnet', 'CrossSubnet', 'CrossSubnet', 'Never']))
  const ended = await stage.calictl('ippool set --ipip Never')
  assert.equal(ended.exit, 0, ended.err)
  assert.match(ended.out, /^pool default: ipipMode CrossSubnet -> Never\na: in effect after \d\.\d s$/)
})

test('set does not wait with --no-wait', async () => {
  await using stage = await openStage()
  await withDefault(stage)
  await stage.agent('a', follower(['CrossSubnet']))
  const ended = await stage.calictl('ippool set --ipip Never --no-wait -o json')
  assert.equal(ended.exit, 0)
  assert.deepEqual(JSON.parse(ended.out), {
    kind: 'IPPoolChange',
    pool: 'default',
    ipipMode: { from: 'CrossSubnet', to: 'Never' },
    vxlanMode: { from: 'Never', to: 'Never' },
    natOutgoing: { from: false, to: false },
    acting: [],
    waiting: [],
  })
})

/** Time passes at once whenever somebody waits for it. */
class HurriedClock implements Clock {
  #now = 0 as Instant
  now(): Instant {
    return this.#now
  }
  wall(): Date {
    return new Date(this.#now)
  }
  wakeAt(at: Instant, wake: () => void): () => void {
    const woken = setImmediate(() => {
      this.#now = at
      wake()
    })
    return () => clearImmediate(woken)
  }
}

const LATE: readonly (readonly [string, () => ReturnType<typeof statusOf>, RegExp])[] = [
  ['an agent that does not follow', follower(['CrossSubnet']), /after 30 s, a: it still acts on CrossSubnet; it is stored/],
  ['a kernel that lags', follower(['Never'], false), /a: its kernel is not yet as wanted/],
  ['a pool unheard of', () => statusOf('a', { pools: [] }), /a: it does not know the pool/],
  [
    'a route that failed',
    () => ({
      ...follower(['Never'], false)(),
      routes: [routeOf('10.244.9.0/26', { state: 'failed', problem: 'Network is unreachable' })],
    }),
    /a: route 10\.244\.9\.0\/26: Network is unreachable/,
  ],
]

for (const [name, status, says] of LATE)
  test(`set times out on ${name}, and says so`, async () => {
    await using stage = await openStage(new HurriedClock())
    await withDefault(stage)
    await stage.agent('a', status)
    const ended = await stage.calictl('ippool set --ipip Never')
    assert.equal(ended.exit, 6)
    assert.match(ended.err, says)
    assert.equal(await modeOf(stage), 'Never')
  })
