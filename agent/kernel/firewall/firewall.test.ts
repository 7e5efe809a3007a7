import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { ManualClock } from '@network/base/testing/manual-clock.ts'
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import { millis } from '@network/base/time/units.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import type { RulesetChange } from '@network/netlink/set-elements.ts'
import { Firewall } from './firewall.ts'
import type { Legacy } from './legacy.ts'
import type { Answer, Json, Nft, Objects } from './nft.ts'

const NODE = ipv4('172.16.20.12')
const OTHER = ipv4('172.16.20.13')
const POD = ipv4('10.244.0.2')
const MINE = 'cali0123456789a'
const INTENT: FirewallIntent = {
  underlay: 'eth0',
  pools: [],
  natPools: [],
  vxlan: undefined,
  tunnels: [],
  nodes: new Set([NODE]),
  peers: new Set([NODE]),
  sources: [{ device: 'cali0123456789a', address: POD }],
}

/** One table as nft keeps it; what it is told it lists again. */
class FakeNft implements Nft {
  objects: Json[] | undefined
  readonly commits: Objects[] = []
  /** What the base chain of somebody else does with packets that no rule decides on; undefined: there is none. */
  foreignPolicy: 'accept' | 'drop' | undefined
  foreignTranslates = false
  /** What it answers instead of doing. */
  instead: Answer<never> | undefined
  /** Whether what it prints of the table is no JSON, until the table is made anew. */
  garbled = false
  /** How it prints what it was told. */
  prints: (object: Json) => Json = object => object

  async list(what: readonly string[]): ReturnType<Nft['list']> {
    if (this.garbled) return { is: 'garbled' }
    if (this.instead !== undefined) return this.instead
    if (what[0] === 'chains')
      return { is: 'done', value: [...(this.foreignPolicy === undefined ? [] : [foreign(this.foreignPolicy)]), FOREIGN_NAT] }
    if (what[0] === 'chain') return { is: 'done', value: this.foreignTranslates && what[3] === 'POSTROUTING' ? [MASQUERADE] : [] }
    const there = this.objects?.filter(object =>
      Object.values(object).some(inner => isRecord(inner) && inner['family'] === what[1]),
    )
    return there === undefined || there.length === 0 ? { is: 'absent' } : { is: 'done', value: there.map(this.prints) }
  }

  async commit(commands: Objects): Promise<Answer<undefined>> {
    if (this.instead !== undefined) return this.instead
    if (commands.some(({ insert }) => insert !== undefined)) return { is: 'done', value: undefined }
    this.commits.push(commands)
    for (const command of commands) this.#perform(command)
    return { is: 'done', value: undefined }
  }

  #perform({ add, flush, delete: gone }: Json): void {
    if (isRecord(gone) && 'table' in gone) {
      this.objects = undefined
      this.garbled = false
    } else if (isRecord(flush) && isRecord(flush['chain'])) this.#flushChain(flush['chain'])
    else if (isRecord(gone) && isRecord(gone['chain'])) this.#deleteChain(gone['chain'])
    else if (isRecord(add) && isRecord(add['element'])) this.#setOf(add['element']).push(...elementsOf(add['element']))
    else if (isRecord(gone) && isRecord(gone['element'])) {
      const set = this.#setOf(gone['element'])
      for (const element of elementsOf(gone['element']))
        set.splice(
          set.findIndex(each => isDeepStrictEqual(each, element)),
          1,
        )
    } else if (isRecord(add))
      this.objects = [...(this.objects ?? []), isRecord(add['set']) ? { set: { ...add['set'], elem: [] } } : add]
  }

  #flushChain({ name }: Json): void {
    this.objects = this.objects?.filter(({ rule }) => !(isRecord(rule) && rule['chain'] === name))
  }

  #deleteChain({ name }: Json): void {
    this.objects = this.objects?.filter(({ chain, rule }) => {
      return !(isRecord(chain) && chain['name'] === name) && !(isRecord(rule) && rule['chain'] === name)
    })
  }

  #setOf({ name }: Json): unknown[] {
    for (const { set } of this.objects ?? [])
      if (isRecord(set) && set['name'] === name && Array.isArray(set['elem'])) return set['elem']
    return assert.fail(`no set ${String(name)}`)
  }
}

