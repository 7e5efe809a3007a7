/** ROUTE-REFRESH: three kinds, both ways, and what is none of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IPV4_UNICAST, IPV6_UNICAST } from './capabilities.ts'
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh.ts'

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

for (const kind of ['ask', 'begin', 'end'] as const)
  for (const family of [IPV4_UNICAST, IPV6_UNICAST])
    test(`${kind} ${family.afi}/${family.safi} survives the wire`, () => {
      assert.deepEqual(decodeRouteRefresh(encodeRouteRefresh(family, kind).subarray(19)), { is: 'refresh', kind, family })
    })

test('an unknown subtype and a request with more behind it say nothing', () => {
  assert.deepEqual(decodeRouteRefresh(bytes('0001 03 01')), { is: 'unknown' })
  assert.deepEqual(decodeRouteRefresh(bytes('0001 ff 01 00')), { is: 'unknown' })
  assert.deepEqual(decodeRouteRefresh(bytes('0001 00 01 01 40 0000')), { is: 'unknown' })
})

test('the begin or the end with a wrong length: 7/1 with the whole message', () => {
  for (const hex of ['0001 01 01 00', '0001 02 01 00']) {
    const said = decodeRouteRefresh(bytes(hex))
    assert.ok(said.is === 'fault')
    const { code, subcode, data } = said.notification
    assert.deepEqual([code, subcode], [7, 1])
    assert.equal(Buffer.from(data).toString('hex'), `${'ff'.repeat(16)}001805${hex.replaceAll(' ', '')}`)
  }
})
