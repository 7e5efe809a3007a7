import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { tunnelMtu } from './mtu.ts'
import { planTunnel } from './plan.ts'

const TUNNEL = { address: ipv4('10.244.0.1'), underlayDevice: 'eth0', underlayMtu: 1500, strictEverywhere: false }

test('tunl0 is up with its /32 and 20 octets less than the underlay', () => {
  const { link, address, sysctls } = planTunnel(TUNNEL)
  assert.deepEqual(link, { name: 'tunl0', create: 'ipip', up: true, mtu: 1480 })
  assert.deepEqual(address, { device: 'tunl0', address: ipv4('10.244.0.1'), length: 32 })
  assert.deepEqual(
    sysctls.map(({ path }) => path),
    ['net/ipv4/conf/tunl0/rp_filter', 'net/ipv4/conf/eth0/rp_filter'],
  )
  assert.ok(sysctls.every(({ accept }) => !accept.includes('1')))
})

test('where all devices are strict, only 2 on the device itself makes it loose', () => {
  for (const { accept } of planTunnel({ ...TUNNEL, strictEverywhere: true }).sysctls) assert.deepEqual(accept, ['2'])
})

for (const [underlay, expected] of [
  [1500, 1480],
  [9000, 8980],
  [1460, 1440],
] as const)
  test(`an underlay of ${underlay} gives ${expected}`, () => assert.equal(tunnelMtu(underlay), expected))
