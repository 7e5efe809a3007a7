/** Holds the fake kernel to the real one: the same script, step by step the same answers and the same tables. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { NetlinkClient } from '@network/netlink/client.ts'
import { addLink, setLink } from '@network/netlink/link.ts'
import { FakeKernel } from '@network/netlink/testing/fake-kernel.ts'
import { PLAIN_SCRIPT, runScript } from './kernel-script.ts'

test('links, addresses and routes: the fake kernel does what the real one does', () => {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  using real = NetlinkClient.open()
  // The module may be loaded or not: its device is the other script's.
  const withTunnel = real.link('tunl0') !== undefined
  using fake = new FakeKernel({ ipip: withTunnel })
  const faked = fake.client()
  faked.perform(setLink('lo', { up: true }))
  const expected = runScript(real, PLAIN_SCRIPT)
  for (const [at, told] of runScript(faked, PLAIN_SCRIPT).entries()) assert.deepEqual(told, expected[at], `step ${at}`)
  assert.ok(new Set(expected.map(({ outcome }) => outcome)).size >= 7, 'the script meets many refusals')
})

test('P0: a fake that did something else would be found out', () => {
  using fake = new FakeKernel()
  fake.fault = ({ doing }) => (doing === 'add address' ? 'ENOBUFS' : undefined)
  const honest = new FakeKernel().client()
  assert.notDeepEqual(runScript(fake.client(), PLAIN_SCRIPT), runScript(honest, PLAIN_SCRIPT))
})

test('a kernel without ipip says so', () => {
  using fake = new FakeKernel()
  const [outcome] = fake.client().performAll([addLink({ name: 'tunl0', kind: 'ipip' })])
  assert.equal(outcome?.is === 'refused' && outcome.fault.detail.errno, 'EOPNOTSUPP')
})
