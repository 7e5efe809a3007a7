/** Who has which address, as people ask. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { allocate, emptyBlock } from '@network/datastore/ipam/blocks.ts'
import { claim } from '@network/datastore/ipam/claim.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { IPAM_BLOCK, ipamBlockKey } from '@network/model/resources/ipam-block.ts'
import { openStage, type Stage } from '../testing/stage.ts'

/** Pool default with one block of node a, where 10.244.7.0 is a pod's. */
async function withPod(stage: Stage): Promise<void> {
  await stage.calictl('ippool create default --cidr 10.244.0.0/16')
  const block = prefix('10.244.7.0/26')
  await claim(stage.store, block, 'a', stage.options)
  const filled = allocate(emptyBlock(block, 'a'), { handle: 'cni.7f3', node: 'a', use: 'default/web-1' })
  const present = await stage.store.get(ipamBlockKey(block), stage.options)
  assert.ok(filled !== undefined && present !== undefined)
  await stage.store.update(present.key, IPAM_BLOCK.print(filled.block), present.revision, stage.options)
}

test('show: pools and blocks', async () => {
  await using stage = await openStage()
  assert.match((await stage.calictl('ipam show')).out, /There are no pools; make one: calictl ippool create/)
  assert.match((await stage.calictl('ipam show --blocks')).out, /No node has a block yet/)
  await withPod(stage)
  assert.deepEqual((await stage.calictl('ipam show')).out.split('\n'), [
    'POOL     CIDR           BLOCKS     USED     FREE',
    'default  10.244.0.0/16  1 of 1024  1 (<1%)  65535',
  ])
  assert.deepEqual((await stage.calictl('ipam show --blocks')).out.split('\n'), [
    'BLOCK          POOL     NODE  AFFINITY   USED  FREE',
    '10.244.7.0/26  default  a     confirmed  1     63',
  ])
  assert.deepEqual((await stage.calictl('ipam show -o wide')).out.split('\n'), [
    'POOL     CIDR           BLOCKS     USED     FREE   SIZE   STATE',
    'default  10.244.0.0/16  1 of 1024  1 (<1%)  65535  65536  active',
  ])
  assert.deepEqual((await stage.calictl('ipam show --blocks -o wide')).out.split('\n'), [
    'BLOCK          POOL     NODE  AFFINITY   USED  FREE  SIZE  WHO',
    '10.244.7.0/26  default  a     confirmed  1     63    64    10.244.7.0 default/web-1',
  ])
  assert.deepEqual((await stage.calictl('ippool get -o wide')).out.split('\n'), [
    'NAME     CIDR           IPIP   VXLAN  BLOCK  STATE   BLOCKS     USED     FREE',
    'default  10.244.0.0/16  Never  Never  /26    active  1 of 1024  1 (<1%)  65535',
  ])
  assert.equal((await stage.calictl('ippool get')).out.split('\n')[0], 'NAME     CIDR           IPIP   VXLAN  BLOCK  STATE')
  const { kind, items } = JSON.parse((await stage.calictl('ipam show --blocks -o json')).out)
  assert.equal(kind, 'IPAMBlockUsageList')
  assert.deepEqual(items[0].addresses, [{ address: '10.244.7.0', node: 'a', use: 'default/web-1', handle: 'cni.7f3' }])
})

const WHO: readonly (readonly [string, string])[] = [
  ['10.244.7.0', '10.244.7.0 belongs to default/web-1 on node a (block 10.244.7.0/26, pool default, handle cni.7f3)'],
  ['10.244.7.5', '10.244.7.5 is free, in a block of node a (10.244.7.0/26, pool default)'],
  ['10.244.9.1', '10.244.9.1 is free, in a block of pool default that no node has claimed'],
]

test('show --ip', async () => {
  await using stage = await openStage()
  await withPod(stage)
  for (const [address, says] of WHO)
    assert.deepEqual(await stage.calictl(`ipam show --ip ${address}`), { exit: 0, out: says, err: '' })
  const { state, use, pool } = JSON.parse((await stage.calictl('ipam show --ip 10.244.7.0 -o json')).out)
  assert.deepEqual([state, use, pool], ['used', 'default/web-1', 'default'])
})

const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ['ipam show --ip 10.9.9.9', 3, /address 10\.9\.9\.9: it is in no pool; the pools are default 10\.244\.0\.0\/16/],
  ['ipam show --ip ten', 2, /"ten" is not an IPv4 address; write for example --ip 10\.244\.7\.5/],
  ['ipam show --ip 10.244.7.5 --blocks', 2, /they ask for different things; give one of them/],
]

test('show: what cannot be answered', async () => {
  await using stage = await openStage()
  await withPod(stage)
  for (const [line, exit, says] of REFUSED) {
    const ended = await stage.calictl(line)
    assert.match(ended.err, says)
    assert.equal(ended.exit, exit)
  }
})

test('a pool in use is not deleted', async () => {
  await using stage = await openStage()
  await withPod(stage)
  const refused = await stage.calictl('ippool delete default')
  assert.equal(refused.exit, 4)
  assert.match(refused.err, /cannot delete pool default: 1 address is in use on a; delete their pods first .*nothing was changed/)
  assert.match((await stage.calictl('ippool get')).out, /active/)
})

test('of a disabled pool nothing is free', async () => {
  await using stage = await openStage()
  const pool = {
    name: 'old',
    cidr: prefix('10.9.0.0/16'),
    blockSize: 26,
    ipipMode: 'Never' as const,
    vxlanMode: 'Never' as const,
    natOutgoing: false,
    disabled: true,
  }
  await stage.store.create(IP_POOL.keyOf(pool), IP_POOL.print(pool), stage.options)
  assert.match((await stage.calictl('ippool get -o wide')).out, /^old .* disabled +0 of 1024 +0 \(0%\) +-$/m)
  assert.match((await stage.calictl('ipam show -o wide')).out, /^old .* 0 of 1024 +0 \(0%\) +- +65536 +disabled$/m)
})
