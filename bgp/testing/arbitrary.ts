/** Generators of BGP values for property tests. */
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix6, toIpv6, toPrefix6 } from '@network/base/net/ipv6.ts'
import { type Prefix, toPrefix } from '@network/base/net/prefix.ts'
import { seconds } from '@network/base/time/units.ts'
import fc from 'fast-check'
import type { AsSegment, Attributes } from '../attributes/attributes.ts'
import { compareLarge } from '../attributes/communities.ts'
import { type AddPathFamily, type Capabilities, nameOfFamily } from '../wire/capabilities.ts'
import type { Open } from '../wire/open.ts'

export const u32 = fc.nat(0xffffffff)
export const address = u32.map(toIpv4)
export const asn = fc.integer({ min: 1, max: 0xffffffff })
export const prefix: fc.Arbitrary<Prefix> = fc.tuple(address, fc.nat(32)).map(([at, length]) => toPrefix(at, length))
export const address6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(toIpv6)
export const prefix6: fc.Arbitrary<Prefix6> = fc.tuple(address6, fc.nat(128)).map(([at, length]) => toPrefix6(at, length))
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** Plain objects, so that they compare equal to decoded ones. */
const record: typeof fc.record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true })

const segment: fc.Arbitrary<AsSegment> = record({
  kind: fc.constantFrom('sequence', 'set'),
  asns: fc.array(asn, { minLength: 1, maxLength: 5 }),
})

/** An attribute set as an internal peer may say it. */
export const attributes: fc.Arbitrary<Attributes> = record({
  origin: fc.constantFrom('igp', 'egp', 'incomplete'),
  asPath: fc.array(segment, { maxLength: 3 }),
  nextHop: address,
  nextHop6: fc.constant(undefined),
  med: maybe(u32),
  localPref: u32,
  atomicAggregate: fc.boolean(),
  aggregator: maybe(record({ asn, address })),
  communities: fc.uniqueArray(u32, { maxLength: 80 }).map(list => list.toSorted((a, b) => a - b)),
  originatorId: maybe(address),
  clusterList: fc.array(address, { maxLength: 3 }),
  extendedCommunities: fc
    .uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 40 })
    .map(list => list.toSorted((a, b) => (a < b ? -1 : 1))),
  largeCommunities: fc
    .uniqueArray(record({ global: u32, local1: u32, local2: u32 }), {
      maxLength: 30,
      comparator: (a, b) => compareLarge(a, b) === 0,
    })
    .map(list => list.toSorted(compareLarge)),
  opaque: fc
    .uniqueArray(
      record({ code: fc.integer({ min: 41, max: 255 }), body: fc.uint8Array({ maxLength: 300 }), partial: fc.constant(true) }),
      {
        selector: ({ code }) => code,
        maxLength: 2,
      },
    )
    .map(list => list.toSorted((a, b) => a.code - b.code)),
})

const basics: fc.Arbitrary<Capabilities> = record({
  families: fc.array(record({ afi: fc.nat(0xffff), safi: fc.nat(255) }), { maxLength: 60 }),
  routeRefresh: fc.boolean(),
  fourOctetAs: maybe(asn),
  gracefulRestart: maybe(
    record({
      restarting: fc.boolean(),
      notification: fc.boolean(),
      restartTime: fc.nat(4095).map(seconds),
      families: fc.array(record({ afi: fc.nat(0xffff), safi: fc.nat(255), forwarding: fc.boolean() }), { maxLength: 3 }),
    }),
  ),
  extendedMessages: fc.boolean(),
  enhancedRefresh: fc.boolean(),
  ipv4OverIpv6: fc.boolean(),
})

const longLived = fc.array(
  record({ afi: fc.nat(0xffff), safi: fc.nat(255), forwarding: fc.boolean(), staleTime: fc.nat(0xffffff).map(seconds) }),
  { maxLength: 36 },
)

const addPath: fc.Arbitrary<readonly AddPathFamily[]> = fc.uniqueArray(
  record({ afi: fc.nat(0xffff), safi: fc.nat(255) }).chain(family =>
    fc
      .constantFrom({ receive: true, send: false }, { receive: false, send: true }, { receive: true, send: true })
      .map(mode => ({ ...family, ...mode })),
  ),
  { minLength: 1, maxLength: 60, selector: nameOfFamily },
)

/** What may be left out is left out at times. */
const capabilities: fc.Arbitrary<Capabilities> = fc
  .tuple(basics, maybe(fc.uniqueArray(fc.nat(255), { minLength: 1, maxLength: 4 })), maybe(longLived), maybe(addPath))
  .map(([basic, roles, long, paths]) => ({
    ...basic,
    ...(roles === undefined ? {} : { roles }),
    ...(long === undefined ? {} : { longLived: long }),
    ...(paths === undefined ? {} : { addPath: paths }),
  }))

export const open: fc.Arbitrary<Open> = record({
  myAs: fc.integer({ min: 1, max: 0xffff }),
  holdTime: fc.nat(0xffff).map(seconds),
  routerId: address,
  capabilities,
})
