/** Far ends of VXLAN tunnels on a real kernel that refuses what a test says: the order of what is written, and never half of it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { before, test } from 'node:test'
import { Devices } from '@network/agent/kernel/devices.ts'
import { Kernel } from '@network/agent/kernel/kernel.ts'
import { addressTable } from '@network/agent/kernel/tables/addresses.ts'
import { linkTable } from '@network/agent/kernel/tables/links.ts'
import { routeTable } from '@network/agent/kernel/tables/routes.ts'
import { kernelSettings, sysctlTable } from '@network/agent/kernel/tables/sysctls.ts'
import { vtepTable } from '@network/agent/kernel/tables/vteps.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { silentLog } from '@network/base/run/log.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import type { Intents } from '@network/model/intent.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { NetlinkSocket } from '@network/netlink/socket.ts'
import type { Changes } from '@network/netlink/wire.ts'

const DEVICE = 'vxlan.cali'
const BLOCK = '10.244.0.64/26'
const FAR = { device: DEVICE, address: ipv4('10.244.0.65'), mac: '66:00:00:00:00:0c', remote: ipv4('172.16.36.11'), node: 'b1' }

/** Notes what it is told to do; refuses what `refuses` names. */
class Reluctant extends NetlinkClient {
  refuses: string | undefined
  readonly done: string[] = []

  override carryOut(changes: Changes): ReadonlyMap<number, Fault> {
    const refused = new Map<number, Fault>()
    for (let at = 0; at < changes.length; at++) {
      const { doing, on } = changes.describe(at)
      const fault =
        doing === this.refuses
          ? new Fault('netlink.refused', { doing, on, errno: 'ENOBUFS', says: 'on purpose' })
          : super.carryOut(onlyOne(changes, at)).get(0)
      if (fault === undefined) this.done.push(doing)
      else refused.set(at, fault)
    }
    return refused
  }
}

function onlyOne(changes: Changes, at: number): Changes {
  return {
    length: 1,
    write: (_, writer, sequence) => changes.write(at, writer, sequence),
    describe: () => changes.describe(at),
  }
}

const client = new Reluctant(NetlinkSocket.open({}))
const clock = new ManualClock()
const devices = new Devices(() => client.links())
const vteps = vtepTable(client, devices, DEVICE)
const kernel = new Kernel({
  clock,
  random: seededRandom(1),
  log: silentLog,
  tables: {
    links: linkTable(client, devices, { device: DEVICE }),
    sysctls: sysctlTable(kernelSettings, () => undefined),
    addresses: addressTable(client, devices, () => false),
    vteps,
    routes: routeTable(client, devices, vteps.has),
  },
})

before(() => {
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire')
  for (const name of ['lo', 'eth0', 'wire']) ip('link', 'set', name, 'up')
  kernel.desiredIsComplete()
})

test('M60: neighbour, forwarding entry, route, in this order', async () => {
  assert.deepEqual(standing(), [], 'P0')
  kernel.desire(wanted(true))
  await settled()
  assert.deepEqual(standing(), ['forwarding', 'neighbour', 'route'])
  assert.deepEqual(client.done, ['add vxlan link', 'set link', 'set neighbour', 'set forwarding entry', 'add route'])
})

test('M60: they go in the opposite order', async () => {
  client.done.length = 0
  kernel.desire(wanted(false))
  await settled()
  assert.deepEqual(standing(), [])
  assert.equal(client.done[0], 'delete route')
  assert.deepEqual(client.done.slice(1).sort(), ['delete forwarding entry', 'delete neighbour'])
})

for (const [refused, stays] of [
  ['set neighbour', []],
  ['set forwarding entry', []],
  ['add route', ['forwarding', 'neighbour']],
] as const)
  test(`M60: where "${refused}" is refused there is no half state; once it is not, all comes`, async () => {
    client.refuses = refused
    kernel.desire(wanted(true))
    await passes()
    assert.deepEqual(standing(), stays)
    assert.match(kernel.problems.join('\n'), /on purpose/)
    client.refuses = undefined
    await settled()
    assert.deepEqual(standing(), ['forwarding', 'neighbour', 'route'])
    kernel.desire(wanted(false))
    await settled()
    assert.deepEqual(standing(), [])
  })

test('M60: a route whose far end cannot be written stays away, and says what it waits for', async () => {
  client.refuses = 'set forwarding entry'
  kernel.desire(wanted(true))
  await passes()
  const state = kernel.stateOf('routes', BLOCK)
  assert.deepEqual(state, { is: 'pending', says: `the neighbour 10.244.0.65 on ${DEVICE} is not there` })
  client.refuses = undefined
  await settled()
})

function wanted(far: boolean): Intents {
  const create = {
    kind: 'vxlan',
    vni: 4096,
    port: 4789,
    local: ipv4('172.16.20.11'),
    over: 'eth0',
    mac: '66:00:00:00:00:0a',
  } as const
  const route = {
    is: 'remote',
    carriage: 'vxlan',
    destination: prefix(BLOCK),
    gateway: FAR.address,
    device: DEVICE,
    onlink: true,
    node: 'b1',
    why: 'test',
  } as const
  return {
    links: new Map([[DEVICE, { name: DEVICE, create, up: true, mtu: 1450 }]]),
    addresses: new Map(),
    sysctls: new Map(),
    vteps: new Map(far ? [['10.244.0.65', FAR]] : []),
    routes: new Map(far ? [[BLOCK, route]] : []),
  }
}

/** What there is of the far end, as `ip` and `bridge` see it. */
function standing(): string[] {
  if (!ip('-o', 'link').includes(DEVICE)) return []
  const found = {
    forwarding: execFileSync('bridge', ['fdb', 'show', 'dev', DEVICE], { encoding: 'utf8' }),
    neighbour: ip('-4', 'neigh', 'show', 'dev', DEVICE, 'nud', 'permanent'),
    route: ip('-4', 'route', 'show', 'proto', '80'),
  }
  return Object.entries(found).flatMap(([what, text]) => (text.trim() === '' ? [] : [what]))
}

async function passes(): Promise<void> {
  kernel.wake()
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
}

async function settled(): Promise<void> {
  await passes()
  for (let tries = 0; tries < 20 && !kernel.converged; tries++) {
    clock.advance(millis(30_000))
    await passes()
  }
  assert.ok(kernel.converged, kernel.problems.join('; '))
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' })
}
