/** The socket of router discovery where it may not be opened: a sentence that says what it takes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { asOrdinaryUser } from '@network/base/testing/ordinary-user.ts'
import { openIcmp } from './icmp.ts'

test('without the right to raw sockets: a Fault that names the right, and another way', async () => {
  await asOrdinaryUser(async () => {
    assert.throws(
      () => openIcmp(() => undefined),
      (thrown: unknown) =>
        thrown instanceof Fault &&
        thrown.code === 'bgp.router-advertisements' &&
        /CAP_NET_RAW; without it, name the peer as fe80::…%eth1/.test(thrown.message),
    )
  })
})
