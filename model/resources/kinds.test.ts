/** Every kind: what is printed is read back as it was; what is wrong is told all at once, with its place. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toIpv4 } from '@network/base/net/ipv4.ts'
import { type Prefix, sizeOf, toPrefix } from '@network/base/net/prefix.ts'
import fc from 'fast-check'
import { ALL, type Selector } from '../selector/selector.ts'
import { BLOCK_AFFINITY } from './block-affinity.ts'
import { ASSIGNMENT_MODES, IP_POOL, IPIP_MODES, type IpPool, POOL_USES } from './ip-pool.ts'
import { IPAM_BLOCK, type IpamBlock } from './ipam-block.ts'
import type { Kind, Parsed } from './kind.ts'
import { NODE } from './node.ts'
import { WORKLOAD_ENDPOINT } from './workload-endpoint.ts'

const PLAIN = { noNullPrototype: true } as const
const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?)?$/)
const text = fc.string({ minLength: 1, maxLength: 20 })
const address = fc.nat(0xffffffff).map(toIpv4)
const host = fc.integer({ min: 0x01000000, max: 0x7effffff }).map(toIpv4)
const within = (min: number, max: number): fc.Arbitrary<Prefix> =>
  fc.tuple(address, fc.integer({ min, max })).map(([from, length]) => toPrefix(from, length))

const label = fc.stringMatching(/^[a-z]{1,4}$/)
const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant(ALL),
  fc.record({ is: fc.constant('has' as const), label }, PLAIN),
  fc.record({ is: fc.constant('==' as const), label, value: label }, PLAIN),
)

const pool: fc.Arbitrary<IpPool> = fc
  .record({
    name,
    cidr: within(8, 32),
    more: fc.nat(12),
    tunnel: fc.constantFrom('ipip', 'vxlan'),
    mode: fc.constantFrom(...IPIP_MODES),
    natOutgoing: fc.boolean(),
    disabled: fc.boolean(),
    disableBgpExport: fc.boolean(),
    nodeSelector: selector,
    allowedUses: fc.subarray([...POOL_USES], { minLength: 1 }),
    assignmentMode: fc.constantFrom(...ASSIGNMENT_MODES),
  })
  .map(({ more, tunnel, mode, ...rest }) => ({
    ...rest,
    ipipMode: tunnel === 'ipip' ? mode : 'Never',
    vxlanMode: tunnel === 'vxlan' ? mode : 'Never',
    blockSize: Math.max(20, Math.min(32, rest.cidr.length + more)),
  }))

const node = fc.record(
  {
    name,
    id: text,
    address: host,
    subnetLength: fc.integer({ min: 8, max: 32 }),
    asn: fc.option(fc.integer({ min: 1, max: 4294967295 }), { nil: undefined }),
    tunnelAddress: fc.option(address, { nil: undefined }),
    vxlanMac: fc.option(fc.constantFrom('66:00:00:00:00:0c', 'c2:6a:9b:e5:39:8d'), { nil: undefined }),
    labels: fc.dictionary(label, label, { noNullPrototype: true }),
    routeReflectorClusterId: address,
  },
  PLAIN,
)

const affinity = fc.record(
  { block: within(20, 32), node: name, state: fc.constantFrom('pending' as const, 'confirmed' as const) },
  PLAIN,
)

const block: fc.Arbitrary<IpamBlock> = fc
  .record({ cidr: within(26, 32), node: name, taken: fc.array(fc.nat(63)), handle: fc.string(), use: fc.string() })
  .map(({ cidr, node, taken, handle, use }) => {
    const ordinals = Array.from({ length: sizeOf(cidr) }, (_, ordinal) => ordinal)
    const allocations = new Map(ordinals.filter(one => taken.includes(one)).map(one => [one, { handle, node, use }]))
    return { cidr, node, allocations, free: ordinals.filter(one => !allocations.has(one)).reverse() }
  })

const endpoint = fc.record(
  {
    node: name,
    namespace: name,
    pod: name,
    containerId: text,
    endpoint: fc.constantFrom('eth0', 'net1'),
    interfaceName: fc.stringMatching(/^cali[0-9a-f]{11}$/),
    mac: fc.constant('ee:ee:ee:ee:ee:ee'),
    addresses: fc.array(address, { minLength: 1, maxLength: 3 }),
  },
  PLAIN,
)

describe('what is printed is read back as it was', () => {
  roundTrip(IP_POOL, pool)
  roundTrip(NODE, node)
  roundTrip(BLOCK_AFFINITY, affinity)
  roundTrip(IPAM_BLOCK, block)
  roundTrip(WORKLOAD_ENDPOINT, endpoint)
})

function roundTrip<T>(kind: Kind<T>, values: fc.Arbitrary<T>): void {
  test(kind.kind, () => {
    fc.assert(
      fc.property(values, value => {
        const stored: unknown = JSON.parse(JSON.stringify(kind.print(value)))
        const parsed = kind.parse(stored)
        assert.ok(parsed.ok, told(parsed))
        assert.deepEqual(parsed.value, value)
        assert.deepEqual(parsed.warnings, [])
        assert.equal(kind.keyOf(parsed.value), kind.keyOf(value))
      }),
    )
  })
  test(`${kind.kind}: no input makes the parser throw`, () => {
    fc.assert(fc.property(fc.anything(), input => void kind.parse(input)))
    fc.assert(fc.property(values, fc.anything(), (value, spec) => void kind.parse({ ...kind.print(value), spec })))
  })
}

test('keys of two workloads or blocks never meet', () => {
  fc.assert(
    fc.property(endpoint, endpoint, (a, b) => {
      const same = a.namespace === b.namespace && a.node === b.node && a.pod === b.pod && a.endpoint === b.endpoint
      assert.equal(WORKLOAD_ENDPOINT.keyOf(a) === WORKLOAD_ENDPOINT.keyOf(b), same)
    }),
  )
})

function told(parsed: Parsed<unknown>): string {
  return parsed.ok ? '' : parsed.problems.map(({ at, says }) => `${at}: ${says}`).join('\n')
}
