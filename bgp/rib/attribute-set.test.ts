/** Skimmed blocks mean what the decoder says they mean, and are reflected as the encoder would. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import fc from 'fast-check'
import { type Attributes, NO_EXPORT } from '../attributes/attributes.ts'
import { encodeAttributes } from '../attributes/encode.ts'
import { writeReflected } from '../attributes/skim.ts'
import { advertised } from '../export/advertise.ts'
import { attributes as anyAttributes } from '../testing/arbitrary.ts'
import type { Dialect } from '../wire/dialect.ts'
import { decodeUpdate } from '../wire/update.ts'
import { type AttributeSet, AttributeSets, type Ranks, ranksOf } from './attribute-set.ts'
import type { Source } from './path.ts'

const DIALECT: Dialect = { kind: 'internal', asnOctets: 4 }
const SELF = { asn: 64512, routerId: ipv4('192.0.2.1'), clusterId: ipv4('9.9.9.9') }
const SOURCE: Source = {
  id: '192.0.2.2',
  kind: 'internal',
  name: 'peer',
  address: ipv4('192.0.2.2'),
  routerId: ipv4('192.0.2.2'),
  localAddress: ipv4('192.0.2.1'),
  client: true,
}
const OUTLET = {
  kind: 'internal',
  localAddress: SELF.routerId,
  localAsn: SELF.asn,
  clusterId: SELF.clusterId,
  client: true,
} as const

/** Mostly plain: what a cluster says all day, with loops now and then. */
const plain: fc.Arbitrary<Attributes> = fc
  .tuple(
    anyAttributes,
    fc.array(fc.constantFrom(64512, 65001, 4200000000), { maxLength: 3 }),
    fc.uniqueArray(fc.constantFrom(1, 65001, 0xfde80001, NO_EXPORT), { maxLength: 3 }),
    fc.constantFrom(SELF.clusterId, ipv4('8.8.8.8'), ipv4('255.1.1.1')),
    fc.constantFrom(undefined, SELF.routerId, ipv4('7.7.7.7')),
  )
  .map(([base, asns, communities, cluster, originatorId]) => ({
    ...base,
    asPath: asns.length === 0 ? [] : [{ kind: 'sequence', asns } as const],
    nextHop6: undefined,
    atomicAggregate: false,
    aggregator: undefined,
    communities,
    originatorId,
    clusterList: originatorId === undefined ? [] : [cluster],
    extendedCommunities: [],
    largeCommunities: [],
    opaque: [],
  }))

describe('a skimmed block', () => {
  test('plain ones are taken, and mean what the decoder says', () => {
    fc.assert(
      fc.property(plain, attributes => {
        const block = encodeAttributes(attributes, DIALECT)
        const set = skimmed(block)
        assert.ok(set !== undefined, 'it is plain')
        const decoded = read(block)
        assert.ok(decoded !== undefined)
        assert.deepEqual(ranksIn(set), ranksOf(decoded, SOURCE, SELF))
        assert.deepEqual(set.attributes, decoded)
      }),
    )
  })

  test('whatever the bytes, what is taken is what the decoder accepts without a remark', () => {
    const mutation = fc.record({ at: fc.nat(80), to: fc.nat(255) })
    fc.assert(
      fc.property(fc.oneof(plain, anyAttributes), fc.array(mutation, { maxLength: 3 }), (attributes, mutations) => {
        const block = encodeAttributes(attributes, DIALECT)
        for (const { at, to } of mutations) if (at < block.length) block[at] = to
        const set = skimmed(block)
        if (set === undefined) return
        const decoded = read(block)
        assert.ok(decoded !== undefined, 'the decoder takes it too')
        assert.deepEqual(ranksIn(set), ranksOf(decoded, SOURCE, SELF))
        assert.deepEqual(encodeAttributes(decoded, DIALECT), block)
      }),
      { numRuns: 2000 },
    )
  })

  test('reflected by its bytes as by its values', () => {
    fc.assert(
      fc.property(plain, attributes => {
        const set = skimmed(encodeAttributes(attributes, DIALECT))
        assert.ok(set !== undefined)
        const said = advertised(attributes, SOURCE, OUTLET, false)
        assert.ok(set.isPlain || attributes.communities.includes(NO_EXPORT))
        assert.ok(said !== undefined)
        const into = new Uint8Array(4096)
        const by = { originatorId: SOURCE.routerId, clusterId: OUTLET.clusterId }
        const octets = writeReflected(encodeAttributes(attributes, DIALECT), by, into)
        assert.deepEqual(into.slice(0, octets), new Uint8Array(encodeAttributes(said, DIALECT)))
      }),
    )
  })

  test('a cluster list that would need a longer length is left to the encoder', () => {
    const clusterList = Array.from({ length: 63 }, (_, index) => ipv4(`8.8.8.${index}`))
    const attributes = { ...read(new Uint8Array(SMALLEST)), clusterList }
    const block = encodeAttributes({ ...EMPTY, ...attributes }, DIALECT)
    const by = { originatorId: SOURCE.routerId, clusterId: OUTLET.clusterId }
    assert.equal(writeReflected(block, by, new Uint8Array(4096)), -1)
  })
})

