import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { Connections, systemForgetter } from './connections.ts'

const A = ipv4('10.0.0.1')
const B = ipv4('10.0.0.2')
const C = ipv4('10.0.0.3')
const USED = ipv4('10.0.0.4')
const OWN = [A, B, C, USED]
const ELSEWHERE = ipv4('10.9.9.9')

function stage(own: () => readonly Ipv4[] = () => OWN) {
  const sweeps: string[] = []
  const connections = new Connections({
    forget: async isMeant => {
      await Promise.resolve()
      sweeps.push([...OWN, ELSEWHERE].filter(isMeant).map(formatIpv4).join())
    },
    ownAddresses: own,
    inUse: () => [USED],
  })
  return { connections, sweeps }
}

test('one look serves all free addresses, and never touches one that is in use', async () => {
  const { connections, sweeps } = stage()
  await connections.beforeUse(A)
  await connections.beforeUse(B)
  assert.deepEqual(sweeps, ['10.0.0.1,10.0.0.2,10.0.0.3'])
})

test('an address that was used is looked at again, those given out since are spared', async () => {
  const { connections, sweeps } = stage()
  await connections.beforeUse(A)
  await connections.beforeUse(B)
  connections.afterUse(A)
  await connections.beforeUse(C)
  assert.equal(sweeps.length, 1)
  await connections.beforeUse(A)
  assert.deepEqual(sweeps.slice(1), ['10.0.0.1'])
})

test('many at once wait for one look, and a failed look is a failure of all that wait for it', async () => {
  const { connections, sweeps } = stage()
  await Promise.all([A, B, C].map(address => connections.beforeUse(address)))
  assert.deepEqual(sweeps, ['10.0.0.1,10.0.0.2,10.0.0.3'])
  let works = false
  const other = new Connections({
    forget: async () => assert.ok(works, 'the kernel did not answer'),
    ownAddresses: () => OWN,
    inUse: () => [],
  })
  await assert.rejects(other.beforeUse(A), /did not answer/)
  works = true
  await other.beforeUse(A)
})

test('an address of a block that the datastore has not told of yet', async () => {
  const { connections, sweeps } = stage()
  await connections.beforeUse(ELSEWHERE)
  assert.deepEqual(sweeps, ['10.0.0.1,10.0.0.2,10.0.0.3,10.9.9.9'])
})

test('a block that was another node’s meanwhile is looked at again', async () => {
  let own = OWN
  const { connections, sweeps } = stage(() => own)
  await connections.beforeUse(A)
  own = []
  connections.ownAddressesChanged()
  own = OWN
  connections.ownAddressesChanged()
  await connections.beforeUse(B)
  assert.deepEqual(sweeps.slice(1), ['10.0.0.2,10.0.0.3'])
})

test('a kernel that cannot be asked stops no agent', async () => {
  const told: string[] = []
  const log = { ...silentLog, warn: (line: string) => void told.push(line) }
  using forgetter = systemForgetter(log, () => {
    throw new Error('Protocol not supported')
  })
  assert.equal(await forgetter.forget(() => true), 0)
  assert.deepEqual(told, ['connections of former pods cannot be forgotten'])
})
