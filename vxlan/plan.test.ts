import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import type { Node } from '@network/model/resources/node.ts'
import { vxlanMtu } from './mtu.ts'
import { planVxlan, vtepOf } from './plan.ts'
import { VXLAN_DEFAULTS } from './settings.ts'

const TUNNEL = {
  settings: VXLAN_DEFAULTS,
  mac: '66:00:00:00:00:0a',
  address: ipv4('10.244.0.1'),
  underlayDevice: 'eth0',
  underlayAddress: ipv4('172.16.20.11'),
  underlayMtu: 1500,
  strictEverywhere: false,
}
const FAR: Node = {
  name: 'b1',
  id: '1',
  address: ipv4('172.16.36.11'),
  subnetLength: 24,
  asn: undefined,
  tunnelAddress: ipv4('10.244.0.129'),
  vxlanMac: '66:00:00:00:00:0c',
}

test('the device has its VNI, port, MAC and NIC, is up with its /32 and 50 octets less than the underlay', () => {
  const { link, address, sysctls } = planVxlan(TUNNEL)
  assert.deepEqual(link, {
    name: 'vxlan.cali',
    create: { kind: 'vxlan', vni: 4096, port: 4789, local: TUNNEL.underlayAddress, over: 'eth0', mac: TUNNEL.mac },
    up: true,
    mtu: 1450,
  })
  assert.deepEqual(address, { device: 'vxlan.cali', address: TUNNEL.address, length: 32 })
  assert.deepEqual(
    sysctls.map(({ path, accept }) => [path, accept]),
    [
      ['net/ipv4/conf/vxlan.cali/rp_filter', ['2', '0']],
      ['net/ipv4/conf/eth0/rp_filter', ['2', '0']],
    ],
  )
})

test('where all devices are strict, only 2 on the device itself makes it loose', () => {
  for (const { accept } of planVxlan({ ...TUNNEL, strictEverywhere: true }).sysctls) assert.deepEqual(accept, ['2'])
})

test('a far node is reached by its tunnel address, its MAC and its own address', () => {
  assert.deepEqual(vtepOf(VXLAN_DEFAULTS, FAR), {
    is: 'vtep',
    vtep: { device: 'vxlan.cali', address: FAR.tunnelAddress, mac: FAR.vxlanMac, remote: FAR.address, node: 'b1' },
  })
})

for (const [what, lacks, says] of [
  ['without a device', { vxlanMac: undefined }, /node b1 takes no VXLAN/],
  ['without an address yet', { tunnelAddress: undefined }, /node b1 has no tunnel address yet/],
] as const)
  test(`a node ${what} is sent nothing, and it is said why`, () => {
    const peer = vtepOf(VXLAN_DEFAULTS, { ...FAR, ...lacks })
    assert.match(peer.is === 'deaf' ? peer.why : '', says)
  })

for (const [underlay, expected] of [
  [1500, 1450],
  [9000, 8950],
  [1400, 1350],
] as const)
  test(`an underlay of ${underlay} gives ${expected}`, () => assert.equal(vxlanMtu(underlay), expected))
