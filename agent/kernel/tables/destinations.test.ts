import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import type { RouteIntent } from '@network/model/intent.ts'
import * as fc from 'fast-check'
import { Destinations, NOWHERE } from './destinations.ts'

/** Few addresses and many lengths, so that one slot is asked for by several. */
const anyPrefix = fc
  .tuple(fc.oneof(fc.nat(0xff), fc.integer({ min: 0, max: 0xffffffff })), fc.nat(32))
  .map(([address, length]) => toPrefix(toIpv4(address), length))

test('property: every wanted destination has its place, and no other has one', () => {
  fc.assert(
    fc.property(fc.array(anyPrefix, { maxLength: 200 }), fc.array(anyPrefix), (prefixes, others) => {
      const wanted = new Map(prefixes.map((destination): [string, RouteIntent] => [formatPrefix(destination), hole(destination)]))
      const destinations = new Destinations(wanted)
      for (const { address, length } of [...prefixes, ...others]) {
        const place = destinations.placeOf(address, length)
        const key = formatPrefix({ address, length })
        assert.equal(destinations.wants[place], wanted.get(key))
        assert.equal(destinations.keys[place], wanted.has(key) ? key : undefined)
        assert.equal(place === NOWHERE, !wanted.has(key))
      }
    }),
  )
})

function hole(destination: Prefix): RouteIntent {
  return { why: 'the test', is: 'blackhole', destination }
}
