/** Three members under faults, with writers and watchers at work: a model says what may be there, and nothing else is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { type Random, sleep, systemClock } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { openEtcd } from '@network/datastore/etcd/open.ts'
import type { Datastore } from '@network/datastore/port.ts'
import { sync } from '@network/datastore/sync.ts'
import { type Etcd, startEtcd } from './etcd.ts'
import { type FlakyProxy, startProxy } from './proxy.ts'
import { until } from './until.ts'

const options = { signal: new AbortController().signal }
const KEYS = 12

interface Setting {
  readonly etcd: Etcd
  readonly proxies: readonly FlakyProxy[]
  readonly random: Random
}

const FAULTS: readonly (readonly [name: string, act: (setting: Setting) => Promise<void>])[] = [
  [
    'a member is killed with -9 and comes back',
    async ({ etcd, random }) => {
      const member = etcd.members[Math.floor(random() * etcd.members.length)]
      await member?.kill()
      await pause(1_500)
      member?.start()
    },
  ],
  [
    'the leader is killed with -9 and comes back',
    async ({ etcd }) => {
      const leader = await etcd.leader()
      await leader.kill()
      await pause(2_500)
      leader.start()
    },
  ],
  [
    'the leader is stopped with SIGSTOP for 6 s and goes on',
    async ({ etcd }) => {
      const leader = await etcd.leader()
      leader.signal('SIGSTOP')
      await pause(6_000)
      leader.signal('SIGCONT')
    },
  ],
  [
    'connections are dropped, again and again',
    async ({ proxies }) => {
      for (let n = 0; n < 12; n++) {
        for (const proxy of proxies) proxy.drop()
        await pause(150)
      }
    },
  ],
  [
    'all lines are slow, then one is half-open for 10 s',
    async ({ proxies }) => {
      for (const proxy of proxies) proxy.weather = { is: 'slow', by: 40 }
      await pause(1_500)
      for (const proxy of proxies) proxy.weather = { is: 'fair' }
      const [one] = proxies
      if (one === undefined) return
      one.weather = { is: 'silent' }
      await pause(10_000)
      one.weather = { is: 'fair' }
      one.drop()
    },
  ],
  [
    'all is compacted while nobody can reach it',
    async ({ etcd, proxies }) => {
      for (const proxy of proxies) proxy.weather = { is: 'down' }
      await pause(1_000)
      await etcd.ctl('put', '/p/model/outside', JSON.stringify(systemClock.wall().getTime()))
      await etcd.compact()
      for (const proxy of proxies) proxy.weather = { is: 'fair' }
    },
  ],
  [
    'all members are gone for 15 s (which stand for ten minutes: it is past every deadline and pause of ours) and come back',
    async ({ etcd }) => {
      await Promise.all(etcd.members.map(member => member.kill()))
      await pause(15_000)
      for (const member of etcd.members) member.start()
    },
  ],
]

for (const [at, [name, act]] of FAULTS.entries())
  test(`nothing is lost and nothing invented while ${name}`, { timeout: 90_000 }, async () => {
    await using etcd = await startEtcd({ members: 3 })
    await using open = new AsyncDisposableStack()
    const proxies = await Promise.all(etcd.members.map(async ({ address }) => open.use(await startProxy(address))))
    const random = seededRandom(at + 1)
    const url = `etcd://${proxies.map(({ address }) => address).join(',')}/p`
    const stores = await Promise.all([1, 2, 3, 4].map(async () => open.use(await openEtcd(url, { clock: systemClock, random }))))
    const [first, second, ...readers] = stores
    assert.ok(first !== undefined && second !== undefined)
    const ending = new AbortController()
    const followed = readers.map(store => follow(store, ending.signal))
    const model = new Model()
    const writing = [first, second].map((store, n) => write(store, n, { model, random, signal: ending.signal }))
    try {
      await until(() => model.acknowledged > 50, wait('the first writes', 10_000))
      await act({ etcd, proxies, random })
      const before = model.acknowledged
      await until(() => model.acknowledged > before + 50, wait('writes to go on', 40_000))
    } finally {
      ending.abort()
      await Promise.all(writing)
    }
    await using direct = await openEtcd(etcd.url('/p'), { clock: systemClock, random })
    const end = new Map((await direct.list('/model/', options)).entries.map(({ key, document }) => [key, document]))
    model.check(end)
    const watching = new AbortController()
    const again = readers.map(store => follow(store, watching.signal, followed[readers.indexOf(store)]))
    try {
      for (const { state } of again) await until(() => same(state, end), wait('watchers to see what there is', 20_000))
    } finally {
      watching.abort()
    }
    for (const { problems } of again) assert.deepEqual(problems, [])
  })

/** What was written, what may have been, for every key: each write has a number of its own. */
class Model {
  acknowledged = 0
  #next = 0
  readonly #last = new Map<string, number>()
  readonly #perhaps = new Map<string, Set<number>>()

