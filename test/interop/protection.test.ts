/** TCP MD5, GTSM and TTLs between our speaker and real BIRD 2 and FRR, whoever dials; what the wire carries is counted by nftables. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { Secret } from '@network/base/run/secret.ts'
import { systemClock } from '@network/base/time/clock.ts'
import type { PeerConfig } from '@network/bgp/options.ts'
import { mustIn } from '../lab/command.ts'
import { until } from '../lab/until.ts'
import { start, type Us } from './ours.ts'
import { KINDS } from './roles.ts'
import { layRouterCable, OURS, type Part, type Router, THEIRS, THIRD } from './routers.ts'

const PASSWORD = 'correct-horse'
const PART: Part = { asn: 65001, password: PASSWORD }
/** Who dials whom. */
const WAYS = [
  { way: 'whoever dials first', changes: {} },
  { way: 'it dials', changes: { passive: true } },
] as const

const ONE_SIDED = [
  { who: 'it demands', part: { ttlSecurity: 1 }, peer: {} },
  { who: 'we demand', part: {}, peer: { ttlSecurity: { hops: 1 } } },
] as const

before(async () => {
  await layRouterCable()
  await mustIn('router', ['nft', '-f', '-'], { input: COUNTERS })
})

for (const { name, make } of KINDS)
  describe(name, () => {
    for (const { way, changes } of WAYS) {
      test(`MD5 with the same key: every segment is signed; ${way}`, async () => {
        await using router = await make().play(PART)
        await count.reset()
        await using us = await start(outside(PASSWORD, changes))
        await established(router, us)
        assert.equal(await count.of('unsigned'), 0)
        assert.ok((await count.of('segments')) >= 3)
        assert.equal(us.peer().protection.md5, true)
        assert.doesNotMatch(inspect(us.speaker.status(), { depth: null }), new RegExp(PASSWORD))
      })

      test(`the full TTL, asked for on both sides, in every packet; ${way}`, async () => {
        await using router = await make().play({ asn: 65001, ttlSecurity: 1 })
        await count.reset()
        await using us = await start(outside(undefined, { ttlSecurity: { hops: 1 }, ...changes }))
        await established(router, us)
        assert.equal(await count.of('aged'), 0)
        assert.ok((await count.of('segments')) >= 3)
        assert.equal(us.peer().protection.ttlSecurityHops, 1)
      })
    }

    test('without a password nothing is signed, and packets have the TTL of the system: the control of the counters', async () => {
      await using router = await make().play({ asn: 65001 })
      await count.reset()
      await using us = await start(outside(undefined))
      await established(router, us)
      const { segments, unsigned, aged } = await count.now()
      assert.deepEqual([unsigned, aged], [segments, segments])
      assert.ok((segments ?? 0) >= 3)
    })

    test('another key, or none: no session, and the status says why that may be; the right key mends it', async () => {
      await using router = await make().play(PART)
      await using us = await start(outside('another-horse'))
      const isTold = () => /no answer from 10\.9\.0\.2 port 179: a password is set here/.test(us.peer().lastError?.text ?? '')
      await router.until('the doubt', isTold)
      assert.notEqual(us.peer().state, 'established')
      us.reconfigure(outside(undefined).peer ?? {})
      await router.until('silence without a key', () => us.peer().lastError?.text === 'no answer from 10.9.0.2 port 179')
      assert.notEqual(us.peer().state, 'established')
      us.reconfigure(outside(PASSWORD).peer ?? {})
      await established(router, us)
    })

    test('it comes back with another key, and so do we', async () => {
      await using router = await make().play(PART)
      await using us = await start(outside(PASSWORD))
      await established(router, us)
      await router.kill()
      await router.play({ ...PART, password: 'new-horse' })
      us.reconfigure(outside('new-horse').peer ?? {})
      await router.until('a second session', () => us.peer().flaps === 1 && us.peer().state === 'established')
    })

    test('the TTL that is asked for, on the interface that is asked for', async () => {
      await using router = await make().play({ asn: 65001 })
      await count.reset()
      await using us = await start(outside(undefined, { ttl: 7, device: 'to-router' }))
      await established(router, us)
      assert.ok((await count.of('seven')) >= 3)
      us.reconfigure({ ...outside(undefined).peer, ttl: 7, device: 'lo' })
      await router.until('nobody behind that one', () => us.peer().state !== 'established')
      await router.until('the failure', () => /10\.9\.0\.2 port 179/.test(us.peer().lastError?.text ?? ''))
    })
  })

