import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { millis } from '@network/base/time/units.ts'
import { type Link, toIfIndex } from '@network/netlink/link.ts'
import type { KernelEvent } from '@network/netlink/monitor.ts'
import { MemorySettings } from '../testing/memory-settings.ts'
import { RememberedSettings } from './remembered-settings.ts'

const A = 'net/ipv4/conf/calia/proxy_arp'
const B = 'net/ipv4/conf/calib/proxy_arp'
const FORWARD = 'net/ipv4/ip_forward'

const NAMES = new Map([[toIfIndex(7), 'calia']])

function stage() {
  const memory = new MemorySettings({ [A]: '1', [B]: '1', [FORWARD]: '1' })
  const clock = new ManualClock()
  const settings = new RememberedSettings(memory, { clock, nameOf: index => NAMES.get(index) })
  const seen = () => [A, B, FORWARD].map(path => settings.read(path)).join(' ')
  const strangerWrites = (value: string) => {
    for (const path of memory.values.keys()) memory.values.set(path, value)
  }
  return { memory, clock, settings, seen, strangerWrites }
}

const NETCONF = { forwarding: undefined, rpFilter: undefined, proxyArp: true }

test('what nobody tells of is remembered, and read again in time for the audit', () => {
  const { clock, seen, strangerWrites } = stage()
  assert.equal(seen(), '1 1 1')
  strangerWrites('0')
  assert.equal(seen(), '1 1 1')
  clock.advance(millis(30_000))
  assert.equal(seen(), '0 0 0')
})

test('news of one interface are about that interface; of one that nobody has seen about nothing; of all, or lost ones, about everything', () => {
  const events: readonly (readonly [event: KernelEvent, sees: string])[] = [
    [{ is: 'netconf', change: 'new', netconf: { of: toIfIndex(7), ...NETCONF } }, '0 1 1'],
    [{ is: 'netconf', change: 'new', netconf: { of: toIfIndex(8), ...NETCONF } }, '1 1 1'],
    [{ is: 'netconf', change: 'new', netconf: { of: 'all', ...NETCONF } }, '0 0 0'],
    [{ is: 'overrun', says: '' }, '0 0 0'],
  ]
  for (const [event, sees] of events) {
    const { settings, seen, strangerWrites } = stage()
    assert.equal(seen(), '1 1 1')
    strangerWrites('0')
    settings.heard(event)
    assert.equal(seen(), sees, JSON.stringify(event))
  }
})

test('an interface that goes up or down keeps its settings; one that is renamed has others', () => {
  const { settings, seen, strangerWrites } = stage()
  settings.heard({ is: 'link', change: 'new', link: linkOf(7, 'calia') })
  assert.equal(seen(), '1 1 1')
  strangerWrites('0')
  settings.heard({ is: 'link', change: 'new', link: linkOf(7, 'calia') })
  assert.equal(seen(), '1 1 1')
  settings.heard({ is: 'link', change: 'new', link: linkOf(7, 'calib') })
  assert.equal(seen(), '1 0 1')
})

test('an interface that is made anew under its name has settings of its own', () => {
  const { settings, seen, strangerWrites } = stage()
  assert.equal(seen(), '1 1 1')
  strangerWrites('0')
  settings.heard({ is: 'link', change: 'gone', link: linkOf(7, 'calia') })
  assert.equal(seen(), '0 1 1')
})

test('what is written is read back', () => {
  const { memory, settings, seen } = stage()
  assert.equal(seen(), '1 1 1')
  memory.refusing.add(A)
  assert.equal(settings.write(A, '0').is, 'failed')
  assert.equal(settings.write(B, '0').is, 'done')
  assert.equal(seen(), '1 0 1')
})

function linkOf(index: number, name: string): Link {
  return {
    index: toIfIndex(index),
    name,
    kind: 'veth',
    mtu: 1500,
    up: true,
    carrier: true,
    loopback: false,
    operState: 'up',
    mac: undefined,
    peer: undefined,
    master: undefined,
    vxlan: undefined,
  }
}
