/** An agent among 5,000 nodes whose documents lie in etcd: its first sync, its memory, and how late news are when much changes. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { sleepUntil, systemClock, systemRandom } from '@network/base/time/clock.ts'
import { after, between, millis } from '@network/base/time/units.ts'
import { openDatastore } from '@network/datastore/open.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { createOf } from '@network/datastore/records.ts'
import { BGP_CONFIGURATION } from '@network/model/resources/bgp-configuration.ts'
import { BLOCK_AFFINITY } from '@network/model/resources/block-affinity.ts'
import { API_VERSION, keyPrefixOf } from '@network/model/resources/kind.ts'
import { NODE, type Node } from '@network/model/resources/node.ts'
import { startEtcd } from '../lab/etcd.ts'
import { type FirstSync, firstSync } from './etcd-agent.ts'
import { type FollowerReport, wall } from './follower-report.ts'
import type { Bench, Measurement } from './measurement.ts'
import { AGENT_FLAGS } from './programs.ts'
import { median, percentile } from './statistics.ts'

const BLOCKS = 20_000
const NODES = 5_000
const ROUNDS = 3
const BAR = { sync: 2_000, memory: 150, late: 200 }
const RATE = 1_000
const SECONDS = 60
const AT_ONCE = 256
const WATCHERS = 3
const FIRST_BLOCK = ipv4('10.0.0.0')
const FIRST_NODE = ipv4('172.16.0.1')
const CHANCE = { clock: systemClock, random: systemRandom }
const options = { signal: new AbortController().signal }

export const etcdBench: Bench = {
  name: 'etcd',
  async measure(say) {
    await using etcd = await startEtcd({ flags: ['--quota-backend-bytes', String(4 * 2 ** 30)] })
    await using store = await openDatastore(etcd.url('/bench'), CHANCE)
    say(`${BLOCKS} blocks and ${NODES} nodes into etcd`)
    await fill(store)
    const firsts: FirstSync[] = []
    // The first of all is not counted: it has everything compiled, and registers its node.
    for (let round = 0; round <= ROUNDS; round++) {
      say(`first sync, round ${round} of ${ROUNDS}`)
      const first = await firstSync(etcd.url('/bench'))
      if (round > 0) firsts.push(first)
    }
    say(`${RATE} changes a second for ${SECONDS} s, ${WATCHERS} watchers`)
    const followers = await Promise.all(Array.from({ length: WATCHERS }, () => startFollower(etcd.url('/bench'))))
    const { written, took } = await change(store)
    await store.create('/cali/v1/bench/end', 0, options)
    const followed = await Promise.all(followers.map(follower => follower.end()))
    return results(firsts, followed, { written, took })
  },
}

async function fill(store: Datastore): Promise<void> {
  const jobs: (() => Promise<unknown>)[] = []
  // So many nodes peer with route reflectors.
  const spec = { nodeToNodeMeshEnabled: false }
  const config = { apiVersion: API_VERSION, kind: BGP_CONFIGURATION.kind, metadata: { name: 'default' }, spec }
  jobs.push(() => store.create(`${keyPrefixOf(BGP_CONFIGURATION.plural)}default`, config, options))
  for (let at = 0; at < NODES; at++) jobs.push(() => createOf(store, NODE, nodeAt(at), options))
  for (let at = 0; at < BLOCKS; at++) {
    const affinity = { block: toPrefix(toIpv4(FIRST_BLOCK + at * 64), 26), node: `n${at % NODES}`, state: 'confirmed' } as const
    jobs.push(() => createOf(store, BLOCK_AFFINITY, affinity, options))
  }
  const rest = jobs.values()
  const worker = async () => {
    for (const job of rest) await job()
  }
  await Promise.all(Array.from({ length: 64 }, worker))
}

function nodeAt(at: number): Node {
  return {
    name: `n${at}`,
    id: `machine ${at}`,
    address: toIpv4(FIRST_NODE + at),
    subnetLength: 16,
    asn: undefined,
    tunnelAddress: toIpv4(FIRST_BLOCK + at * 64),
    vxlanMac: undefined,
  }
}

/** As many writes as asked for, each at its moment, or as soon as fewer than `AT_ONCE` are on their way. */
async function change(store: Datastore): Promise<{ readonly written: number; readonly took: number }> {
  const began = systemClock.now()
  const running = new Set<Promise<unknown>>()
  for (let n = 0; n < RATE * SECONDS; n++) {
    const due = after(began, millis((n * 1000) / RATE))
    if (between(systemClock.now(), due) > 1) await sleepUntil(systemClock, due, options.signal)
    while (running.size >= AT_ONCE) await Promise.race(running)
    const job = store.create(`/cali/v1/bench/${n}`, { n, at: wall() }, options).finally(() => running.delete(job))
    running.add(job)
  }
  await Promise.all(running)
  return { written: RATE * SECONDS, took: between(began, systemClock.now()) }
}

async function startFollower(url: string) {
  const child = fork(`${import.meta.dirname}/follower.ts`, [url], { execArgv: [...AGENT_FLAGS] })
  const failed = once(child, 'exit').then(([code]) => Promise.reject(new Error(`a follower ended with ${String(code)}`)))
  failed.catch(() => undefined)
  await Promise.race([once(child, 'message'), failed])
  return {
    async end(): Promise<FollowerReport> {
      const answered = once(child, 'message')
      child.send('report')
      const [report] = await Promise.race([answered, failed])
      child.kill()
      return report
    },
  }
}

function results(
  firsts: readonly FirstSync[],
  followed: readonly FollowerReport[],
  { written, took }: { readonly written: number; readonly took: number },
): Measurement[] {
  const sync = median(firsts.map(one => one.inSync))
  const memory = median(firsts.map(one => one.memory))
  const late = percentile(
    followed.flatMap(one => one.late),
    99,
  )
  const inOrder = followed.every(one => one.disorder === 0 && one.late.length === written)
  const bar = (text: string, met: boolean) => ({ to: 'the bar', bar: { text, met } })
  const name = `agent on etcd, ${BLOCKS.toLocaleString('en')} blocks, ${NODES.toLocaleString('en')} nodes`
  const changes = `etcd, ${RATE.toLocaleString('en')} changes/s for ${SECONDS} s, ${WATCHERS} watchers`
  return [
    {
      what: `${name}: start to the whole snapshot`,
      value: sync,
      unit: 'ms',
      runs: ROUNDS,
      comparison: bar('under 2 s', sync < BAR.sync),
    },
    { what: `${name}: start to all programmed`, value: median(firsts.map(one => one.content)), unit: 'ms', runs: ROUNDS },
    {
      what: `${name}: resident then`,
      value: memory,
      unit: 'MB',
      runs: ROUNDS,
      comparison: bar(`under ${BAR.memory} MB`, memory < BAR.memory),
    },
    {
      what: `${changes}: time in which they were written`,
      value: took,
      unit: 'ms',
      runs: 1,
      comparison: bar(`${SECONDS} s and no more than a second`, took < (SECONDS + 1) * 1000),
    },
    {
      what: `${changes}: p99 from write to watcher`,
      value: late,
      unit: 'ms',
      runs: 1,
      comparison: bar(`under ${BAR.late} ms`, late < BAR.late),
    },
    {
      what: `${changes}: changes that the slowest watcher had, ${inOrder ? 'all in order' : 'NOT ALL or not in order'}`,
      value: Math.min(...followed.map(one => one.late.length)),
      unit: 'changes',
      runs: 1,
      comparison: bar(`${written} in order`, inOrder),
    },
  ]
}
