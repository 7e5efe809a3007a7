/** VXLAN by the numbers of other people's networks, and the change from one device to another: what we made under its former name goes. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { tracePath } from '../lab/path.ts'
import { topology } from '../lab/topology.ts'
import { must } from './frozen.ts'
import { uninstallOn } from './traces.ts'

/** As on Docker's bridge, by hand. */
const DOCKER = { device: 'vxlan0', vni: 1, port: 8472 }
/** As in a mesh of VTEPs, by hand; the MAC of its first host. */
const MESH = { device: 'vxlan-test', vni: 10001, port: 4899, mac: 'c2:6a:9b:e5:39:8d' }
const { mac: _, ...WITHOUT_MAC } = MESH
const FOREIGN = 'vxlan9'

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 1, 1), {
    pool: { cidr: '162.20.0.0/16', ipip: 'Never', vxlan: 'Always' },
    agentConfig: yamlOf(DOCKER),
    prepare: () => `ip link add ${FOREIGN} type vxlan id 9 dstport 4900 dev eth0`,
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('M24, P1, P3: VNI 1, port 8472, pool 162.20.0.0/16: pings with TTL 62, in VXLAN of these numbers and in nothing else', async () => {
  await assertCarried(DOCKER)
})

test('M25, P2: another device, VNI, port and MAC: the device of the former name goes, the new one carries; a foreign one stays', async () => {
  writeFileSync(join(lab.runDir, 'cali.yaml'), yamlOf(WITHOUT_MAC))
  await lab.agents.restart('b1')
  writeFileSync(join(lab.runDir, 'cali.yaml'), yamlOf(MESH))
  await lab.agents.restart('a1')
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  for (const { name } of lab.nodes) assert.deepEqual(await vxlanDevices(name), ['vxlan-test', FOREIGN], name)
  assert.match(await must(lab, 'a1', 'ip', 'link', 'show', 'vxlan-test'), /link\/ether c2:6a:9b:e5:39:8d /)
  await assertCarried(MESH)
})

test('only the name changes, so that VNI and port are in the way: the same', async () => {
  writeFileSync(join(lab.runDir, 'cali.yaml'), yamlOf({ ...WITHOUT_MAC, device: 'vxlan-next' }))
  for (const { name } of lab.nodes) await lab.agents.restart(name)
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  for (const { name } of lab.nodes) assert.deepEqual(await vxlanDevices(name), ['vxlan-next', FOREIGN], name)
  await assertCarried(MESH)
})

test('P9: uninstalling under yet another name removes the device of the name before, and no foreign one', async () => {
  await lab.agents.kill('a1')
  writeFileSync(join(lab.runDir, 'cali.yaml'), yamlOf({ ...MESH, device: 'vxlan-last' }))
  const { exitCode, stdout, stderr } = await uninstallOn(lab, 'a1', ['--config', join(lab.runDir, 'cali.yaml')])
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout, /removed: device vxlan-next/)
  assert.deepEqual(await vxlanDevices('a1'), [FOREIGN])
})

function yamlOf(vxlan: Partial<typeof MESH>): string {
  return `vxlan: ${JSON.stringify(vxlan)}\n`
}

async function assertCarried({ vni, port }: { readonly vni: number; readonly port: number }): Promise<void> {
  const path = await tracePath(lab, lab.pod('a1-p1'), lab.pod('b1-p1'), 'router:rack-a')
  assert.deepEqual([path.ping.received, path.ping.ttls, path.forms], [3, [62], ['vxlan']])
  for (const frame of [path.request, path.reply]) {
    const payload = frame?.ip?.payload
    assert.ok(payload?.is === 'vxlan')
    assert.deepEqual([payload.vni, payload.port, frame?.length], [vni, port, 148])
  }
}

async function vxlanDevices(node: string): Promise<string[]> {
  const text = await must(lab, node, 'ip', '-o', 'link', 'show', 'type', 'vxlan')
  return [...text.matchAll(/^\d+: ([^:]+):/gm)].flatMap(([, name]) => name ?? []).sort()
}
