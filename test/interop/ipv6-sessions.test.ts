/** Sessions over IPv6 with real BIRD 2 and FRR: both families and their next hops as their own commands print them, MD5, GTSM and BFD. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Secret } from '@network/base/run/secret.ts'
import { millis } from '@network/base/time/units.ts'
import type { PeerConfig } from '@network/bgp/options.ts'
import { mustIn } from '../lab/command.ts'
import { FrrWithBfd, joinTerminals } from './frr-with-bfd.ts'
import { start, type Us } from './ours.ts'
import { BirdRouter, layRouterCable, OUR_LINK, OURS, OURS6, type Part, type Router, THEIRS6 } from './routers.ts'

/** FRR with its zebra: without one it knows of no interface, and loses its way in an UPDATE that has a link-local next hop. */
const KINDS = [
  { name: 'BIRD', make: () => new BirdRouter() },
  { name: 'FRR', make: () => new FrrWithBfd() },
]
const PASSWORD = 'correct-horse'
const OVER_SIX: Pick<Part, 'over'> = { over: 'ipv6' }
const WAYS = [
  { way: 'whoever dials first', changes: {} },
  { way: 'it dials', changes: { passive: true } },
] as const
const ASNS = [
  { kind: 'inside', asn: 64512 },
  { kind: 'outside', asn: 65001 },
] as const

before(async () => {
  await layRouterCable()
  await joinTerminals()
  await mustIn('router', ['nft', '-f', '-'], { input: COUNTERS })
})

for (const { name, make } of KINDS)
  describe(name, () => {
    test('a router that knows us by our IPv4 address only: no session, the control', async () => {
      await using router = await make().play({ asn: 65001 })
      await using us = await start(towards(65001))
      await router.until('a refusal', () => us.peer().lastError !== null)
      assert.notEqual(us.peer().state, 'established')
    })

    for (const { kind, asn } of ASNS) {
      test(`${kind}: both families, IPv4 by IPv6 next hops both ways (RFC 8950)`, async () => {
        await using router = await make().play({ ...OVER_SIX, asn, ipv4OverIpv6: true })
        await using us = await start(towards(asn, { ipv4OverIpv6: true }))
        const path = asn === 64512 ? '' : ' path 65001'
        await heard(router, us, [
          `10.20.0.0/24 via ${THEIRS6}${path}`,
          `10.21.0.0/24 via ${THEIRS6}${path}`,
          `2001:db8:20::/48 via ${THEIRS6}${path}`,
        ])
        for (const prefix of ['10.244.0.0/26', '2001:db8:244::/48']) {
          await router.until(`${prefix} there`, async () => (await router.route(prefix)).includes(OURS6))
          assert.match(await router.route(prefix), new RegExp(`${OURS6}[^]*${OUR_LINK}`), 'and our link-local address beside it')
        }
        assert.deepEqual(us.peer().session?.nextHops, { ipv4: `${OURS6} ${OUR_LINK}`, ipv6: `${OURS6} ${OUR_LINK}` })
        assert.equal(us.peer().address, THEIRS6)
      })

      test(`${kind}: without RFC 8950 our IPv4 routes stay here and the status says why; with an IPv4 address of ours they go`, async () => {
        await using router = await make().play({ ...OVER_SIX, asn })
        await using us = await start(towards(asn))
        await router.until('our IPv6 route', async () => (await router.route('2001:db8:244::/48')).includes(OURS6))
        assert.doesNotMatch(await router.route('10.244.0.0/26'), new RegExp(`${OURS6}|${OURS}`))
        assert.match(us.peer().session?.untold.join() ?? '', /ipv4-unicast: no next hop of ours over IPv6/)
        us.reconfigure({ ...towards(asn).peer, localAddress4: ipv4(OURS) })
        await router.until('our IPv4 route', async () => (await router.route('10.244.0.0/26')).includes(OURS))
        assert.deepEqual([us.peer().flaps, us.peer().session?.untold], [0, []])
      })
    }

    for (const { way, changes } of WAYS) {
      test(`MD5 with the same key: every segment is signed; ${way}`, async () => {
        await using router = await make().play({ ...OVER_SIX, asn: 65001, password: PASSWORD })
        await count.reset()
        await using us = await start(towards(65001, { password: new Secret(PASSWORD), ...changes }))
        await established(router, us)
        assert.equal(await count.of('unsigned'), 0)
        assert.ok((await count.of('segments')) >= 3)
      })

      test(`the full hop limit, asked for on both sides, in every packet; ${way}`, async () => {
        await using router = await make().play({ ...OVER_SIX, asn: 65001, ttlSecurity: 1 })
        await count.reset()
        await using us = await start(towards(65001, { ttlSecurity: { hops: 1 }, ...changes }))
        await established(router, us)
        assert.equal(await count.of('aged'), 0)
        assert.ok((await count.of('segments')) >= 3)
      })
    }

    test('without a password nothing is signed, and packets have the hop limit of the system: the control of the counters', async () => {
      await using router = await make().play({ ...OVER_SIX, asn: 65001 })
      await count.reset()
      await using us = await start(towards(65001))
      await established(router, us)
      const { segments, unsigned, aged } = await count.now()
      assert.deepEqual([unsigned, aged], [segments, segments])
      assert.ok((segments ?? 0) >= 3)
    })

    test('another key: no session, and the status says why that may be; the right one mends it', async () => {
      await using router = await make().play({ ...OVER_SIX, asn: 65001, password: PASSWORD })
      await using us = await start(towards(65001, { password: new Secret('another-horse') }))
      const isTold = () => /no answer from fd00:9::2 port 179: a password is set here/.test(us.peer().lastError?.text ?? '')
      await router.until('the doubt', isTold)
      assert.notEqual(us.peer().state, 'established')
      us.reconfigure(towards(65001, { password: new Secret(PASSWORD) }).peer)
      await established(router, us)
    })
  })

