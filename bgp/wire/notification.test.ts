/** NOTIFICATION: bytes, sentences, and texts that want to do harm. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  adminReset,
  COLLISION,
  decodeNotification,
  describeNotification,
  encodeNotification,
  hardReset,
  notification,
  shutdown,
  shutdownText,
} from './notification.ts'

describe('NOTIFICATION', () => {
  const cases: readonly { value: ReturnType<typeof notification>; says: string }[] = [
    { value: COLLISION, says: 'cease, connection collision (6/7)' },
    { value: shutdown('upgrade to 1.2'), says: 'cease, administrative shutdown (6/2): "upgrade to 1.2"' },
    { value: notification(6, 2, Uint8Array.of(3, 0x61, 0x0a, 0x1b)), says: 'cease, administrative shutdown (6/2): "a??"' },
    { value: notification(6, 2, Uint8Array.of(9, 0x61)), says: 'cease, administrative shutdown (6/2)' },
    { value: adminReset('again'), says: 'cease, administrative reset (6/4): "again"' },
    {
      value: hardReset(shutdown('for good')),
      says: 'cease, hard reset (6/9), for cease, administrative shutdown (6/2): "for good"',
    },
    { value: hardReset(hardReset(COLLISION)), says: 'cease, hard reset (6/9), for cease, hard reset (6/9)' },
    { value: notification(6, 9), says: 'cease, hard reset (6/9)' },
    { value: notification(4, 0), says: 'hold timer expired (4/0)' },
    { value: notification(77, 1), says: 'unknown error (77/1)' },
  ]
  for (const { value, says } of cases) test(says, () => assert.equal(describeNotification(value), says))

  test('any notification survives the wire and has a sentence on one line', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 300 }), (code, subcode, data) => {
        const value = notification(code, subcode, data)
        assert.deepEqual(decodeNotification(encodeNotification(value).subarray(19)), value)
        assert.doesNotMatch(describeNotification(value), /\n/)
      }),
    )
  })

  test('a long text is cut between characters', () => {
    const value = shutdown('ü'.repeat(200))
    assert.equal(value.data[0], 254)
    assert.equal(shutdownText(value), 'ü'.repeat(127))
  })
})
