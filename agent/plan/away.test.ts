/** What may be given without the datastore, and each reason why not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { allocate, emptyBlock } from '@network/datastore/ipam/blocks.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { IP_POOL, type IpPool } from '@network/model/resources/ip-pool.ts'
import { IP_RESERVATION, IPAM_CONFIGURATION } from '@network/model/resources/ipam.ts'
import type { IpamBlock } from '@network/model/resources/ipam-block.ts'
import { type Kind, keyPrefixOf, metadataOf } from '@network/model/resources/kind.ts'
import { NODE } from '@network/model/resources/node.ts'
import { SnapshotBuilder } from '@network/model/snapshot.ts'
import type { LedgerEntry, Standing } from '../away/ledger.ts'
import { type AwayFacts, addressAway } from './away.ts'

const BLOCK = prefix('10.0.0.0/30')
const POOL: IpPool = {
  ...{ name: 'p', cidr: prefix('10.0.0.0/28'), blockSize: 30 },
  ...{ ipipMode: 'Never', vxlanMode: 'Never', natOutgoing: false, disabled: false },
}

test('P0: the longest free address of an own block is given', () => {
  const verdict = addressAway(facts())
  assert.equal(verdict.is === 'free' && formatIpv4(verdict.address), '10.0.0.1')
})

const USED: readonly (readonly [what: string, change: (facts: AwayFacts) => AwayFacts])[] = [
  ['the ledger gives to a pod', facts => ({ ...facts, ledger: ledgerWith(facts, 'owed') })],
  ['a pod had that is gone', facts => ({ ...facts, ledger: ledgerWith(facts, 'leaving') })],
  ['the kernel routes to a pod', facts => ({ ...facts, routed: new Set([ipv4('10.0.0.1')]) })],
  ['is reserved', () => facts({ reserved: '10.0.0.1/32' })],
  ['a tunnel has', () => facts({ tunnel: '10.0.0.1' })],
]
for (const [what, change] of USED)
  test(`an address that ${what} is passed over`, () => {
    const verdict = addressAway(change(facts()))
    assert.equal(verdict.is === 'free' && formatIpv4(verdict.address), '10.0.0.2', JSON.stringify(verdict))
  })

const full = [1, 2, 3].reduce((block, n) => taken(block, `cni.${n}.eth0`), taken(emptyBlock(BLOCK, 'a'), 'tunnel.a'))
const REFUSED: readonly (readonly [what: string, change: (facts: AwayFacts) => AwayFacts, says: RegExp])[] = [
  ['nothing was ever seen of it', facts => ({ ...facts, snapshot: undefined }), /nothing is known/],
  ['the ledger may lack something', facts => ({ ...facts, isWhole: false }), /never compared/],
  ['the node was not in it', facts => ({ ...facts, self: 'z' }), /node z was not in it/],
  ['the node was another machine', facts => ({ ...facts, id: 'other' }), /node a was another machine/],
  ['others may borrow', () => facts({ strictAffinity: false }), /other nodes may borrow/],
  ['how addresses are given could not be read', () => facts({ junk: true }), /ipamconfigurations\/default could not be read/],
  ['the node has no block', facts => ({ ...facts, blocks: [] }), /has no block of its own/],
  [
    'the claim is not finished',
    () => facts({ state: 'pending' }),
    /10\.0\.0\.0\/30 is not confirmed as its own; .* claimed and not/,
  ],
  ['the block is another node’s', () => facts({ owner: 'b' }), /not confirmed as its own/],
  ['the pool is disabled', () => facts({ pool: { disabled: true } }), /pool p, which gives none/],
  ['the pool gives only where it is named', () => facts({ pool: { assignmentMode: 'Manual' } }), /pool p, which gives none/],
  ['the pool was made anew with other blocks', () => facts({ pool: { blockSize: 29 } }), /is of no pool/],
  ['the pool is gone', () => facts({ pool: { cidr: prefix('10.9.0.0/28') } }), /is of no pool/],
  [
    'another node has an address of the block',
    facts => ({ ...facts, blocks: [taken(taken(emptyBlock(BLOCK, 'a'), 'tunnel.a'), 'x', 'b')] }),
    /holds an address that node b borrowed/,
  ],
  [
    'nothing keeps the block from being given up',
    facts => ({ ...facts, blocks: [emptyBlock(BLOCK, 'a')] }),
    /may have been given up/,
  ],
  [
    'what kept it may be gone',
    facts => ({ ...facts, ledger: new Map([['tunnel.a', entry('tunnel.a', 'leaving', '10.0.0.0')]]) }),
    /may have been given up/,
  ],
  ['the block is full', facts => ({ ...facts, blocks: [full] }), /10\.0\.0\.0\/30 has no address free/],
]
for (const [what, change, says] of REFUSED)
  test(`refused where ${what}`, () => {
    const verdict = addressAway(change(facts()))
    assert.equal(verdict.is, 'refused')
    assert.match(verdict.is === 'refused' ? verdict.says : '', says)
  })

interface Wanted {
  readonly strictAffinity?: boolean
  readonly junk?: boolean
  readonly state?: 'pending'
  readonly owner?: string
  readonly pool?: Partial<IpPool>
  readonly reserved?: string
  readonly tunnel?: string
}

function facts(wanted: Wanted = {}): AwayFacts {
  const { strictAffinity = true, junk = false, state = 'confirmed', owner = 'a', pool = {}, reserved, tunnel } = wanted
  const builder = new SnapshotBuilder()
  const put = <T>(kind: Kind<T>, value: T) => {
    assert.deepEqual(builder.apply({ key: kind.keyOf(value), document: kind.print(value) }), [])
  }
  put(NODE, {
    ...{ name: 'a', id: 'machine', address: ipv4('192.0.2.1'), subnetLength: 24, asn: undefined, vxlanMac: undefined },
    tunnelAddress: tunnel === undefined ? undefined : ipv4(tunnel),
  })
  put(IP_POOL, { ...POOL, ...pool })
  put(BLOCK_AFFINITY, { block: BLOCK, node: owner, state })
  const spec = { strictAffinity, autoAllocateBlocks: true, maxBlocksPerHost: 0, ipCooldownSeconds: 0 }
  if (junk) builder.apply({ key: `${keyPrefixOf(IPAM_CONFIGURATION.plural)}default`, document: { kind: 'nonsense' } })
  else put(IPAM_CONFIGURATION, { metadata: metadataOf('default'), spec, status: undefined })
  if (reserved !== undefined)
    put(IP_RESERVATION, { metadata: metadataOf('kept'), spec: { reservedCIDRs: [prefix(reserved)] }, status: undefined })
  return {
    ...{ self: 'a', id: 'machine', snapshot: builder.snapshot, isWhole: true, routed: new Set() },
    blocks: [taken(emptyBlock(BLOCK, 'a'), 'tunnel.a')],
    ledger: new Map([['tunnel.a', entry('tunnel.a', 'held', '10.0.0.0')]]),
  }
}

function taken(block: IpamBlock, handle: string, node = 'a'): IpamBlock {
  return allocate(block, { handle, node, use: 'test' })?.block ?? assert.fail('the block is full')
}

function ledgerWith({ ledger }: AwayFacts, standing: Standing): AwayFacts['ledger'] {
  return new Map([...ledger, ['cni.x.eth0', entry('cni.x.eth0', standing, '10.0.0.1')]])
}

function entry(handle: string, standing: Standing, address: string): LedgerEntry {
  return { handle, standing, use: 'test', address: ipv4(address), at: '2026-01-01T00:00:00Z' }
}
