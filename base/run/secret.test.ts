/** A secret is told only to who asks for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Secret } from './secret.ts'

test('a secret shows in no text, and is told on request', () => {
  const secret = new Secret('hunter2')
  for (const text of [`${secret}`, JSON.stringify({ secret }), inspect({ secret }, { depth: null, showHidden: true })])
    assert.doesNotMatch(text, /hunter2/)
  assert.equal(secret.reveal(), 'hunter2')
})

test('two secrets are the same where their texts are', () => {
  assert.ok(Secret.same(new Secret('a'), new Secret('a')))
  assert.ok(Secret.same(undefined, undefined))
  assert.ok(!Secret.same(new Secret('a'), new Secret('b')))
  assert.ok(!Secret.same(new Secret('a'), undefined))
})
