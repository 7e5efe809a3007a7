/** Statuses of agents that are well; tests spoil what they are about. */

import type { AgentStatus, PeerStatus, RouteStatus } from '@network/model/status.ts'

export function statusOf(node: string, but: Partial<AgentStatus> = {}): AgentStatus {
  return {
    node,
    id: `id-of-${node}`,
    version: '0.1.0',
    pid: 42,
    startedAt: '2025-12-31T23:00:00.000Z',
    address: '172.16.20.11/24',
    addressFrom: 'default route',
    asn: 64512,
    datastore: { url: 'sqlite:/x.db', state: 'in-sync', since: '2025-12-31T23:00:01.000Z', error: null },
    books: { unwritten: 0, notices: [] },
    ipip: { supported: true, reason: null, device: { name: 'tunl0', address: '10.244.7.0', mtu: 1480, up: true } },
    vxlan: {
      supported: true,
      reason: null,
      device: {
        name: 'vxlan.cali',
        address: '10.244.7.0/32',
        mac: '66:00:00:00:00:0a',
        mtu: 1450,
        up: true,
        vni: 4096,
        port: 4789,
      },
    },
    pools: [{ name: 'default', ipipMode: 'CrossSubnet', vxlanMode: 'Never', natOutgoing: false }],
    firewall: { active: true, reason: null, dropped: { forgedIpip: 0, forgedVxlan: 0, spoofedSource: 0 } },
    bgp: { routerId: '172.16.20.11', asn: 64512, listen: '172.16.20.11:179', peers: [], originated: [], settled: true },
    routes: [],
    workloads: [],
    tables: [{ name: 'routes', wanted: 2, actual: 2, stale: 0, repairs: 0 }],
    repairs: { count: 0, last: [] },
    problems: [],
    converged: true,
    ...but,
  }
}

export function peerOf(name: string, but: Partial<PeerStatus> = {}): PeerStatus {
  return {
    address: '172.16.20.12',
    name,
    asn: 64512,
    type: 'mesh',
    state: 'Established',
    since: '2025-12-31T23:57:00.000Z',
    received: 2,
    accepted: 1,
    advertised: 3,
    stale: 0,
    flaps: 0,
    lastError: null,
    ...but,
  }
}

/** A status with these peers. */
export function withPeers(node: string, peers: readonly PeerStatus[]): AgentStatus {
  const status = statusOf(node)
  return { ...status, bgp: { ...status.bgp, peers } }
}

export function routeOf(destination: string, but: Partial<RouteStatus> = {}): RouteStatus {
  return {
    destination,
    kind: 'remote',
    carriage: 'ipip',
    gateway: '172.16.30.13',
    device: 'tunl0',
    node: 'c',
    text: `${destination} via 172.16.30.13 dev tunl0 proto 80 metric 1024 onlink`,
    why: 'block of node c, on another subnet',
    state: 'installed',
    problem: null,
    ...but,
  }
}
