import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rangeOf } from './range.ts'
import { following, isNewer, revisionNumber } from './revision.ts'
import { etcdTarget, nameOf } from './target.ts'

const NO_FILES = { password: undefined, ca: undefined, cert: undefined, key: undefined }

test('a URL names members, prefix and what lets us in', () => {
  assert.deepEqual(etcdTarget('etcd://a:1,10.0.0.2,[fd00::1]:2379/x/y/'), {
    members: ['a:1', '10.0.0.2:2379', '[fd00::1]:2379'],
    tls: false,
    prefix: '/x/y',
    username: undefined,
    files: NO_FILES,
  })
  const url = 'etcds://a:1?caCertFile=/ca&certFile=/c&keyFile=/k&username=u&passwordFile=/p'
  assert.deepEqual(etcdTarget(url), {
    members: ['a:1'],
    tls: true,
    prefix: '',
    username: 'u',
    files: { password: '/p', ca: '/ca', cert: '/c', key: '/k' },
  })
  assert.equal(nameOf(etcdTarget(url)), 'etcds://a:1', 'messages name no credentials')
})

const WRONG: readonly (readonly [url: string, says: RegExp])[] = [
  ['etcd://', /at least one member/],
  ['etcd:a', /at least one member/],
  ['etcd://u:secret@a:1', /password does not belong/],
  ['etcd://a:0', /"a:0" is not a member/],
  ['etcd://a:65536', /not a member/],
  ['etcd://a,,b', /"" is not a member/],
  ['etcd://a_b', /not a member/],
  ['etcd://a?caCertFile=/ca', /certificates need etcds/],
  ['etcds://a?certFile=/c', /go together/],
  ['etcds://a?certFile=/c&keyFile=/k', /needs caCertFile/],
  ['etcd://a?username=u', /go together/],
  ['etcd://a?user=u', /no parameter "user"/],
  ['etcd://a?username=u&username=v&passwordFile=/p', /given once/],
]
for (const [url, says] of WRONG)
  test(`refused: ${url}`, () => assert.throws(() => etcdTarget(url), { code: 'datastore.url', message: says }))

test('a password is not repeated', () => {
  for (const url of ['etcd://u:secret@a:1', 'etcd://a,u:secret@b/x'])
    assert.throws(
      () => etcdTarget(url),
      (thrown: unknown) => thrown instanceof Error && /…@/.test(thrown.message) && !thrown.message.includes('secret'),
    )
})

test('rule 7: revisions are compared as numbers of 64 bits, not as text and not as floating point', () => {
  assert.ok(isNewer('10', '9'))
  assert.ok(isNewer('9007199254740993', '9007199254740992'), 'beyond the exact integers of JavaScript')
  assert.equal(following('9007199254740993'), '9007199254740994')
  assert.equal(revisionNumber('9223372036854775807'), 2n ** 63n - 1n)
  for (const text of ['9223372036854775808', '0', '01', '-1', '', ' 1', '1 ', '1e3', 'x'])
    assert.equal(revisionNumber(text), undefined, text)
})

test('a prefix is a range of octets', () => {
  assert.deepEqual(rangeOf('/a/'), { key: Buffer.from('/a/'), range_end: Buffer.from('/a0') })
  assert.deepEqual(rangeOf(''), { key: Buffer.from([0]), range_end: Buffer.from([0]) })
  const { key, range_end } = rangeOf('/\u{10ffff}')
  assert.ok(
    Buffer.compare(key, Buffer.from('/\u{10ffff}z')) < 0 && Buffer.compare(Buffer.from('/\u{10ffff}\u{10ffff}'), range_end) < 0,
  )
})