function foreign(policy: 'accept' | 'drop'): Json {
  return { chain: { family: 'ip', table: 'filter', name: 'FORWARD', type: 'filter', hook: 'forward', prio: 0, policy } }
}

const FOREIGN_NAT = {
  chain: { family: 'ip', table: 'nat', name: 'POSTROUTING', type: 'nat', hook: 'postrouting', prio: 100, policy: 'accept' },
}
const MASQUERADE = { rule: { family: 'ip', table: 'nat', chain: 'POSTROUTING', handle: 3, expr: [{ masquerade: null }] } }

function elementsOf({ elem }: Json): unknown[] {
  return Array.isArray(elem) ? elem : []
}

const NO_LEGACY: Legacy = { inUse: () => false, iptables: async () => ({ is: 'missing' }) }

class Stage implements AsyncDisposable {
  readonly nft = new FakeNft()
  /** Refuses unless told otherwise. */
  readonly elements = { port: undefined, change: (_: readonly RulesetChange[]) => false }
  readonly missing = new Set<string>()
  readonly present: string[] = []
  readonly clock = new ManualClock()
  readonly told: string[] = []
  changes = 0
  readonly firewall: Firewall
  readonly #ending = new AbortController()
  readonly #running: Promise<void>

  constructor(legacy = NO_LEGACY) {
    const tell = (line: string) => this.told.push(line)
    this.firewall = new Firewall({
      nft: this.nft,
      elements: this.elements,
      legacy,
      hasInterface: name => !this.missing.has(name),
      interfaces: () => this.present,
      clock: this.clock,
      random: seededRandom(1),
      log: { debug: tell, info: tell, warn: tell, error: tell },
      changed: () => this.changes++,
    })
    this.#running = this.firewall.run(this.#ending.signal)
  }

