/**
 * The agent's path for many far ends of VXLAN, in a process of its own: `node agent-vteps.ts <count>`. Prints the milliseconds from "this is
 * wanted" to "this is in the kernel and was read back".
 */

import assert from 'node:assert/strict'
import { Devices } from '@network/agent/kernel/devices.ts'
import { Reconciler } from '@network/agent/kernel/reconciler.ts'
import { vtepTable } from '@network/agent/kernel/tables/vteps.ts'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import type { VtepIntent } from '@network/model/intent.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { DEVICE, vteps } from './vtep-set.ts'

const wanted = new Map(
  vteps(Number(process.argv[2])).map((vtep): [string, VtepIntent] => [
    formatIpv4(vtep.address),
    { ...vtep, device: DEVICE, node: 'b' },
  ]),
)
using netlink = NetlinkClient.open()
const devices = new Devices(() => netlink.links())
devices.refresh()
const table = new Reconciler(vtepTable(netlink, devices, DEVICE), { clock: systemClock, random: systemRandom })
const began = systemClock.now()
table.desireAll(wanted)
table.observe()
table.upsert()
table.observe()
const took = between(began, systemClock.now())
assert.deepEqual(table.unsettled, [])
process.stdout.write(`${took}\n`)
