/** Prefixes with and without path ids, as fields of UPDATE. RFC 4271 §4.3, RFC 7911 §3. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Writer } from '@network/base/bytes/writer.ts'
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ipv6 } from '@network/base/net/ipv6.ts'
import fc from 'fast-check'
import { plainAttributes } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { eachIdentified4 } from '../rib/prefix-table.ts'
import { prefix, prefix6, u32 } from '../testing/arbitrary.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from './capabilities.ts'
import type { Dialect } from './dialect.ts'
import { type Identified, keyOf, readPrefixes, readPrefixes6, sizeOfPrefix, writeAnyPrefix } from './nlri.ts'
import {
  decodeUpdate,
  encodeAnnouncement,
  encodeEndOfRib,
  encodeReachable,
  encodeUnreachable,
  encodeWithdrawal,
} from './update.ts'

const ATTRIBUTES = { ...plainAttributes(ipv4('192.0.2.9')), localPref: 100 }
const HOPS6 = { nextHop: ipv4('0.0.0.0'), nextHop6: { address: ipv6('2001:db8::1'), linkLocal: undefined } }
const FAMILIES = [IPV4_UNICAST, IPV6_UNICAST]
const IDS: Dialect = {
  kind: 'internal',
  asnOctets: 4,
  multiprotocol: { families: FAMILIES, ipv6NextHop: true },
  addPath: { in: FAMILIES, out: [] },
}
const HALF: Dialect = { ...IDS, addPath: { in: [IPV4_UNICAST], out: FAMILIES } }

const four = identified(prefix)
const six = identified(prefix6)

describe('path ids', () => {
  test('stand before every prefix, and are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(four, { maxLength: 20 }), fc.array(six, { maxLength: 20 }), (fours, sixes) => {
        assert.deepEqual(readPrefixes(written(fours), true), fours)
        assert.deepEqual(readPrefixes6(written(sixes), true), sixes)
        const seen: string[] = []
        const field = written(fours)
        assert.ok(
          eachIdentified4(field, 0, field.length, (address, length, pathId) => void seen.push(`${address}/${length}#${pathId}`)),
        )
        assert.deepEqual(
          seen,
          fours.map(({ address, length, pathId }) => `${address}/${length}#${pathId}`),
        )
      }),
    )
  })

  test('any bytes are read by both readers or by none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
        const read = readPrefixes(bytes, true)
        const seen: unknown[] = []
        const isSound = eachIdentified4(
          bytes,
          0,
          bytes.length,
          (address, length, pathId) => void seen.push({ address, length, pathId }),
        )
        assert.equal(isSound, read !== undefined)
        assert.deepEqual(seen, read ?? [])
      }),
      { numRuns: 500 },
    )
  })

  test('survive UPDATEs of both families', () => {
    const block = encodeAttributes(ATTRIBUTES, IDS)
    const block6 = encodeAttributes({ ...ATTRIBUTES, ...HOPS6 }, IDS)
    fc.assert(
      fc.property(
        fc.uniqueArray(four, { minLength: 1, maxLength: 20, selector: keyOf }),
        fc.uniqueArray(six, { minLength: 1, maxLength: 20, selector: keyOf }),
        (fours, sixes) => {
          assert.deepEqual(routesIn(encodeAnnouncement(block, fours)), { told: fours, told6: [], gone: [], gone6: [] })
          assert.deepEqual(routesIn(encodeWithdrawal(fours)), { told: [], told6: [], gone: fours, gone6: [] })
          const reach = encodeReachable(IPV6_UNICAST, { hops: HOPS6, attributes: block6 }, sixes)
          assert.deepEqual(routesIn(reach), { told: [], told6: sixes, gone: [], gone6: [] })
          assert.deepEqual(routesIn(encodeUnreachable(IPV6_UNICAST, sixes)), { told: [], told6: [], gone: [], gone6: sixes })
        },
      ),
    )
  })

  test('are for one way and one family each: End-of-RIB has none', () => {
    for (const family of FAMILIES)
      assert.deepEqual(decodeUpdate(encodeEndOfRib(family).subarray(19), IDS), { is: 'end-of-rib', family })
    const [net] = fc.sample(prefix6, 1)
    assert.ok(net !== undefined)
    const verdict = decodeUpdate(encodeUnreachable(IPV6_UNICAST, [net]).subarray(19), HALF)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(verdict.ipv6.withdrawn, [net])
  })

  test('one path withdrawn and another one of the prefix announced, in one message', () => {
    const block = [...encodeAttributes(ATTRIBUTES, IDS)]
    const gone = [0, 0, 0, 1, 24, 10, 1, 0, 0, 0, 0, 2, 24, 10, 1, 0]
    const body = Uint8Array.from([0, gone.length, ...gone, 0, block.length, ...block, 0, 0, 0, 2, 24, 10, 1, 0])
    const verdict = decodeUpdate(body, IDS)
    assert.ok(verdict.is === 'routes')
    assert.deepEqual(verdict.withdrawn.map(keyOf), ['10.1.0.0/24#1'])
    assert.deepEqual(
      verdict.announced.flatMap(({ prefixes }) => prefixes.map(keyOf)),
      ['10.1.0.0/24#2'],
    )
  })
})

function identified<P extends AnyPrefix>(prefixes: fc.Arbitrary<P>): fc.Arbitrary<P & { readonly pathId: number }> {
  return fc.tuple(prefixes, u32).map(([each, pathId]) => ({ ...each, pathId }))
}

function written(prefixes: readonly Identified<AnyPrefix>[]): Uint8Array {
  const writer = new Writer()
  for (const each of prefixes) writeAnyPrefix(writer, each)
  assert.equal(
    writer.length,
    prefixes.reduce((sum, each) => sum + sizeOfPrefix(each), 0),
  )
  return writer.finish()
}

function routesIn(message: Uint8Array) {
  const verdict = decodeUpdate(message.subarray(19), IDS)
  assert.ok(verdict.is === 'routes')
  const { announced, withdrawn, ipv6: routes6 } = verdict
  return {
    told: announced.flatMap(({ prefixes }) => prefixes),
    told6: routes6.announced.flatMap(({ prefixes }) => prefixes),
    gone: withdrawn,
    gone6: routes6.withdrawn,
  }
}