  /** Lets everything happen that waits for no time. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
  }

  async later(ms: number): Promise<void> {
    this.clock.advance(millis(ms))
    await this.rest()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    await this.#running
  }
}

test('nobody is admitted before the transaction that lets them in', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  firewall.desire(INTENT)
  assert.deepEqual([firewall.decided, firewall.admits(NODE), nft.commits.length], [false, false, 0])
  await stage.rest()
  assert.deepEqual([firewall.decided, firewall.admits(NODE), nft.commits.length, stage.changes], [true, true, 1, 1])

  firewall.desire({ ...INTENT, nodes: new Set([NODE, OTHER]), peers: new Set([NODE, OTHER]) })
  assert.deepEqual([firewall.admits(OTHER), firewall.converged], [false, false])
  await stage.rest()
  assert.deepEqual([firewall.admits(OTHER), firewall.converged, stage.changes], [true, true, 2])
  assert.deepEqual(
    nft.commits[1]?.map(command => JSON.stringify(command)),
    ['nodes', 'peers'].map(
      name => `{"add":{"element":{"family":"inet","table":"cali","name":"${name}","elem":["172.16.20.13"]}}}`,
    ),
    'only what is new is written',
  )
})

test('a table that nft cannot print is written anew', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  firewall.desire(INTENT)
  await stage.rest()
  nft.garbled = true
  firewall.heard()
  await stage.later(500)
  assert.deepEqual([nft.commits.length, firewall.converged, firewall.repairs.count], [2, true, 2])
})

test('who was admitted stays so while a stranger’s meddling is repaired', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  firewall.desire(INTENT)
  await stage.rest()
  nft.objects = undefined
  firewall.heard()
  assert.equal(firewall.admits(NODE), true)
  await stage.later(499)
  assert.equal(nft.objects, undefined, 'not before others have finished')
  await stage.later(1)
  assert.ok(nft.objects !== undefined)
  assert.deepEqual(
    firewall.repairs.last.map(({ object, found }) => [object, found]),
    [
      ['nft table netdev cali', 'missing'],
      ['nft table inet cali', 'missing'],
    ],
  )
  assert.equal(stage.changes, 1)
})

test('who asks for the counters hides no meddling, and many who ask at once make one look', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  firewall.hears(true)
  firewall.desire(INTENT)
  await stage.rest()
  await stage.later(10_000)
  nft.objects = nft.objects?.filter(object => !JSON.stringify(object).includes('"drop"'))
  firewall.heard()
  await stage.later(200)
  let looks = 0
  const list = nft.list.bind(nft)
  nft.list = what => {
    if (what[1] === 'inet') looks++
    return list(what)
  }
  await Promise.all([firewall.status(), firewall.status(), firewall.status()])
  assert.equal(looks, 1)
  await stage.later(300)
  assert.deepEqual([nft.commits.length, firewall.repairs.count], [2, 2])
})

test('a pod waits for its own element, not for one that its address had before', async () => {
  await using stage = new Stage()
  const { firewall } = stage
  firewall.desire({ ...INTENT, sources: [{ device: 'cali0123456789b', address: POD }] })
  await stage.rest()
  firewall.desire(INTENT)
  let done = false
  const waiting = firewall.reached(POD, 'installed', new AbortController().signal).then(() => {
    done = true
  })
  await Promise.resolve()
  assert.equal(done, false)
  await waiting
  await firewall.reached(ipv4('10.244.0.9'), 'absent', new AbortController().signal)
  const gone = new AbortController()
  const never = firewall.reached(ipv4('10.244.0.9'), 'installed', gone.signal)
  gone.abort(new Error('the caller went away'))
  await assert.rejects(never, /the caller went away/)
})

test('an interface of nobody may send nothing, with its endpoint it may, and a pod without an interface keeps nobody from the rest', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  const sources = () =>
    nft.objects?.flatMap(({ rule }) => (isRecord(rule) && rule['chain'] === MINE ? [JSON.stringify(rule['expr'])] : []))
  const strangers = '[{"goto":{"target":"strangers"}}]'
  stage.missing.add(MINE)
  firewall.desire(INTENT)
  await stage.rest()
  assert.deepEqual([sources(), firewall.converged], [[], true])
  stage.missing.delete(MINE)
  stage.present.push(MINE)
  firewall.interfaceHeard(MINE, 'there')
  await stage.rest()
  assert.match(sources()?.join() ?? '', /10\.244\.0\.2.*known.*strangers/)
  firewall.desire({ ...INTENT, sources: [] })
  await stage.rest()
  assert.deepEqual(sources(), [strangers], 'the endpoint went, the interface stays')
  firewall.desire(INTENT)
  await stage.rest()
  assert.equal(sources()?.length, 2)
  firewall.desire({ ...INTENT, sources: [] })
  await stage.rest()
  stage.present.pop()
  firewall.interfaceHeard(MINE, 'gone')
  await stage.rest()
  assert.deepEqual([JSON.stringify(nft.objects).includes(MINE), firewall.converged, firewall.repairs.count], [false, true, 0])
})

test('packets are marked as long as somebody’s chain would stop them, and a new agent leaves the marks until it knows', async () => {
  const marking = ({ objects }: FakeNft) => JSON.stringify(objects).includes('behind-forward')
  await using stage = new Stage()
  const { firewall, nft } = stage
  nft.foreignPolicy = 'accept'
  firewall.desire(INTENT)
  await stage.rest()
  assert.deepEqual([marking(nft), firewall.converged], [false, true])
  nft.foreignPolicy = 'drop'
  firewall.heard()
  await stage.later(500)
  assert.deepEqual([marking(nft), firewall.admits(NODE), firewall.repairs.count], [true, true, 0])

  await using next = new Stage()
  next.nft.objects = nft.objects
  next.nft.foreignPolicy = 'drop'
  next.firewall.desire(INTENT)
  await next.rest()
  assert.deepEqual([marking(next.nft), next.nft.commits.length], [true, 0], 'as it was found')

  nft.foreignPolicy = undefined
  firewall.heard()
  await stage.later(500)
  assert.deepEqual([marking(nft), firewall.converged, firewall.repairs.count], [false, true, 0])
})

test('without nft it says so once, keeps nobody waiting, and protects as soon as nft is there', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  nft.instead = { is: 'missing' }
  firewall.desire(INTENT)
  await firewall.reached(POD, 'installed', new AbortController().signal)
  await stage.later(5000)
  assert.deepEqual([firewall.decided, firewall.admits(OTHER), firewall.converged], [true, true, true])
  assert.match(firewall.problems.join('\n'), /^the firewall is off, .* the command nft is missing; install the package nftables$/)
  const { active, reason } = await firewall.status()
  assert.deepEqual([active, reason], [false, 'the command nft is missing; install the package nftables'])
  assert.deepEqual(stage.told, ['firewall not as wanted'])
  nft.instead = undefined
  await stage.later(30_000)
  assert.deepEqual([(await firewall.status()).active, firewall.admits(OTHER), firewall.problems], [true, false, []])
})

test('a refusal while the table stands admits nobody new, tells why and is tried again', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  firewall.desire(INTENT)
  await stage.rest()
  nft.commit = async () => ({ is: 'refused', says: 'Error: Could not process rule: No buffer space available' })
  firewall.desire({ ...INTENT, peers: new Set([NODE, OTHER]) })
  await stage.rest()
  assert.deepEqual([firewall.admits(NODE), firewall.admits(OTHER), firewall.converged], [true, false, false])
  assert.deepEqual(
    [(await firewall.status()).active, firewall.problems],
    [true, ['nft table inet cali and nft table netdev cali: Error: Could not process rule: No buffer space available']],
  )
  nft.commit = FakeNft.prototype.commit.bind(nft)
  await stage.later(2000)
  assert.deepEqual([firewall.admits(OTHER), firewall.converged, firewall.problems], [true, true, []])
})

test('an nft that prints our rules otherwise is learned from once; what changes after that is meddling', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  nft.prints = object =>
    isRecord(object['rule'])
      ? { rule: { ...object['rule'], expr: [{ printed: JSON.stringify(object['rule']['expr']) }] } }
      : object
  firewall.desire(INTENT)
  await stage.rest()
  assert.deepEqual([firewall.converged, firewall.admits(NODE), nft.commits.length], [true, true, 1])
  firewall.heard()
  await stage.later(500)
  assert.deepEqual([nft.commits.length, firewall.repairs.count], [1, 0])
  nft.objects = nft.objects?.filter(object => !JSON.stringify(object).includes('"drop"'))
  firewall.heard()
  await stage.later(500)
  assert.deepEqual(
    [nft.commits.length, firewall.repairs.last.map(({ found }) => found)],
    [2, ['rules of chain known changed, rules of chain strangers changed', 'rules of chain input changed']],
  )
})

test('what never reads back as written is told and written ever more rarely', async () => {
  await using stage = new Stage()
  const { firewall, nft } = stage
  nft.prints = object => (isRecord(object['set']) ? { set: { ...object['set'], elem: [] } } : object)
  firewall.desire(INTENT)
  await stage.later(0)
  assert.deepEqual([nft.commits.length, firewall.converged], [1, false])
  assert.match(firewall.problems.join('\n'), /nft shows something else than was written: set nodes without 172\.16\.20\.12/)
  for (let second = 0; second < 120; second++) await stage.later(1000)
  assert.ok(nft.commits.length > 4 && nft.commits.length < 12, `${nft.commits.length} transactions in two minutes`)
})

test('rules of iptables-legacy without its command: said, and looked at again every two seconds', async () => {
  let there = true
  const asked: string[] = []
  await using stage = new Stage({
    inUse: () => there,
    iptables: async argv => {
      asked.push(argv.join(' '))
      return { is: 'missing' }
    },
  })
  stage.firewall.desire(INTENT)
  await stage.rest()
  assert.match(
    stage.firewall.problems.join('\n'),
    /rules of iptables-legacy too, which may stop pods, .* install the package iptables$/,
  )
  there = false
  await stage.later(2000)
  assert.deepEqual([stage.firewall.problems, asked], [[], ['-S']])
})
