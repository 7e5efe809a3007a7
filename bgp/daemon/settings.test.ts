/** Configurations and what the speaker is told of them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { anyAddress } from '@network/base/net/any-address.ts'
import { anyPrefix } from '@network/base/net/any-prefix.ts'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { formatPeer } from '../peer-address.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '../wire/capabilities.ts'
import { readSettings, type Settings } from './settings.ts'

describe('roles', () => {
  const BASE = 'routerId: 192.0.2.1\nasn: 64512\nexternalWithoutPolicy: accept\nneighbours:\n'

  test('of a group and of a neighbour', () => {
    const { peers } = read(
      `${BASE}  - {address: 192.0.2.2, group: transit, strictRole: true}\ngroups: {transit: {asn: 65001, role: customer}}\n`,
    )
    assert.deepEqual([peers[0]?.role, peers[0]?.strictRole], ['customer', true])
  })

  test('are for peers of another AS, and who insists on one has one', () => {
    const says = (neighbour: string) => {
      const read = readSettings(`${BASE}  - ${neighbour}\n`)
      return read.ok ? [] : read.problems.map(({ field, says: words }) => `${field}: ${words}`)
    }
    assert.deepEqual(says('{address: 192.0.2.2, role: peer}'), [
      'neighbours.0.role: a peer of our own AS 64512 has no role: remove it',
    ])
    assert.deepEqual(says('{address: 192.0.2.2, asn: 65001, strictRole: true}'), [
      'neighbours.0.strictRole: insists on a role, and we have none ourselves: say "role"',
    ])
  })
})

describe('where a peer is', () => {
  const BASE = 'routerId: 192.0.2.1\nasn: 64512\nexternalWithoutPolicy: accept\nneighbours:\n'

  test('an address of either family, a link-local one with its interface, or an interface alone', () => {
    const { peers, speaker } = read(
      `${BASE}  - 2001:db8::2\n  - fe80::2%eth1\n  - {interface: eth2, asn: external, ipv4OverIpv6: false}\n` +
        '  - {address: 192.0.2.2, localAddress4: 192.0.2.9}\n' +
        'dynamicNeighbours: [{prefix: 2001:db8::/64, asn: internal}]\nlisten: {address: "::"}\nalsoListen: [{address: 0.0.0.0}]\n',
    )
    assert.deepEqual(
      peers.map(({ address, name, asn, ipv4OverIpv6, localAddress4 }) => [
        formatPeer(address),
        name,
        asn,
        ipv4OverIpv6,
        localAddress4,
      ]),
      [
        ['2001:db8::2', '2001:db8::2', 64512, undefined, undefined],
        ['fe80::2%eth1', 'fe80::2%eth1', 64512, undefined, undefined],
        ['eth2', 'eth2', 'external', false, undefined],
        ['192.0.2.2', '192.0.2.2', 64512, undefined, ipv4('192.0.2.9')],
      ],
    )
    assert.deepEqual(speaker.dynamicPeers, [{ range: anyPrefix('2001:db8::/64'), limit: 10_000, peer: { asn: 'internal' } }])
    assert.deepEqual(speaker.listen, { address: anyAddress('::'), port: 179 })
  })

  for (const [neighbour, says] of [
    ['{name: nobody}', 'neighbours.0: must have either an address, or the interface at whose other end it is'],
    [
      '{address: 192.0.2.2, interface: eth1}',
      'neighbours.0: must have either an address, or the interface at whose other end it is',
    ],
    ['fe80::2', 'neighbours.0.address: "fe80::2" is on every link: write fe80::2%eth1'],
    ['spine', 'neighbours.0.address: "spine" is no address; write 192.0.2.1, 2001:db8::1 or fe80::1%eth1'],
    ['{interface: "eth0:1"}', 'neighbours.0.interface: "eth0:1" is not the name of an interface; write it like eth1'],
    [
      '{address: "2001:db8::2", localAddress: 192.0.2.1}',
      'neighbours.0.localAddress: must be of the family of the session, which is over IPv6',
    ],
    ['{interface: eth1, bfd: {multihop: true}}', 'neighbours.0.bfd.multihop: a peer on the link is one hop away: remove it'],
    ['{address: 192.0.2.2, asn: inside}', 'neighbours.0.asn: must be a whole number from 1 to 4294967295, internal or external'],
  ] as const)
    test(`refused: ${neighbour}`, () => {
      const answer = readSettings(`${BASE}  - ${neighbour}\n`)
      assert.deepEqual(answer.ok ? [] : answer.problems.map(({ field, says: words }) => `${field}: ${words}`), [says])
    })

  test('twice is once too often', () => {
    const answer = readSettings(`${BASE}  - {interface: eth1}\n  - {interface: eth1}\n`)
    assert.deepEqual(answer.ok ? [] : answer.problems.map(({ field }) => field), ['neighbours.1.interface'])
  })
})

test('long absences, drains and loops', () => {
  const { speaker, peers } = read(`
routerId: 192.0.2.1
asn: 64512
gracefulRestart: {restartTime: 60, longLived: {staleTime: 86400, lastResortInside: true}}
neighbours: [{address: 192.0.2.2, drain: true, skipLoops: true}, {address: 192.0.2.3, drain: false}]
`)
  assert.deepEqual(speaker.gracefulRestart.longLived, { staleTime: seconds(86400), lastResortInside: true })
  assert.deepEqual(
    peers.map(({ drain, skipLoops }) => [drain, skipLoops]),
    [
      [true, true],
      [undefined, undefined],
    ],
  )
})

describe('settings', () => {
  test('as little as may be said', () => {
    const { speaker, peers, originations, control } = read('routerId: 192.0.2.1\nasn: 64512\nneighbours: [192.0.2.2]\n')
    assert.deepEqual(peers, [
      { address: ipv4('192.0.2.2'), name: '192.0.2.2', asn: 64512, port: 179, passive: false, dialAfter: millis(0) },
    ])
    assert.equal(originations.size, 0)
    assert.equal(control, '/run/cali-bgpd.sock')
    assert.deepEqual(
      [speaker.listen, speaker.holdTime, speaker.connectRetry, speaker.withoutPolicy, speaker.dynamicPeers],
      [undefined, seconds(90), millis(5000), 'refuse', []],
    )
  })

  test('JSON, and a reflector of whoever comes from a range', () => {
    const { speaker } = read(
      JSON.stringify({
        listen: { address: '192.0.2.1', port: 1179 },
        asn: 64512,
        routerId: '192.0.2.1',
        routeReflector: { clusterId: '192.0.2.9' },
        dynamicNeighbours: [{ prefix: '192.0.2.0/24', asn: 64512, routeReflectorClient: true }],
        neighbours: [],
        holdTime: 240,
        families: ['ipv4-unicast', 'ipv6-unicast'],
      }),
    )
    assert.deepEqual(speaker.listen, { address: ipv4('192.0.2.1'), port: 1179 })
    assert.equal(speaker.clusterId, ipv4('192.0.2.9'))
    assert.deepEqual(speaker.dynamicPeers, [
      {
        range: prefix('192.0.2.0/24'),
        limit: 10_000,
        peer: { asn: 64512, families: [IPV4_UNICAST, IPV6_UNICAST], client: true },
      },
    ])
  })

  test('what a neighbour says goes before what its group says, and that before what holds for all', () => {
    const { peers } = read(`
routerId: 192.0.2.1
asn: 64512
families: [ipv6-unicast]
externalWithoutPolicy: accept
groups:
  spines: {asn: 65001, holdTime: 9, passive: true, families: [ipv4-unicast], maxPrefixes: {limit: 10}}
neighbours:
  - {address: 192.0.2.2, group: spines, holdTime: 30, name: spine-1}
  - {address: 192.0.2.3, asn: 65002, shutdown: "not yet", localAs: {asn: 65100}}
`)
    const [spine, other] = peers
    assert.deepEqual(
      [spine?.asn, spine?.holdTime, spine?.passive, spine?.families, spine?.name],
      [65001, seconds(30), true, [IPV4_UNICAST], 'spine-1'],
    )
    assert.deepEqual(spine?.maxPrefixes, { limit: 10, warnAt: 80, restartAfter: undefined })
    assert.deepEqual(
      [other?.asn, other?.families, other?.shutdown, other?.localAs],
      [65002, [IPV6_UNICAST], 'not yet', { asn: 65100, replace: false, noPrepend: false }],
    )
  })

  test('policies become chains', () => {
    const { peers } = read(`
routerId: 192.0.2.1
asn: 64512
prefixSets: {ours: [10.0.0.0/8 ge 16 le 24]}
policies:
  in:
    rules:
      - name: ours
        match: {prefixes: [ours, 2001:db8::/32 ge 48], asPath: ^65001, communities: ["65001:*"], not: {origin: incomplete}}
        set: {localPref: 200, med: none, communities: {remove: ["65001:1"], add: [no-export]}, prepend: {times: 2}, nextHop: self}
        verdict: accept
      - {verdict: reject}
    otherwise: accept
neighbours:
  - {address: 192.0.2.2, asn: 65001, import: [in], export: []}
`)
    assert.deepEqual(peers[0]?.exportPolicy, [])
    const [policy] = peers[0]?.importPolicy ?? []
    assert.deepEqual([policy?.name, policy?.otherwise, policy?.rules.map(({ name }) => name)], ['in', 'accept', ['ours', '2']])
    const [rule] = policy?.rules ?? []
    assert.deepEqual(
      rule?.when.map(({ is }) => is),
      ['prefix', 'as-path', 'community', 'not'],
    )
    assert.deepEqual(rule?.when[0], {
      is: 'prefix',
      within: [
        { prefix: anyPrefix('10.0.0.0/8'), atLeast: 16, atMost: 24 },
        { prefix: anyPrefix('2001:db8::/32'), atLeast: 48, atMost: 128 },
      ],
    })
    assert.deepEqual(
      rule?.change.map(change => ('how' in change ? `${change.set} ${change.how}` : change.set)),
      ['local-pref', 'med', 'communities remove', 'communities add', 'prepend', 'next-hop-self'],
    )
  })

  test('routes of our own, of both families', () => {
    const { originations } = read(`
routerId: 192.0.2.1
asn: 64512
originate: [10.1.0.0/24, {prefix: "2001:db8::/32", med: 5, communities: ["64512:7"], largeCommunities: ["64512:1:2"]}]
`)
    assert.deepEqual(
      [...originations],
      [
        ['10.1.0.0/24', { prefix: anyPrefix('10.1.0.0/24') }],
        [
          '2001:db8::/32',
          {
            prefix: anyPrefix('2001:db8::/32'),
            med: 5,
            communities: [64512 * 65536 + 7],
            largeCommunities: [{ global: 64512, local1: 1, local2: 2 }],
          },
        ],
      ],
    )
  })

  test('several paths of a prefix, for all families of a peer or for one, its own words before those of its group', () => {
    const { peers } = read(`
routerId: 192.0.2.1
asn: 1
families: [ipv4-unicast, ipv6-unicast]
groups: {reflectors: {addPath: {send: all, receive: true}, maxPaths: 8}}
neighbours:
  - {address: 192.0.2.2, group: reflectors}
  - {address: 192.0.2.3, group: reflectors, addPath: {receive: true, ipv6: {send: 2, receive: false}}}
  - {address: 192.0.2.4, families: [ipv4-unicast], addPath: {send: 3}}
`)
    const [four, six] = [{ family: IPV4_UNICAST }, { family: IPV6_UNICAST }]
    assert.deepEqual(
      peers.map(({ addPath }) => addPath),
      [
        [
          { ...four, send: 'all', receive: true },
          { ...six, send: 'all', receive: true },
        ],
        [
          { ...four, receive: true },
          { ...six, send: 2 },
        ],
        [{ ...four, send: 3 }],
      ],
    )
    assert.deepEqual(
      peers.map(({ maxPaths }) => maxPaths),
      [8, 8, undefined],
    )
    assert.equal(readSettings('routerId: 192.0.2.1\nasn: 1\nneighbours: [{address: 192.0.2.2, addPath: {send: 0}}]\n').ok, false)
  })

  test('switches of the decision: only those that are on', () => {
    const { speaker } = read(
      'routerId: 192.0.2.1\nasn: 1\ndecision: {alwaysCompareMed: true, missingMedWorst: false, multipath: 4}\n',
    )
    assert.deepEqual(speaker.decision, { alwaysCompareMed: true, multipath: 4 })
  })
})

function read(text: string): Settings {
  const settings = readSettings(text)
  assert.ok(settings.ok)
  return settings.settings
}

describe('protection', () => {
  test('of a neighbour and of those who come unnamed; the password is told to nobody', () => {
    const { peers, speaker } = read(`routerId: 192.0.2.1
asn: 64512
neighbours:
  - {address: 192.0.2.2, password: hunter2, ttlSecurity: 1, device: eth0}
  - {address: 192.0.2.3, ttl: 5}
dynamicNeighbours: [{prefix: 198.51.100.0/24, asn: 64512, password: hunter3}]
`)
    const [first, second] = peers
    assert.deepEqual(
      [first?.password?.reveal(), first?.ttlSecurity, first?.device, second?.ttl],
      ['hunter2', { hops: 1 }, 'eth0', 5],
    )
    assert.equal(speaker.dynamicPeers?.[0]?.peer.password?.reveal(), 'hunter3')
    assert.doesNotMatch(inspect([peers, speaker], { depth: null }) + JSON.stringify([peers, speaker]), /hunter/)
  })

  test('BFD, as it is when little is said, and no faster than 100 ms', () => {
    const BASE = 'routerId: 192.0.2.1\nasn: 64512\nneighbours:\n'
    const { peers } = read(
      `${BASE}  - {address: 192.0.2.2, bfd: {}}\n  - {address: 192.0.2.3, bfd: {minTx: 100, minRx: 150, strict: true}}\n`,
    )
    assert.deepEqual(
      peers.map(({ bfd }) => bfd),
      [
        { minTx: millis(300), minRx: millis(300), multiplier: 3, multihop: false },
        { minTx: millis(100), minRx: millis(150), multiplier: 3, multihop: false, strict: true },
      ],
    )
    assert.equal(readSettings(`${BASE}  - {address: 192.0.2.2, bfd: {minTx: 50}}\n`).ok, false)
  })

  test('a password that is too long is refused without being told', () => {
    const refused = readSettings(
      `routerId: 192.0.2.1\nasn: 64512\nneighbours: [{address: 192.0.2.2, password: ${'hunter2'.repeat(12)}}]\n`,
    )
    assert.ok(!refused.ok)
    assert.deepEqual(
      refused.problems.map(({ field, says }) => `${field}: ${says}`),
      ['neighbours.0.password: must be 1 to 80 octets, not 84'],
    )
  })
})
