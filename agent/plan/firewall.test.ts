import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, prefix } from '@network/base/net/prefix.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { NODE } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import { SnapshotBuilder } from '@network/model/snapshot.ts'
import { planFirewall } from './firewall.ts'
import { planMesh } from './peers.ts'

test('lets in every other node, speaks BGP with neighbours alone, and gives each pod of this node its own addresses', () => {
  const builder = new SnapshotBuilder()
  for (const [name, address] of [
    ['a1', '172.16.20.11'],
    ['a2', '172.16.20.12'],
    ['b1', '172.16.36.11'],
  ] as const) {
    const node = {
      name,
      id: `id of ${name}`,
      address: ipv4(address),
      subnetLength: 24,
      asn: undefined,
      tunnelAddress: undefined,
      vxlanMac: undefined,
    }
    builder.apply({ key: NODE.keyOf(node), document: NODE.print(node) })
  }
  for (const [node, pod, address] of [
    ['a1', 'web', '10.244.0.2'],
    ['a2', 'db', '10.244.0.66'],
  ] as const) {
    const endpoint = {
      ...{ node, pod, namespace: 'default', containerId: pod, endpoint: 'eth0', mac: 'ee:ee:ee:ee:ee:ee' },
      interfaceName: node === 'a1' ? 'cali0123456789a' : 'cali0123456789b',
      addresses: [ipv4(address)],
    }
    builder.apply({ key: WORKLOAD_ENDPOINT.keyOf(endpoint), document: WORKLOAD_ENDPOINT.print(endpoint) })
  }
  for (const [name, cidr, natOutgoing] of [
    ['plain', '10.244.0.0/16', false],
    ['translated', '10.245.0.0/16', true],
  ] as const) {
    const modes = { ipipMode: 'Never', vxlanMode: 'Never', disabled: false } as const
    const pool = { name, cidr: prefix(cidr), blockSize: 26, natOutgoing, ...modes }
    builder.apply({ key: IP_POOL.keyOf(pool), document: IP_POOL.print(pool) })
  }
  const { snapshot } = builder
  const self = snapshot.nodes.get('a1') ?? assert.fail('a1 is there')
  const router = { name: 'tor', address: ipv4('172.16.20.1'), asn: 64513, type: 'configured', dials: 'at-once' } as const
  const underlay = { device: 'eth0', address: self.address, subnet: prefix('172.16.20.0/24'), mtu: 1500 }
  const neighbours = [...planMesh(self, snapshot, 64512), router]
  const vxlan = { device: 'vxlan.cali', port: 4790, vni: 77 }
  const plan = planFirewall('a1', snapshot, { underlay, neighbours, vxlan })
  assert.deepEqual(
    {
      underlay: plan.underlay,
      pools: plan.pools.map(formatPrefix),
      natPools: plan.natPools.map(formatPrefix),
      vxlan: [plan.vxlan, planFirewall('a1', snapshot, { underlay, neighbours, vxlan: undefined }).vxlan],
      tunnels: plan.tunnels,
      nodes: [...plan.nodes].map(formatIpv4),
      peers: [...plan.peers].map(formatIpv4),
      sources: plan.sources.map(({ device, address }) => `${device} ${formatIpv4(address)}`),
    },
    {
      underlay: 'eth0',
      pools: ['10.244.0.0/16', '10.245.0.0/16'],
      natPools: ['10.245.0.0/16'],
      vxlan: [{ port: 4790, vni: 77 }, undefined],
      tunnels: ['tunl0', 'vxlan.cali'],
      nodes: ['172.16.20.12', '172.16.36.11'],
      peers: ['172.16.20.12', '172.16.36.11', '172.16.20.1'],
      sources: ['cali0123456789a 10.244.0.2'],
    },
  )
})