const BFD = { minTx: millis(100), minRx: millis(100), multiplier: 3 }

for (const { name, make } of KINDS)
  for (const hops of ['single-hop', 'multihop'] as const)
    test(`BFD with ${name}, ${hops}: a peer that stops is noticed within a second, with 6/10`, async () => {
      await using router = await make().play({ ...OVER_SIX, asn: 65001, bfd: hops })
      await using us = await start(towards(65001, { bfd: { ...BFD, multihop: hops === 'multihop' } }))
      await established(router, us)
      await router.until('BFD', () => us.peer().bfd?.state === 'up')
      const { flaps } = us.peer()
      const from = performance.now()
      router.signal('SIGSTOP')
      await router.until('the loss', () => us.peer().flaps > flaps)
      assert.ok(performance.now() - from < 1000, `${performance.now() - from} ms`)
      assert.match(us.peer().lastError?.text ?? '', /BFD down \(6\/10\): control detection time expired/)
      router.signal('SIGCONT')
      await established(router, us)
    })

interface Towards {
  readonly address: string
  readonly to: string
  readonly peer: Partial<PeerConfig>
}

function towards(asn: number, changes: Partial<PeerConfig> = {}): Towards {
  return { address: OURS6, to: THEIRS6, peer: { asn, importPolicy: [], exportPolicy: [], ...changes } }
}

function heard(router: Router, us: Us, routes: readonly string[]): Promise<unknown> {
  return router.until(`exactly ${routes.join(', ')}`, () => us.heard().join() === routes.join())
}

function established(router: Router, us: Us): Promise<unknown> {
  return router.until('a session', () => us.peer().state === 'established' && us.heard().length > 0)
}

/** What arrives from us at the router, before TCP there looks at it. */
const COUNTERS = `
table ip6 proof {
  counter segments {}
  counter unsigned {}
  counter aged {}
  chain segment {
    tcp flags rst return
    counter name segments
    tcp option 19 missing counter name unsigned
    ip6 hoplimit != 255 counter name aged
  }
  chain arrival {
    type filter hook prerouting priority 0
    ip6 saddr ${OURS6} ip6 daddr ${THEIRS6} ip6 nexthdr tcp jump segment
  }
}`

const count = {
  async reset(): Promise<void> {
    await mustIn('router', ['nft', '-f', '-'], { input: `table ip6 proof {}\ndelete table ip6 proof\n${COUNTERS}` })
  },
  async now(): Promise<Readonly<Record<string, number>>> {
    const text = await mustIn('router', ['nft', 'list', 'counters', 'table', 'ip6', 'proof'])
    return Object.fromEntries(
      [...text.matchAll(/counter (\w+) \{\s+packets (\d+)/g)].map(([, name, packets]) => [name, Number(packets)]),
    )
  },
  async of(name: string): Promise<number> {
    return (await count.now())[name] ?? Number.NaN
  },
}