  number(): number {
    return ++this.#next
  }

  begun(key: string, value: number): void {
    const perhaps = this.#perhaps.get(key) ?? new Set()
    this.#perhaps.set(key, perhaps.add(value))
  }

  written(key: string, value: number): void {
    this.acknowledged += 1
    this.#last.set(key, value)
    // What this writer began before on this key cannot be what stands there: it was read over.
    this.#perhaps.delete(key)
  }

  refused(key: string, value: number): void {
    this.#perhaps.get(key)?.delete(value)
  }

  check(end: ReadonlyMap<string, unknown>): void {
    for (const [key, value] of this.#last) {
      const found = end.get(key)
      const allowed = [value, ...(this.#perhaps.get(key) ?? [])]
      assert.ok(allowed.includes(Number(found)), `${key} is ${String(found)}, and may be ${allowed.join()}`)
    }
    for (const key of end.keys())
      assert.ok(this.#last.has(key) || this.#perhaps.has(key) || key === '/model/outside', `${key} was invented`)
  }
}

interface Writing {
  readonly model: Model
  readonly random: Random
  readonly signal: AbortSignal
}

/** Each writer has keys of its own, so that the model knows their order. */
async function write(store: Datastore, who: number, { model, random, signal }: Writing): Promise<void> {
  while (!signal.aborted) {
    const key = `/model/${who}/${Math.floor(random() * KEYS)}`
    const value = model.number()
    try {
      const entry = await store.get(key, options)
      model.begun(key, value)
      const outcome =
        entry === undefined ? await store.create(key, value, options) : await store.update(key, value, entry.revision, options)
      if (outcome.is === 'written') model.written(key, value)
      else model.refused(key, value)
    } catch (reason) {
      assert.ok(reason instanceof Fault && reason.code === 'datastore.unreachable', String(reason))
    }
    await sleep(systemClock, millis(5), signal).catch(() => undefined)
  }
}

interface Followed {
  readonly state: Map<string, unknown>
  readonly problems: string[]
}

/** A watcher; values of a key only ever grow, for each is a later write. */
function follow(
  store: Datastore,
  signal: AbortSignal,
  { state, problems }: Followed = { state: new Map(), problems: [] },
): Followed {
  const running = async () => {
    for await (const event of sync(store, { prefix: '/model/', signal, clock: systemClock, random: seededRandom(9) })) {
      if (event.is !== 'changes') continue
      for (const { key, document } of event.changes) {
        const before = state.get(key)
        if (typeof before === 'number' && Number(document) < before)
          problems.push(`${key} went from ${before} to ${String(document)}`)
        if (document === undefined) problems.push(`${key} went`)
        state.set(key, document)
      }
    }
  }
  void running()
  return { state, problems }
}

function same(state: ReadonlyMap<string, unknown>, end: ReadonlyMap<string, unknown>): boolean {
  return state.size === end.size && [...end].every(([key, value]) => state.get(key) === value)
}

/** Faults last as long as they last: it is other processes that wait here. */
async function pause(duration: number): Promise<void> {
  const began = systemClock.now()
  await until(() => between(began, systemClock.now()) >= duration, wait('the fault to last', duration + 5_000))
}

function wait(what: string, within: number) {
  return { clock: systemClock, what, within: millis(within) }
}