// Last, for what nobody acknowledges is repeated for minutes, and would be counted above.
for (const { name, make } of KINDS)
  describe(`${name}, one-sided`, () => {
    for (const { who, part, peer } of ONE_SIDED)
      test(`${who} the full TTL and the other does not send it: what arrives is dropped, until the hold time is over`, async () => {
        await using router = await make().play({ asn: 65001, ...part })
        await using us = await start(outside(undefined, peer))
        const words = async () => `${us.peer().lastError?.text} ${await router.session()}`
        await router.until('silence', async () => /hold timer/i.test(await words()))
        assert.equal(us.heard().length, 0)
      })
  })

test('two of ours change their key one after the other, and the session does not blink', async () => {
  const keyed = (text: string): Partial<PeerConfig> => ({ password: new Secret(text) })
  await using near = await start({ to: THIRD, peer: keyed('old') })
  await using far = await start({
    address: THIRD,
    to: OURS,
    originate: ['10.77.0.0/24'],
    peer: { ...keyed('old'), passive: true },
  })
  const hears = (us: Us, prefix: string) => () => us.heard().some(route => route.startsWith(prefix))
  await untilSeen('the first route', hears(near, '10.77.0.0/24'))
  near.reconfigure(keyed('new'))
  far.originate('10.77.0.0/24', '10.78.0.0/24')
  far.reconfigure({ ...keyed('new'), passive: true })
  await untilSeen('a route after the change', hears(near, '10.78.0.0/24'))
  near.originate('10.79.0.0/24')
  await untilSeen('a route the other way', hears(far, '10.79.0.0/24'))
  assert.deepEqual([near.peer().flaps, far.peer().flaps], [0, 0])
})

function outside(password: string | undefined, changes: Partial<PeerConfig> = {}): { readonly peer: Partial<PeerConfig> } {
  const secret = password === undefined ? {} : { password: new Secret(password) }
  return { peer: { asn: 65001, importPolicy: [], exportPolicy: [], ...secret, ...changes } }
}

function established(router: Router, us: Us): Promise<unknown> {
  return router.until('a session', () => us.peer().state === 'established' && us.heard().length === 3)
}

function untilSeen(what: string, look: () => boolean): Promise<unknown> {
  return until(look, { clock: systemClock, what })
}

/** What arrives from us at the router, before TCP there looks at it. */
const COUNTERS = `
table ip proof {
  counter segments {}
  counter unsigned {}
  counter aged {}
  counter seven {}
  chain segment {
    tcp flags rst return
    counter name segments
    tcp option 19 missing counter name unsigned
    ip ttl != 255 counter name aged
    ip ttl 7 counter name seven
  }
  chain arrival {
    type filter hook prerouting priority 0
    ip saddr ${OURS} ip daddr ${THEIRS} ip protocol tcp jump segment
  }
}`

const count = {
  async reset(): Promise<void> {
    await mustIn('router', ['nft', '-f', '-'], { input: `table ip proof {}\ndelete table ip proof\n${COUNTERS}` })
  },
  async now(): Promise<Readonly<Record<string, number>>> {
    const text = await mustIn('router', ['nft', 'list', 'counters', 'table', 'ip', 'proof'])
    return Object.fromEntries(
      [...text.matchAll(/counter (\w+) \{\s+packets (\d+)/g)].map(([, name, packets]) => [name, Number(packets)]),
    )
  },
  async of(name: string): Promise<number> {
    return (await count.now())[name] ?? Number.NaN
  },
}