describe('attribute sets', () => {
  test('what nobody uses is forgotten, and what is used keeps its number', () => {
    const sets = new AttributeSets(SELF)
    const blocks = Array.from({ length: 5000 }, (_, med) => encodeAttributes({ ...EMPTY, med }, DIALECT))
    const ids = blocks.map(block => sets.skim(SOURCE, block, 0, block.length)?.id ?? -1)
    assert.equal(new Set(ids).size, 5000)
    assert.ok(sets.isFull)
    const forgotten: number[] = []
    sets.sweep(
      id => id % 10 === 0,
      id => forgotten.push(id),
    )
    assert.equal(forgotten.length, 4500)
    for (const [med, block] of blocks.entries()) {
      const found = sets.recall(SOURCE, block, 0, block.length)
      assert.equal(found?.id, (ids[med] ?? -1) % 10 === 0 ? ids[med] : undefined)
      if (found !== undefined) assert.equal(found.attributes.med, med)
    }
    const again = sets.skim(SOURCE, blocks[1] ?? new Uint8Array(0), 0, blocks[1]?.length ?? 0)
    assert.ok(again !== undefined && again.id < 5000, 'numbers are given again')
  })

  test('few long ones are too many as well', () => {
    const sets = new AttributeSets(SELF)
    const long = (number: number) => ({ code: 99, body: new Uint8Array(60_000).fill(number), partial: true })
    let said = 0
    while (!sets.isFull) sets.of(SOURCE, { ...EMPTY, opaque: [long(said++)] })
    assert.ok(said < 200, `${said} sets`)
    sets.sweep(
      () => false,
      () => undefined,
    )
    assert.ok(!sets.isFull)
  })

  test('the same bytes of two sources are two sets', () => {
    const sets = new AttributeSets(SELF)
    const block = encodeAttributes(EMPTY, DIALECT)
    const other = { ...SOURCE, id: '192.0.2.3', routerId: ipv4('192.0.2.3') }
    const [one, two] = [SOURCE, other].map(source => sets.skim(source, block, 0, block.length))
    assert.notEqual(one?.id, two?.id)
    assert.equal(sets.recall(other, block, 0, block.length), two)
  })
})

const SMALLEST = [0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 203, 0, 113, 1, 0x40, 5, 4, 0, 0, 0, 100]
const EMPTY = readSmallest()

function readSmallest(): Attributes {
  const attributes = read(new Uint8Array(SMALLEST))
  if (attributes === undefined) throw new TypeError('the smallest block is a block')
  return attributes
}

function skimmed(block: Uint8Array): AttributeSet | undefined {
  return new AttributeSets(SELF).skim(SOURCE, block, 0, block.length)
}

function ranksIn(set: AttributeSet): Ranks {
  const { flaw, isLongStale, weight, localPref, pathLength, originRank, med, neighbourAs, originator, clusters, nextHop } = set
  return { flaw, isLongStale, weight, localPref, pathLength, originRank, med, neighbourAs, originator, clusters, nextHop }
}

/** What the decoder makes of a block; undefined when it has anything to say against it. */
function read(block: Uint8Array): Attributes | undefined {
  const body = Uint8Array.of(0, 0, block.length >> 8, block.length & 255, ...block, 0)
  const verdict = decodeUpdate(body, DIALECT)
  if (verdict.is !== 'routes' || verdict.remarks.length > 0 || verdict.announced.length !== 1) return undefined
  return verdict.announced[0]?.attributes
}
