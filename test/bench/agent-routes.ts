/**
 * The agent's path for many routes, in a process of its own: `node agent-routes.ts <count>`. Prints the milliseconds from "this is wanted"
 * to "this is in the kernel and was read back", for the first time in the process and for once more.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { Devices } from '@network/agent/kernel/devices.ts'
import { Kernel } from '@network/agent/kernel/kernel.ts'
import { addressTable } from '@network/agent/kernel/tables/addresses.ts'
import { linkTable } from '@network/agent/kernel/tables/links.ts'
import { routeTable } from '@network/agent/kernel/tables/routes.ts'
import { kernelSettings, sysctlTable } from '@network/agent/kernel/tables/sysctls.ts'
import { vtepTable } from '@network/agent/kernel/tables/vteps.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import type { Intents, RouteIntent } from '@network/model/intent.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { blocks, DEVICE, GATEWAY } from './route-set.ts'

const count = Number(process.argv[2])
const first = await program(intentsFor(count))
execFileSync('ip', ['route', 'flush', 'proto', '80'])
const again = await program(intentsFor(count))
process.stdout.write(`${first} ${again}\n`)

async function program(intents: Intents): Promise<number> {
  using netlink = NetlinkClient.open()
  const devices = new Devices(() => netlink.links())
  const kernel = new Kernel({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    tables: {
      links: linkTable(netlink, devices),
      sysctls: sysctlTable(kernelSettings, () => undefined),
      addresses: addressTable(netlink, devices, () => false),
      vteps: vtepTable(netlink, devices, 'vxlan.cali'),
      routes: routeTable(netlink, devices),
    },
  })
  const [last] = [...intents.routes.keys()].slice(-1)
  assert.ok(last !== undefined)
  const began = systemClock.now()
  kernel.desire(intents)
  await kernel.reached('routes', last, 'installed', new AbortController().signal)
  const took = between(began, systemClock.now())
  assert.ok(kernel.converged, kernel.problems.join('\n'))
  kernel.stop()
  return took
}

function intentsFor(many: number): Intents {
  const gateway = ipv4(GATEWAY)
  const route = { why: 'the bench', is: 'remote', carriage: 'plain', gateway, device: DEVICE, onlink: false, node: 'b' } as const
  const routes = blocks(many).map((destination): [string, RouteIntent] => [formatPrefix(destination), { ...route, destination }])
  return { links: new Map(), addresses: new Map(), vteps: new Map(), sysctls: new Map(), routes: new Map(routes) }
}
