import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { FormerState, restoreSysctls } from './former.ts'
import { MemorySettings } from './testing/memory-settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'cali-former-'))
after(() => rmSync(folder, { recursive: true }))

const CONF = 'net/ipv4/conf'
const FORWARD = 'net/ipv4/ip_forward'
const MACHINE = {
  'kernel/random/boot_id': 'boot-1',
  [FORWARD]: '0',
  [`${CONF}/all/accept_redirects`]: '0',
  [`${CONF}/all/forwarding`]: '0',
  [`${CONF}/eth0/forwarding`]: '0',
  [`${CONF}/docker0/forwarding`]: '1',
  [`${CONF}/eth0/rp_filter`]: '1',
  [`${CONF}/cali0123456789a/rp_filter`]: '0',
}

/** Changes a setting as the agent does. */
function change(former: FormerState, settings: MemorySettings, path: string, value: string): void {
  former.beforeSysctl(path, settings.read(path) ?? '', value)
  settings.write(path, value)
}

test('all values come back, also those that the kernel turned along with forwarding', () => {
  const settings = new MemorySettings(MACHINE)
  const path = join(folder, 'all.json')
  const former = FormerState.open({ path, settings, log: silentLog })
  change(former, settings, `${CONF}/eth0/rp_filter`, '2')
  change(former, settings, FORWARD, '1')
  assert.equal(settings.read(`${CONF}/eth0/forwarding`), '1', 'P0: forwarding turned the others')
  const again = FormerState.open({ path, settings, log: silentLog })
  assert.ok(restoreSysctls(again.kept, settings).removed.length >= 3)
  assert.deepEqual(Object.fromEntries(settings.values), MACHINE)
  assert.deepEqual(restoreSysctls(again.kept, settings), { removed: [], problems: [] }, 'twice is as good as once')
})

test('only the first value counts, over restarts too', () => {
  const settings = new MemorySettings(MACHINE)
  const path = join(folder, 'first.json')
  for (const meddled of ['0', '1']) {
    const former = FormerState.open({ path, settings, log: silentLog })
    settings.write(`${CONF}/eth0/rp_filter`, meddled === '0' ? '1' : meddled)
    change(former, settings, `${CONF}/eth0/rp_filter`, '2')
  }
  assert.equal(FormerState.open({ path, settings, log: silentLog }).kept.sysctls[`${CONF}/eth0/rp_filter`]?.had, '1')
})

test('what somebody changed after us stays as they want it', () => {
  const settings = new MemorySettings(MACHINE)
  const former = FormerState.open({ path: join(folder, 'theirs.json'), settings, log: silentLog })
  change(former, settings, `${CONF}/eth0/rp_filter`, '2')
  change(former, settings, FORWARD, '1')
  settings.write(`${CONF}/eth0/rp_filter`, '0')
  settings.write(FORWARD, '0')
  settings.write(`${CONF}/eth0/forwarding`, '1')
  assert.deepEqual(restoreSysctls(former.kept, settings), { removed: [], problems: [] })
  assert.deepEqual([settings.read(`${CONF}/eth0/rp_filter`), settings.read(`${CONF}/eth0/forwarding`)], ['0', '1'])
})

test("a pod's interface is not remembered: it goes with its settings", () => {
  const settings = new MemorySettings(MACHINE)
  const path = join(folder, 'pod.json')
  change(FormerState.open({ path, settings, log: silentLog }), settings, `${CONF}/cali0123456789a/rp_filter`, '1')
  assert.equal(existsSync(path), false)
})

test('the tunnel device is remembered as it was first seen', () => {
  const path = join(folder, 'tunnel.json')
  const settings = new MemorySettings(MACHINE)
  FormerState.open({ path, settings, log: silentLog }).beforeTunnel({ mtu: 1480, up: false })
  const second = FormerState.open({ path, settings, log: silentLog })
  second.beforeTunnel({ mtu: 1380, up: true })
  assert.deepEqual(second.kept.tunnel, { was: 'present', mtu: 1480, up: false })
  second.forget()
  assert.equal(existsSync(path), false)
})

test('VXLAN devices and tunnel addresses are remembered over restarts, each once, until they are gone', () => {
  const path = join(folder, 'made')
  const settings = new MemorySettings(MACHINE)
  const first = FormerState.open({ path, settings, log: silentLog })
  for (const device of ['vxlan.cali', 'vxlan.cali', 'vxlan.new']) first.beforeVxlan(device)
  for (const address of ['10.244.0.1', '10.244.0.1', '10.245.0.1']) first.beforeAddress(ipv4(address))
  const { kept } = FormerState.open({ path, settings, log: silentLog })
  assert.deepEqual(
    [kept.vxlanDevices, kept.tunnelAddresses],
    [
      ['vxlan.cali', 'vxlan.new'],
      ['10.244.0.1', '10.245.0.1'],
    ],
  )
  first.afterVxlan('vxlan.cali')
  assert.deepEqual(FormerState.open({ path, settings, log: silentLog }).kept.vxlanDevices, ['vxlan.new'])
  writeFileSync(path, JSON.stringify({ boot: 'boot-1', sysctls: {}, tunnel: null }))
  assert.deepEqual(FormerState.open({ path, settings, log: silentLog }).kept.vxlanDevices, [], 'a file of before')
})

test('values of another boot, and rubbish, count as nothing', () => {
  const path = join(folder, 'old.json')
  const settings = new MemorySettings(MACHINE)
  change(FormerState.open({ path, settings, log: silentLog }), settings, `${CONF}/eth0/rp_filter`, '2')
  assert.match(readFileSync(path, 'utf8'), /eth0/)
  settings.values.set('kernel/random/boot_id', 'boot-2')
  assert.deepEqual(FormerState.open({ path, settings, log: silentLog }).kept.sysctls, {})
  writeFileSync(path, '{"boot": 7')
  assert.deepEqual(FormerState.open({ path, settings, log: silentLog }).kept.sysctls, {})
})

test('a folder that cannot be written to does not stop the change', () => {
  const settings = new MemorySettings(MACHINE)
  const warned: string[] = []
  const log = { ...silentLog, warn: (message: string) => warned.push(message) }
  writeFileSync(join(folder, 'file'), '')
  const former = FormerState.open({ path: join(folder, 'file', 'x.json'), settings, log })
  change(former, settings, `${CONF}/eth0/rp_filter`, '2')
  assert.equal(settings.read(`${CONF}/eth0/rp_filter`), '2')
  assert.match(warned.join('\n'), /cannot be kept/)
})

test('a setting that cannot be put back is told, and spoils no other', () => {
  const settings = new MemorySettings(MACHINE)
  const former = FormerState.open({ path: join(folder, 'stuck.json'), settings, log: silentLog })
  change(former, settings, `${CONF}/eth0/rp_filter`, '2')
  change(former, settings, FORWARD, '1')
  settings.refusing.add(`${CONF}/eth0/rp_filter`)
  const { problems } = restoreSysctls(former.kept, settings)
  assert.match(problems.join('\n'), /^net\/ipv4\/conf\/eth0\/rp_filter could not be put back to 1: cannot write/)
  assert.equal(settings.read(FORWARD), '0')
})
