/** What a real BIRD said, decoded and, where we would say the same, encoded again to the same bytes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix } from '@network/base/net/prefix.ts'
import { seconds } from '@network/base/time/units.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { IPV4_UNICAST } from './capabilities.ts'
import type { Dialect } from './dialect.ts'
import { type Frame, Framer } from './framing.ts'
import { decodeNotification, describeNotification, encodeNotification } from './notification.ts'
import { asnOf, decodeOpen } from './open.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh.ts'
import { decodeUpdate, encodeAnnouncement, encodeEndOfRib, encodeWithdrawal, KEEPALIVE } from './update.ts'

const INTERNAL: Dialect = { kind: 'internal', asnOctets: 4 }
const FIXTURE = readFileSync(join(import.meta.dirname, 'bird.fixture'), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
const MESSAGES = FIXTURE.map(line => Uint8Array.from(Buffer.from(line.split(' ')[1] ?? '', 'hex')))

describe('BIRD 2', () => {
  test('all of it arrives as messages', () => {
    assert.deepEqual(
      MESSAGES.map(message => frameOf(message).kind),
      ['open', 'keepalive', 'update', 'update', 'update', 'routeRefresh', 'notification'],
    )
    assert.deepEqual(message(1), KEEPALIVE)
  })

  test('OPEN', () => {
    const decoded = decodeOpen(frameOf(message(0)).body)
    assert.ok(decoded.ok)
    assert.equal(asnOf(decoded.value), 64512)
    assert.equal(formatIpv4(decoded.value.routerId), '10.9.0.2')
    assert.equal(decoded.value.holdTime, 9)
    const { families, routeRefresh, gracefulRestart } = decoded.value.capabilities
    assert.deepEqual(families, [IPV4_UNICAST])
    assert.equal(routeRefresh, true)
    assert.deepEqual(gracefulRestart, {
      restarting: false,
      notification: false,
      restartTime: seconds(120),
      families: [{ ...IPV4_UNICAST, forwarding: false }],
    })
  })

  test('UPDATE with the numbers at their edges', () => {
    const verdict = decodeUpdate(frameOf(message(2)).body, INTERNAL)
    assert.ok(verdict.is === 'routes')
    const [announcement] = verdict.announced
    assert.ok(announcement !== undefined)
    const { attributes, prefixes } = announcement
    assert.deepEqual(prefixes.map(formatPrefix), ['0.0.0.0/0', '10.20.0.0/24', '10.21.128.0/17'])
    assert.equal(attributes.origin, 'incomplete')
    assert.deepEqual(attributes.asPath, [{ kind: 'sequence', asns: [65001, 4200000000] }])
    assert.deepEqual([attributes.med, attributes.localPref], [4294967295, 4294967294])
    assert.deepEqual(attributes.communities, [64512 * 65536 + 7, 0xffffff01])
    assert.deepEqual(attributes.largeCommunities, [{ global: 64512, local1: 1, local2: 2 }])
    const again = encodeAnnouncement(encodeAttributes(attributes, INTERNAL), prefixes)
    assert.equal(hex(again), hex(message(2)))
  })

  test('End-of-RIB and withdrawal', () => {
    assert.deepEqual(encodeEndOfRib(), message(3))
    const verdict = decodeUpdate(frameOf(message(4)).body, INTERNAL)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(verdict.withdrawn.map(formatPrefix), ['10.21.128.0/17'])
    assert.deepEqual(encodeWithdrawal(verdict.withdrawn), message(4))
  })

  test('ROUTE-REFRESH and NOTIFICATION', () => {
    assert.deepEqual(decodeRouteRefresh(frameOf(message(5)).body), { is: 'refresh', kind: 'ask', family: IPV4_UNICAST })
    assert.deepEqual(encodeRouteRefresh(IPV4_UNICAST), message(5))
    const notification = decodeNotification(frameOf(message(6)).body)
    assert.equal(describeNotification(notification), 'cease, administrative shutdown (6/2): "upgrade"')
    assert.deepEqual(encodeNotification(notification), message(6))
  })
})

function message(index: number): Uint8Array {
  const found = MESSAGES[index]
  assert.ok(found !== undefined)
  return found
}

function frameOf(bytes: Uint8Array): Frame {
  const [framed] = new Framer().push(bytes)
  assert.ok(framed?.is === 'frame')
  return framed.frame
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
