/** Next hops as the embedder sees them: reached or not, near or far, and changed while the speaker runs. RFC 4271 §9.1.2. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import type { Reach } from './speaker.ts'
import { Cluster, learnedText, type Member, meshPeer, routes } from './testing/cluster.ts'

const NET = '10.1.0.0/24'

describe('a resolver of next hops', () => {
  test('the nearer of two that are equal else is chosen, and why says so', async () => {
    const { cluster, us, reach } = await meeting({ '192.0.2.11': 20, '192.0.2.12': 10 })
    assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.12`])
    const [best, lost] = us.speaker.explain(NET).paths
    assert.deepEqual(best?.verdict, { is: 'best' })
    assert.deepEqual(lost?.verdict, { is: 'lost', by: 'igp-metric' })
    reach('192.0.2.11', 5)
    us.speaker.nextHopsChanged()
    assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.11`])
    reach('192.0.2.11', 10)
    us.speaker.nextHopsChanged()
    cluster.run(1)
    assert.deepEqual(us.speaker.explain(NET).paths[1]?.verdict, { is: 'lost', by: 'router-id' })
  })

  test('what cannot be reached is not used, and comes back with its next hop; peers hear of both', async () => {
    const { cluster, us, reach } = await meeting({ '192.0.2.11': 1 })
    assert.deepEqual(learnedText(us), [`${NET} via 192.0.2.11`])
    const farther = us.speaker.explain(NET).paths.find(({ from }) => from === '192.0.2.12')
    assert.deepEqual(farther?.verdict, { is: 'ineligible', why: 'next-hop-unreachable' })
    const client = await listener(cluster, us)
    assert.deepEqual(learnedText(client), [`${NET} via 192.0.2.11`])
    reach('192.0.2.11', undefined)
    us.speaker.nextHopsChanged()
    cluster.run(1)
    assert.deepEqual([learnedText(us), learnedText(client)], [[], []])
    reach('192.0.2.12', 7)
    us.speaker.nextHopsChanged()
    cluster.run(1)
    assert.deepEqual(learnedText(client), [`${NET} via 192.0.2.12`])
  })

  test('P0: without one all are reached and equally far', async () => {
    const { us } = await meeting(undefined)
    assert.deepEqual(us.speaker.explain(NET).paths[1]?.verdict, { is: 'lost', by: 'router-id' })
  })
})

interface Meeting {
  readonly cluster: Cluster
  readonly us: Member
  /** From now on the next hop is this far; undefined: it cannot be reached. */
  reach(nextHop: string, metric: number | undefined): void
}

/** A reflector that hears one prefix from two clients, each its own next hop. */
async function meeting(metrics: Readonly<Record<string, number>> | undefined): Promise<Meeting> {
  const known = new Map<unknown, number>(Object.entries(metrics ?? {}).map(([address, metric]) => [ipv4(address), metric]))
  const resolveNextHop = (nextHop: Ipv4 | bigint): Reach => {
    const metric = known.get(nextHop)
    return metric === undefined ? { reachable: false } : { reachable: true, metric }
  }
  const cluster = new Cluster()
  const us = await cluster.member('192.0.2.1', metrics === undefined ? {} : { resolveNextHop })
  const others = await Promise.all(['192.0.2.11', '192.0.2.12'].map(address => cluster.member(address)))
  us.speaker.setPeers(others.map(({ address }) => ({ ...meshPeer(address, us.address), client: true })))
  for (const { speaker, address } of others) {
    speaker.originate(routes(NET))
    speaker.setPeers([meshPeer(us.address, address)])
  }
  cluster.run(4)
  const reach = (nextHop: string, metric: number | undefined) => {
    if (metric === undefined) known.delete(ipv4(nextHop))
    else known.set(ipv4(nextHop), metric)
  }
  return { cluster, us, reach }
}

async function listener(cluster: Cluster, us: Member): Promise<Member> {
  const client = await cluster.member('192.0.2.30')
  const others = ['192.0.2.11', '192.0.2.12'].map(address => ({ ...meshPeer(ipv4(address), us.address), client: true as const }))
  us.speaker.setPeers([...others, { ...meshPeer(client.address, us.address), client: true }])
  client.speaker.setPeers([meshPeer(us.address, client.address)])
  cluster.run(4)
  return client
}
