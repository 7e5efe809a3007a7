/** The bench of BGP speakers in small: every job with every speaker that is installed, and a speaker that cheats is found out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { run, SMALL } from '../bench/bgp/contest.ts'
import type { Job } from '../bench/bgp/load/order.ts'
import { SCENARIOS } from '../bench/bgp/scenarios.ts'
import { PEER_NAMES, type PeerName, SPEAKERS } from '../bench/bgp/speakers.ts'

const INSTALLED = PEER_NAMES.filter(name => SPEAKERS[name].program() !== undefined)
const mesh: Job = { is: 'mesh', clients: 4 }

test('BIRD and FRR are here to be measured beside cali-bgpd', () => {
  for (const name of ['cali', 'bird', 'frr'] as const) assert.ok(INSTALLED.includes(name), name)
})

describe('every job of the bench in small', { concurrency: true }, () => {
  for (const name of INSTALLED)
    test(`${SPEAKERS[name].title} does it`, async () => {
      for (const scenario of scenariosFor(name)) {
        const outcome = await run(SPEAKERS[name], scenario.small, SMALL)
        assert.equal(outcome.is, 'complete', `${scenario.name}: ${outcome.says}`)
        assert.equal(outcome.lost, 0, scenario.name)
        assert.ok(scenario.small.is === 'idle' || outcome.received.inspected > 0, `${scenario.name}: nobody looked at attributes`)
        for (const { what, of } of scenario.metrics) assert.ok(of(outcome) > 0, `${scenario.name}: ${what} is ${of(outcome)}`)
      }
    })
})

test('a speaker that does not reflect, drops a route or changes an attribute has not done its job', async () => {
  const brief = { ...SMALL, atMostMs: 1500 }
  assert.deepEqual(verdictOf(await run(birdWith('', ''), mesh, SMALL)), ['complete', undefined])
  const silent = await run(birdWith('rr client;', ''), mesh, brief)
  assert.deepEqual(verdictOf(silent), ['late', '4 of 4 clients lack 48 routes, 4 sessions are up'])
  const forgetful = await run(birdWith('import all', 'import where net != 10.128.0.64/26'), mesh, brief)
  assert.deepEqual(verdictOf(forgetful), ['late', '3 of 4 clients lack 3 routes, 4 sessions are up'])
  const other = await run(birdWith('import all', 'import filter { bgp_local_pref = 7; accept; }'), mesh, SMALL)
  assert.deepEqual(verdictOf(other), ['wrong', 'LOCAL_PREF is 00000007 (0.0.0.7) and should be 00000064 (0.0.0.100)'])
})

/** FRR 8.4 now and then tells nothing to a client that came back at once; storms of it are measured, but prove nothing here. */
function scenariosFor(name: PeerName) {
  const distinct = SCENARIOS.filter((one, at) => SCENARIOS.findIndex(other => sameSmallJob(one, other)) === at)
  return name === 'frr' ? distinct.filter(({ small }) => small.is !== 'storm') : distinct
}

function sameSmallJob(a: { readonly small: Job }, b: { readonly small: Job }): boolean {
  return JSON.stringify(a.small) === JSON.stringify(b.small)
}

function birdWith(words: string, others: string) {
  const { bird } = SPEAKERS
  return { ...bird, config: (folder: string, program: string) => bird.config(folder, program).replace(words, others) }
}

function verdictOf({ is, says }: { readonly is: string; readonly says?: string }): [string, string | undefined] {
  return [is, says]
}
