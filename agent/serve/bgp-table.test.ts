/** What calictl asks of a speaker: every path, the used one first, with why the others are not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { plainAttributes } from '@network/bgp/attributes/attributes.ts'
import { explain } from '@network/bgp/explain.ts'
import type { Path, Source } from '@network/bgp/rib/path.ts'
import { bgpTable, type Tables } from './bgp-table.ts'

const BLOCK = prefix('10.244.7.0/26')

function source(name: string, address: string): Source {
  const at = ipv4(address)
  return { id: address, kind: 'external', name, address: at, routerId: at, localAddress: ipv4('172.16.20.11') }
}

function pathFrom(name: string, address: string, but: Partial<Path> = {}): Path {
  const attributes = {
    ...plainAttributes(ipv4(address)),
    asPath: [{ kind: 'sequence' as const, asns: [64601, 64703] }],
    communities: [0xfc590064],
  }
  return {
    key: '10.244.7.0/26',
    prefix: BLOCK,
    source: source(name, address),
    attributes,
    fingerprint: name,
    stale: false,
    standing: { is: 'usable' },
    ...but,
  }
}

test('paths come with what was said of them, and the verdict', () => {
  const best = pathFrom('tor-a', '172.16.20.1')
  const lost = pathFrom('tor-b', '172.16.20.2', { stale: true })
  const refused = pathFrom('tor-c', '172.16.20.3', { standing: { is: 'refused', why: 'in no pool' } })
  const paths = [refused, lost, best]
  const selection = { best, losers: [{ path: lost, lostBy: 'router-id' as const }] }
  const asked: Tables = {
    status: () => ({
      routerId: '172.16.20.11',
      asn: 64512,
      listen: null,
      settled: true,
      originated: [],
      learned: 1,
      peers: [],
      strangers: { refused: 0, last: null },
    }),
    adjIn: () => [],
    paths: () => paths,
    explain: key => explain(key, paths, selection, []),
  }
  assert.deepEqual(bgpTable('a', asked), { node: 'a', paths: [] })
  const told = bgpTable('a', { ...asked, status: () => ({ ...asked.status(), originated: ['10.244.7.0/26'] }) })
  assert.deepEqual(
    told.paths.map(({ name, best: used, verdict, stale }) => [name, used, verdict, stale]),
    [
      ['tor-a', true, 'best', false],
      ['tor-b', false, 'lost by router-id', true],
      ['tor-c', false, 'refused: in no pool', false],
    ],
  )
  assert.deepEqual(told.paths.map(({ nextHop, asPath, communities }) => [nextHop, asPath, communities[0]]).at(0), [
    '172.16.20.1',
    '64601 64703',
    '64601:100',
  ])
})
