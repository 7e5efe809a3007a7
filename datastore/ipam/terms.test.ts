/** What pools, reservations and IPAMConfiguration say of who is given which address. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import { metadataOf } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { parseSelector } from '@network/model/selector/parse.ts'
import { deleteNode } from '../nodes.ts'
import { createOf } from '../records.ts'
import { impatientClock } from '../testing/impatient-clock.ts'
import { MemoryStore } from '../testing/memory.ts'
import { Ipam } from './ipam.ts'
import { ipamUsage } from './usage.ts'

const { signal } = new AbortController()
const options = { signal }

const POOLS: readonly [what: string, pool: Partial<IpPool>, use: string, given: string][] = [
  ['an open pool', {}, 'default/web', '10.0.0.0'],
  ['a pool for asking by name only', { assignmentMode: 'Manual' }, 'default/web', 'no-pool'],
  ['a pool for tunnels, asked for a pod', { allowedUses: ['Tunnel'] }, 'default/web', 'no-pool'],
  ['a pool for tunnels, asked for a tunnel', { allowedUses: ['Tunnel'] }, 'tunnel', '10.0.0.0'],
  ['a pool for pods, asked for a tunnel', { allowedUses: ['Workload'] }, 'tunnel', 'no-pool'],
  ['a pool whose selector takes the node', { nodeSelector: selector("rack == 'r1'") }, 'default/web', '10.0.0.0'],
  ['a pool whose selector does not', { nodeSelector: selector("rack == 'r2'") }, 'default/web', 'no-pool'],
]
for (const [what, pool, use, given] of POOLS)
  test(`${what}: ${given}`, async () => {
    const store = await cluster({ blockSize: 29, ...pool, cidr: '10.0.0.0/29' })
    assert.equal(said(await ipamOf(store, 'a').assign({ handle: 'h', use, signal })), given)
  })

test('reserved addresses are never given, a block of nothing else is not even claimed', async () => {
  const store = await cluster({ cidr: '10.0.0.0/29', blockSize: 30 })
  await reserve(store, '10.0.0.0/30', '10.0.0.5')
  const ipam = ipamOf(store, 'a')
  const given: string[] = []
  for (const handle of ['1', '2', '3', '4']) given.push(said(await take(ipam, handle)))
  assert.deepEqual(given, ['10.0.0.4', '10.0.0.6', '10.0.0.7', 'pools-full'])
  assert.deepEqual((await ipamUsage(store, options)).blocks.length, 1)
})

const LIMITS: readonly [what: string, spec: Partial<Configuration>, given: string[]][] = [
  ['one block a node', { maxBlocksPerHost: 1 }, ['assigned', 'assigned', 'pools-full']],
  ['no block by itself', { autoAllocateBlocks: false }, ['pools-full', 'pools-full', 'pools-full']],
]
for (const [what, spec, given] of LIMITS)
  test(`${what}: ${given.join(', ')}`, async () => {
    const store = await cluster({ cidr: '10.0.0.0/29', blockSize: 31 })
    await configure(store, spec)
    const ipam = ipamOf(store, 'a')
    const got: string[] = []
    for (const handle of ['1', '2', '3']) got.push((await take(ipam, handle)).is)
    assert.deepEqual(got, given)
  })

test('a node that can claim nothing borrows when it may, finds it again, gives it back, and frees nothing of others', async () => {
  const store = await cluster({ cidr: '10.0.0.0/30', blockSize: 30 })
  const [owner, borrower] = [ipamOf(store, 'a'), ipamOf(store, 'b')]
  assert.equal(said(await take(owner, 'own')), '10.0.0.0')
  assert.equal(said(await take(borrower, 'lent')), 'pools-full', 'P0: by default nobody borrows')
  await configure(store, { strictAffinity: false })
  assert.equal(said(await take(borrower, 'lent')), '10.0.0.1')
  assert.equal(said(await take(borrower, 'lent')), '10.0.0.1')
  assert.deepEqual(await owner.releaseUnused(new Set(['own']), options), [])
  const { addresses } = await ipamUsage(store, options)
  assert.deepEqual(
    addresses.map(({ address, node }) => `${formatIpv4(address)} ${node}`),
    ['10.0.0.0 a', '10.0.0.1 b'],
  )
  assert.deepEqual((await borrower.release('lent', options)).map(formatIpv4), ['10.0.0.1'])
  assert.equal((await ipamUsage(store, options)).addresses.length, 1)
})

test('what was borrowed is given back after borrowing was forbidden again', async () => {
  const store = await cluster({ cidr: '10.0.0.0/30', blockSize: 30 })
  await configure(store, { strictAffinity: false })
  const [owner, borrower] = [ipamOf(store, 'a'), ipamOf(store, 'b')]
  await take(owner, 'own')
  await take(borrower, 'lent')
  await store.delete(IPAM_CONFIGURATION.keyOf(configuration({})), (await configured(store)).revision, options)
  assert.deepEqual(await borrower.release('lent', options), [], 'P0: nobody looks at all blocks')
  assert.deepEqual((await borrower.release('lent', { signal, known: [ipv4('10.0.0.1')] })).map(formatIpv4), ['10.0.0.1'])
})

test('an owner that is deleted leaves a block that others borrowed from; a borrower that is deleted gives everything back', async () => {
  const store = await cluster({ cidr: '10.0.0.0/30', blockSize: 30 })
  await configure(store, { strictAffinity: false })
  await take(ipamOf(store, 'a'), 'own')
  await take(ipamOf(store, 'b'), 'lent')
  await deleteNode(store, 'a', options)
  assert.equal(said(await take(ipamOf(store, 'c'), 'new')), '10.0.0.2', 'the block is not given away')
  await deleteNode(store, 'b', options)
  await deleteNode(store, 'c', options)
  const usage = await ipamUsage(store, options)
  assert.deepEqual([usage.addresses, usage.blocks], [[], []])
})

type Configuration = ReturnType<typeof configuration>['spec']

async function cluster({ cidr, ...pool }: Partial<Omit<IpPool, 'cidr'>> & { readonly cidr: string }): Promise<MemoryStore> {
  const store = new MemoryStore()
  const plain = { name: 'p', blockSize: 26, ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false } as const
  await createOf(store, IP_POOL, { ...plain, ...pool, cidr: prefix(cidr) }, options)
  await createOf(
    store,
    NODE,
    {
      ...{ name: 'a', id: 'of a', address: ipv4('192.0.2.1'), subnetLength: 24, labels: { rack: 'r1' } },
      ...{ asn: undefined, tunnelAddress: undefined, vxlanMac: undefined },
    },
    options,
  )
  return store
}

function configuration(spec: Partial<{ strictAffinity: boolean; autoAllocateBlocks: boolean; maxBlocksPerHost: number }>) {
  const defaults = { strictAffinity: true, autoAllocateBlocks: true, maxBlocksPerHost: 0, ipCooldownSeconds: 0 }
  return { metadata: metadataOf('default'), spec: { ...defaults, ...spec }, status: undefined }
}

async function configure(store: MemoryStore, spec: Partial<Configuration>): Promise<void> {
  assert.equal((await createOf(store, IPAM_CONFIGURATION, configuration(spec), options)).is, 'written')
}

async function configured(store: MemoryStore) {
  return (await store.get(IPAM_CONFIGURATION.keyOf(configuration({})), options)) ?? assert.fail('it is there')
}

async function reserve(store: MemoryStore, ...ranges: string[]): Promise<void> {
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPReservation',
    metadata: { name: 'kept' },
    spec: { reservedCIDRs: ranges },
  }
  const parsed = IP_RESERVATION.parse(document)
  assert.ok(parsed.ok)
  await createOf(store, IP_RESERVATION, parsed.value, options)
}

function selector(text: string) {
  const parsed = parseSelector(text)
  assert.ok(parsed.ok)
  return parsed.value
}

function ipamOf(store: MemoryStore, node: string): Ipam {
  return new Ipam(store, node, { clock: impatientClock, random: seededRandom(1) })
}

function take(ipam: Ipam, handle: string) {
  return ipam.assign({ handle, use: `default/${handle}`, signal })
}

function said(assignment: Awaited<ReturnType<typeof take>>): string {
  return assignment.is === 'assigned' ? formatIpv4(assignment.address) : assignment.is
}
