/** When routes outlive their session. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { seconds } from '@network/base/time/units.ts'
import type { DownReason } from '../fsm/connection.ts'
import { negotiate } from '../fsm/negotiate.ts'
import { rawOpen } from '../testing/raw-peer.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import { BFD_DOWN, HOLD_EXPIRED, hardReset, type Notification, notification, shutdown } from '../wire/notification.ts'
import { absenceOf, awaitedFamilies, hasLostForwarding, keptFamilies } from './graceful.ts'

const OTHER = ipv4('192.0.2.67')
const sent = (value: Notification): DownReason => ({ is: 'sent', notification: value, says: '' })
const received = (value: Notification): DownReason => ({ is: 'received', notification: value })
const MALFORMED = notification(3, 1)

const PATH_DOWN = { is: 'sent', notification: BFD_DOWN, says: '' } as const

const CASES: readonly { name: string; reason: DownReason; plain: boolean; withN: boolean }[] = [
  { name: 'TCP is lost', reason: { is: 'tcp-lost', why: 'reset' }, plain: true, withN: true },
  { name: 'a new connection took over', reason: { is: 'superseded' }, plain: true, withN: true },
  { name: 'our hold timer expired', reason: sent(HOLD_EXPIRED), plain: false, withN: true },
  { name: 'its hold timer expired', reason: received(HOLD_EXPIRED), plain: false, withN: true },
  { name: 'it said something malformed', reason: sent(MALFORMED), plain: false, withN: true },
  { name: 'we shut it down', reason: sent(shutdown('')), plain: false, withN: false },
  { name: 'it shut us down', reason: received(shutdown('')), plain: false, withN: true },
  { name: 'it reset hard', reason: received(hardReset(shutdown(''))), plain: false, withN: false },
  {
    name: 'BFD failed, and may have stopped with its control plane',
    reason: { ...PATH_DOWN, mayReturn: true },
    plain: true,
    withN: true,
  },
  {
    name: 'BFD failed, which outlives its control plane',
    reason: { ...PATH_DOWN, mayReturn: false },
    plain: false,
    withN: false,
  },
  { name: 'we stop and may come back', reason: { is: 'closed', why: '' }, plain: false, withN: false },
]

describe('routes stay', () => {
  for (const { name, reason, plain, withN } of CASES)
    test(`${name}: ${plain}, with the N bit ${withN}`, () => {
      assert.deepEqual(keptFamilies(reason, termsWith(false)), plain ? [IPV4_UNICAST] : [])
      assert.deepEqual(keptFamilies(reason, termsWith(true)), withN ? [IPV4_UNICAST] : [])
    })

  test('never without graceful restart', () => {
    for (const { reason } of CASES) assert.deepEqual(keptFamilies(reason, { ...termsWith(true), gracefulRestart: undefined }), [])
  })
})

describe('each family by itself', () => {
  const both = { ...termsWith(false), families: [IPV4_UNICAST, IPV6_UNICAST] }

  test('only what the peer keeps over a restart stays, and only its End-of-RIB is waited for', () => {
    assert.deepEqual(keptFamilies({ is: 'tcp-lost', why: '' }, both), [IPV4_UNICAST])
    assert.deepEqual(awaitedFamilies(both), [IPV4_UNICAST])
    assert.deepEqual(awaitedFamilies({ ...both, gracefulRestart: undefined }), [IPV4_UNICAST, IPV6_UNICAST])
  })

  test('the long-lived capability keeps more families, each for its own time, and has F bits of its own', () => {
    const longLived = [
      { ...IPV4_UNICAST, forwarding: false, staleTime: seconds(3600) },
      { ...IPV6_UNICAST, forwarding: true, staleTime: seconds(7200) },
    ]
    const long = { ...both, longLived }
    assert.deepEqual(keptFamilies({ is: 'tcp-lost', why: '' }, long), [IPV4_UNICAST, IPV6_UNICAST])
    assert.deepEqual(awaitedFamilies(long), [IPV4_UNICAST, IPV6_UNICAST])
    assert.deepEqual(absenceOf(long, IPV4_UNICAST), { restartTime: 120, longTime: 3600 })
    assert.deepEqual(
      absenceOf(long, IPV6_UNICAST),
      { restartTime: 0, longTime: 7200 },
      'no restart time: the last resort at once',
    )
    assert.deepEqual(absenceOf(both, IPV4_UNICAST), { restartTime: 120, longTime: undefined })
    assert.deepEqual(
      [IPV4_UNICAST, IPV6_UNICAST].map(family => [false, true].map(isLong => hasLostForwarding(long, family, isLong))),
      [
        [false, true],
        [true, false],
      ],
    )
  })

  test('a family without the F bit, without a word, or no longer spoken is forgotten at once', () => {
    assert.deepEqual(
      [IPV4_UNICAST, IPV6_UNICAST].map(family => hasLostForwarding(both, family)),
      [false, true],
    )
    assert.equal(hasLostForwarding({ ...both, families: [IPV6_UNICAST] }, IPV4_UNICAST), true)
  })
})

function termsWith(nBit: boolean) {
  const families = [{ ...IPV4_UNICAST, forwarding: true }]
  const gracefulRestart = { restarting: false, notification: nBit, restartTime: seconds(120), families }
  const negotiated = negotiate(rawOpen({}, { gracefulRestart }), rawOpen({ routerId: OTHER }, { gracefulRestart }), {
    remoteAsn: 64512,
  })
  assert.ok(negotiated.ok)
  return negotiated.terms
}
