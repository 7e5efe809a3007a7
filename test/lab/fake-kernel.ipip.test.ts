/** Holds the fake kernel to a real one that has ipip. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NetlinkClient } from '@network/netlink/client.ts'
import { setLink } from '@network/netlink/link.ts'
import { FakeKernel } from '@network/netlink/testing/fake-kernel.ts'
import { PLAIN_SCRIPT, runScript, TUNNEL_SCRIPT } from './kernel-script.ts'

for (const [what, script] of Object.entries({ tunl0: TUNNEL_SCRIPT, 'all else': PLAIN_SCRIPT }))
  test(`${what}: the fake kernel does what the real one does`, () => {
    using real = NetlinkClient.open()
    using fake = new FakeKernel({ ipip: true })
    const faked = fake.client()
    for (const client of [real, faked]) client.perform(setLink('lo', { up: true }))
    if (script === PLAIN_SCRIPT) real.perform(setLink('tunl0', { up: false, mtu: 1480 }))
    const expected = runScript(real, script)
    for (const [at, told] of runScript(faked, script).entries()) assert.deepEqual(told, expected[at], `step ${at}`)
  })
