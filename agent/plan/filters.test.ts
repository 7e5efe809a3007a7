/** Rules of a BGPFilter, each asked about routes that it takes and routes that it does not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { plainAttributes } from '@network/bgp/attributes/attributes.ts'
import { parseCommunity } from '@network/bgp/policy/community-pattern.ts'
import { evaluate } from '@network/bgp/policy/evaluate.ts'
import { BGP_FILTER } from '@network/model/resources/bgp-filter.ts'
import { type FilterPlace, policyOf } from './filters.ts'

const IN: FilterPlace = { direction: 'import', kind: 'external', localAsn: 64512 }
const OUT: FilterPlace = { direction: 'export', kind: 'external', localAsn: 64512 }

interface Route {
  readonly cidr?: string
  readonly path?: readonly number[]
  readonly communities?: readonly string[]
  readonly source?: 'local' | 'internal' | 'external'
}

const CASES: readonly [rule: object, place: FilterPlace, rejects: readonly Route[], accepts: readonly Route[]][] = [
  [{ matchOperator: 'Equal', cidr: '10.0.0.0/8' }, IN, [{ cidr: '10.0.0.0/8' }], [{ cidr: '10.0.0.0/9' }]],
  [{ matchOperator: 'NotEqual', cidr: '10.0.0.0/8' }, IN, [{ cidr: '10.0.0.0/9' }], [{ cidr: '10.0.0.0/8' }]],
  [{ matchOperator: 'In', cidr: '10.0.0.0/8' }, IN, [{ cidr: '10.0.0.0/8' }, { cidr: '10.1.1.1/32' }], [{ cidr: '11.0.0.0/8' }]],
  [{ matchOperator: 'NotIn', cidr: '10.0.0.0/8' }, IN, [{ cidr: '11.0.0.0/8' }], [{ cidr: '10.1.0.0/16' }]],
  [
    { matchOperator: 'In', cidr: '10.0.0.0/8', prefixLength: { min: 16, max: 24 } },
    IN,
    [{ cidr: '10.1.0.0/16' }, { cidr: '10.1.1.0/24' }],
    [{ cidr: '10.0.0.0/8' }, { cidr: '10.1.1.0/26' }],
  ],
  [{ source: 'RemotePeers' }, OUT, [{ source: 'external' }, { source: 'internal' }], [{ source: 'local' }]],
  [{ source: 'RemotePeers' }, IN, [{}], []],
  [{ peerType: 'eBGP' }, IN, [{}], []],
  [{ peerType: 'iBGP' }, IN, [], [{}]],
  [{ communities: { values: ['64512:7'] } }, IN, [{ communities: ['1:1', '64512:7'] }], [{ communities: ['64512:8'] }]],
  [{ asPathPrefix: [65001, 65002] }, IN, [{ path: [65001, 65002, 1] }], [{ path: [65002, 65001] }, { path: [65001] }]],
  [{ asPathPrefix: [65001] }, OUT, [{ path: [64512, 65001] }], [{ path: [65001, 64512] }]],
]
for (const [rule, place, rejects, accepts] of CASES)
  test(`${place.direction} ${JSON.stringify(rule)}`, () => {
    const { policy, problems } = translated({ action: 'Reject', ...rule }, place)
    assert.deepEqual(problems, [])
    for (const route of rejects) assert.equal(judged(policy, route).is, 'rejected', JSON.stringify(route))
    for (const route of accepts) assert.equal(judged(policy, route).is, 'accepted', JSON.stringify(route))
  })

test('the first rule that fits decides; what it changes is changed', () => {
  const operations = [{ addCommunity: { value: '64512:9' } }, { prependASPath: { prefix: [65001, 65002] } }]
  const { policy } = translated({ action: 'Accept', matchOperator: 'In', cidr: '10.0.0.0/8', operations }, IN, {
    action: 'Reject',
  })
  assert.equal(judged(policy, { cidr: '11.0.0.0/8' }).is, 'rejected')
  const verdict = judged(policy, { cidr: '10.0.0.0/8', path: [1] })
  assert.ok(verdict.is === 'accepted')
  assert.deepEqual(verdict.attributes.communities, [parseCommunity('64512:9')])
  assert.deepEqual(verdict.attributes.asPath, [{ kind: 'sequence', asns: [65001, 65002, 1] }])
})

const TOLD: readonly [rule: object, says: RegExp][] = [
  [{ action: 'Reject', interface: 'eth*' }, /f importV4\[0\] is left out: routes cannot be told apart by interface here/],
  [{ action: 'Reject', priority: 100 }, /by priority here/],
  [{ action: 'Accept', operations: [{ setPriority: { value: 7 } }] }, /setPriority does nothing/],
]
for (const [rule, says] of TOLD)
  test(`told: ${JSON.stringify(rule)}`, () => {
    assert.match(translated(rule, IN).problems.join('\n'), says)
  })

function translated(rule: object, place: FilterPlace, ...more: object[]) {
  const list = place.direction === 'import' ? 'importV4' : 'exportV4'
  const read = BGP_FILTER.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPFilter',
    metadata: { name: 'f' },
    spec: { [list]: [rule, ...more] },
  })
  assert.ok(read.ok, JSON.stringify(read))
  return policyOf(read.value, place)
}

function judged(
  policy: ReturnType<typeof policyOf>['policy'],
  { cidr = '10.0.0.0/8', path = [], communities = [], source = 'external' }: Route,
) {
  const attributes = {
    ...plainAttributes(ipv4('192.0.2.1')),
    asPath: path.length === 0 ? [] : [{ kind: 'sequence' as const, asns: [...path] }],
    communities: communities.map(text => parseCommunity(text) ?? assert.fail(text)),
  }
  return evaluate([policy], { prefix: prefix(cidr), attributes, source }, { localAsn: 64512, localAddress: ipv4('192.0.2.2') })
}
