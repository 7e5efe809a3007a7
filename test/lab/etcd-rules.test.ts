/**
 * The eight things that go wrong with an etcd client, each made to happen to a real etcd. Every test waits with its own signal, which aborts when
 * its time is over: what it started ends with it.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Fault } from '@network/base/run/fault.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { between, millis, seconds } from '@network/base/time/units.ts'
import { openEtcd } from '@network/datastore/etcd/open.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { type Datastore, NOT_JSON, type Options } from '@network/datastore/port.ts'
import { sync } from '@network/datastore/sync.ts'
import { collect } from '@network/datastore/testing/contract/promise.ts'
import { startEtcd } from './etcd.ts'
import { startProxy } from './proxy.ts'
import { until } from './until.ts'

const chance = { clock: systemClock, random: systemRandom }
const wait = (what: string, within = 40_000) => ({ clock: systemClock, what, within: millis(within) })

test('rule 1: a list of far more than one answer holds comes whole, at one revision, and the next call is served', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using store = await openEtcd(etcd.url('/p'), chance)
  const text = 'x'.repeat(900_000)
  for (let n = 0; n < 50; n++) await store.create(`/l/${n}`, { n, text }, options)
  const listing = store.list('/l/', options)
  const meanwhile = store.create('/l/later', 1, options)
  const { entries, revision } = await listing
  const written = await meanwhile
  assert.ok(written.is === 'written')
  const isLater = BigInt(written.revision) > BigInt(revision)
  assert.equal(entries.length, isLater ? 50 : 51, '45 MB, more than the 32 of one answer')
  assert.equal((await store.get('/l/7', options))?.key, '/l/7')
})

test('rule 2: through disconnects no event is lost, none comes twice, and short ones are not told', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using proxy = await startProxy(etcd.members[0]?.address ?? '')
  await using store = await openEtcd(`etcd://${proxy.address}`, chance)
  await using direct = await openEtcd(etcd.url(), chance)
  const { revision } = await store.list('', options)
  await using followed = follow(store, '/w/')
  const seen = collect(store, '/w/', revision, 60, options)
  for (let n = 0; n < 60; n++) {
    if (n % 10 === 5) proxy.drop()
    await direct.create(`/w/${n}`, n, options)
  }
  assert.deepEqual(
    (await seen).map(({ entry }) => entry?.document),
    Array.from({ length: 60 }, (_, n) => n),
  )
  await until(() => followed.state.size === 60, wait('all to be told'))
  assert.ok(proxy.connections > 4, `${proxy.connections} connections: it was disconnected`)
  assert.ok(followed.told.includes('in-sync') && !followed.told.includes('stale'), followed.told.join())
})

test('rule 3: a watch whose past is compacted while it is away says so, and who follows is told the true difference', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using proxy = await startProxy(etcd.members[0]?.address ?? '')
  await using store = await openEtcd(`etcd://${proxy.address}`, chance)
  await using direct = await openEtcd(etcd.url(), chance)
  for (const key of ['/w/stays', '/w/changes', '/w/goes']) await direct.create(key, 1, options)
  await using followed = follow(store, '/w/')
  const { revision } = await direct.list('/w/', options)
  await until(() => followed.state.size === 3, wait('the first list'))
  const watching = collect(store, '/w/', revision, 100, options).catch((reason: unknown) => reason)
  // Negative control: with its past there, a watch that was away goes on.
  proxy.weather = { is: 'down' }
  await direct.create('/w/control', 1, options)
  proxy.weather = { is: 'fair' }
  await until(() => followed.state.has('/w/control'), wait('the control'))
  followed.events.length = 0
  proxy.weather = { is: 'down' }
  await changeAll(direct, options)
  await etcd.compact()
  proxy.weather = { is: 'fair' }
  const end = await watching
  assert.ok(end instanceof Fault && end.code === 'datastore.compacted', String(end))
  await until(() => followed.state.get('/w/new') === 1, wait('the difference'))
  assert.deepEqual(followed.changed().toSorted(), ['/w/changes 2', '/w/control gone', '/w/goes gone', '/w/new 1'])
  await direct.create('/w/after', 1, options)
  await until(() => followed.state.has('/w/after'), wait('what comes after'))
})

test('rule 4: a half-open connection ends get and watch within seconds, and another member is asked', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd({ members: 3 })
  const [first, second] = etcd.members
  await using silent = await startProxy(first?.address ?? '')
  await using single = await openEtcd(`etcd://${silent.address}`, chance)
  await using both = await openEtcd(`etcd://${silent.address},${second?.address}`, { clock: systemClock, random: () => 0 })
  await using direct = await openEtcd(etcd.url(), chance)
  assert.equal(await single.get('/a', options), undefined, 'control: it passes')
  const { revision } = await both.list('', options)
  const watching = collect(both, '/w/', revision, 2, options)
  await direct.create('/w/1', 1, options)
  silent.weather = { is: 'silent' }
  await direct.create('/w/2', 2, options)
  const began = systemClock.now()
  const [get, seen] = await Promise.all([single.get('/a', options).catch((reason: unknown) => reason), watching])
  const took = between(began, systemClock.now())
  assert.ok(get instanceof Fault && get.code === 'datastore.unreachable', String(get))
  assert.deepEqual(
    seen.map(({ key }) => key),
    ['/w/1', '/w/2'],
  )
  assert.ok(took < 12_000, `${took} ms`)
  assert.equal(await both.get('/a', options), undefined)
})

test('rule 4: a connection that is half-open from its beginning ends a watch as well, and another member is asked', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd({ members: 3 })
  const [first, second] = etcd.members
  await using deaf = await startProxy(first?.address ?? '')
  const members = `etcd://${deaf.address},${second?.address}`
  await using both = await openEtcd(members, { clock: systemClock, random: () => 0 })
  await using direct = await openEtcd(etcd.url(), chance)
  const { revision } = await both.list('', options)
  const before = deaf.connections
  // Calls have a connection by now; the watch makes one of its own.
  deaf.weather = { is: 'deaf' }
  assert.equal(await both.get('/a', options), undefined, 'control: calls pass')
  assert.equal(deaf.connections, before)
  await direct.create('/w/1', 1, options)
  const began = systemClock.now()
  assert.equal((await collect(both, '/w/', revision, 1, options)).length, 1)
  const took = between(began, systemClock.now())
  assert.ok(deaf.connections > before, 'the watch was on the deaf line')
  assert.ok(took < 20_000, `${took} ms`)
})

test('rule 5: a lease that was lost is had anew and its document put again; with its writer the document goes', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using store = await openEtcd(etcd.url('/p'), chance)
  const ending = new AbortController()
  let says = 'first'
  const living = store.whileAlive('/alive/a', () => ({ says }), { ttl: seconds(3), signal: ending.signal })
  const present = async () => (await store.get('/alive/a', options))?.document
  await until(async () => (await present()) !== undefined, wait('the document'))
  const lease = /"leases":\s*\[\{"id":(\d+)\}/.exec(await etcd.ctl('lease', 'list', '-w', 'json'))?.[1] ?? assert.fail('no lease')
  await etcd.ctl('lease', 'revoke', BigInt(lease).toString(16))
  assert.equal(await present(), undefined, 'control: without its lease it is gone')
  await until(async () => (await present()) !== undefined, wait('the document again'))
  says = 'second'
  await until(async () => JSON.stringify(await present()) === '{"says":"second"}', wait('what is new'))
  ending.abort()
  await living
  assert.equal(await present(), undefined, 'given back at the end')
  const dying = await openEtcd(etcd.url('/p'), chance)
  void dying.whileAlive('/alive/b', () => 1, { ttl: seconds(2), signal: options.signal })
  await until(async () => (await store.get('/alive/b', options)) !== undefined, wait('the second'))
  await dying[Symbol.asyncDispose]()
  await until(async () => (await store.get('/alive/b', options)) === undefined, wait('the end of the second'))
})

test('rule 6: tokens that expire disturb neither calls nor watches, a second watch included; what is revoked is told, and given back heals', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd({ flags: ['--auth-token-ttl', '2'] })
  const folder = mkdtempSync(join(tmpdir(), 'cali-auth-'))
  try {
    writeFileSync(join(folder, 'password'), 'secret\n')
    await etcd.ctl('user', 'add', 'root:top')
    await etcd.ctl('user', 'grant-role', 'root', 'root')
    await etcd.ctl('user', 'add', 'cali:secret')
    await etcd.ctl('role', 'add', 'cali')
    await etcd.ctl('role', 'grant-permission', 'cali', 'readwrite', '/p', '--prefix')
    await etcd.ctl('user', 'grant-role', 'cali', 'cali')
    await etcd.ctl('auth', 'enable')
    await using stranger = await openEtcd(etcd.url('/p'), chance)
    await assert.rejects(stranger.get('/a', options), { code: 'datastore.forbidden' })
    const url = `${etcd.url('/p')}?username=cali&passwordFile=${join(folder, 'password')}`
    await using store = await openDatastore(url, { ...chance, log: silentLog })
    assert.ok(!store.url.includes('secret') && !store.url.includes('password'))
    await using followed = follow(store, '/')
    const { revision } = await store.list('/', options)
    const first = collect(store, '/', revision, 2, options)
    await store.create('/a', 1, options)
    await systemPause(4_000)
    await store.create('/b', 1, options)
    assert.equal((await first).length, 2, 'the first watch')
    assert.equal((await collect(store, '/', revision, 2, options)).length, 2, 'a second one, with a token of another time')
    await etcd.ctl('--user', 'root:top', 'role', 'revoke-permission', 'cali', '/p', '/q')
    await assert.rejects(store.get('/a', options), { code: 'datastore.forbidden' })
    await assert.rejects(collect(store, '/', revision, 1, options), { code: 'datastore.forbidden' })
    await etcd.ctl('--user', 'root:top', 'role', 'grant-permission', 'cali', 'readwrite', '/p', '--prefix')
    await store.create('/c', 1, options)
    await until(() => followed.state.has('/c'), wait('what came after'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('rule 8: no member, then one, then none: nothing throws where nobody listens, and what can be is told', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using store = await openEtcd(etcd.url('/p'), chance)
  await using followed = follow(store, '/')
  await store.create('/a', 1, options)
  await until(() => followed.state.has('/a'), wait('the first'))
  const [member] = etcd.members
  await member?.kill()
  await until(() => followed.told.at(-1) === 'stale', wait('stale'))
  await assert.rejects(store.create('/b', 1, options), { code: 'datastore.unreachable' })
  member?.start()
  await until(() => followed.told.at(-1) === 'in-sync', wait('in-sync'))
  assert.deepEqual([...followed.state], [['/a', 1]])
})

test('TLS: members and clients know each other by certificates', { timeout: 120_000 }, async options => {
  const folder = mkdtempSync(join(tmpdir(), 'cali-tls-'))
  try {
    const { ca, cert, key } = makeCertificates(folder)
    const flags = ['--client-cert-auth', '--trusted-ca-file', ca, '--cert-file', cert, '--key-file', key]
    await using etcd = await startEtcd({ flags, tls: { ca, cert, key } })
    await using store = await openDatastore(`${etcd.url('/p')}?caCertFile=${ca}&certFile=${cert}&keyFile=${key}`, chance)
    const { revision } = await store.list('', options)
    await store.create('/a', 1, options)
    assert.equal((await collect(store, '', revision, 1, options)).length, 1)
    await using nobody = await openDatastore(`${etcd.url('/p')}?caCertFile=${ca}`, chance)
    await assert.rejects(nobody.get('/a', options), { code: 'datastore.unreachable' })
    await using plain = await openDatastore(etcd.url('/p').replace('etcds', 'etcd'), chance)
    await assert.rejects(plain.get('/a', options), { code: 'datastore.unreachable' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a key that is not JSON hides no other, neither in a list nor in a watch, and can be deleted', {
  timeout: 120_000,
}, async options => {
  await using etcd = await startEtcd()
  await using store = await openEtcd(etcd.url('/p'), chance)
  await store.create('/k/a', 1, options)
  const { revision } = await store.list('/k/', options)
  const watching = collect(store, '/k/', revision, 2, options)
  await etcd.ctl('put', '/p/k/spoilt', '{')
  await store.create('/k/z', 2, options)
  const wanted = [
    ['/k/spoilt', NOT_JSON],
    ['/k/z', 2],
  ]
  assert.deepEqual(
    (await watching).map(({ key, entry }) => [key, entry?.document]),
    wanted,
  )
  const { entries } = await store.list('/k/', options)
  assert.deepEqual(
    entries.map(({ key, document }) => [key, document]),
    [['/k/a', 1], ...wanted],
  )
  await using followed = follow(store, '/k/')
  await until(() => followed.state.size === 3, wait('the list'))
  const spoilt = await store.get('/k/spoilt', options)
  assert.equal((await store.delete('/k/spoilt', spoilt?.revision ?? '', options)).is, 'deleted')
  await until(() => followed.state.size === 2, wait('the deletion'))
})

test('documents that are too large are refused with what mends it', { timeout: 120_000 }, async options => {
  await using etcd = await startEtcd()
  await using store = await openEtcd(etcd.url(), chance)
  for (const size of [1_600_000, 3_000_000])
    await assert.rejects(store.create('/a', 'x'.repeat(size), options), {
      code: 'datastore.too-large',
      message: /max-request-bytes/,
    })
  assert.equal((await store.create('/a', 'x'.repeat(1_400_000), options)).is, 'written')
})

/** The state that `sync` tells, and what it told. */
function follow(store: Datastore, prefix: string) {
  const ending = new AbortController()
  const state = new Map<string, unknown>()
  const events: string[] = []
  const told: string[] = []
  const running = (async () => {
    for await (const event of sync(store, { prefix, signal: ending.signal, ...chance })) {
      told.push(event.is)
      if (event.is !== 'changes') continue
      for (const { key, document } of event.changes) {
        events.push(`${key} ${document === undefined ? 'gone' : String(document)}`)
        if (document === undefined) state.delete(key)
        else state.set(key, document)
      }
    }
  })()
  const end = async () => {
    ending.abort()
    await running
  }
  return { state, events, told, [Symbol.asyncDispose]: end, changed: () => [...new Set(events)] }
}

async function changeAll(store: Datastore, options: Options): Promise<void> {
  for (const key of ['/w/changes', '/w/goes', '/w/control']) {
    const entry = await store.get(key, options)
    assert.ok(entry !== undefined)
    if (key === '/w/changes') await store.update(key, 2, entry.revision, options)
    else await store.delete(key, entry.revision, options)
  }
  await store.create('/w/new', 1, options)
}

/** Tokens expire by etcd's clock, which is not ours to turn. */
async function systemPause(duration: number): Promise<void> {
  const began = systemClock.now()
  await until(() => between(began, systemClock.now()) > duration, wait('tokens to expire'))
}

function makeCertificates(folder: string) {
  const at = (name: string) => join(folder, name)
  const openssl = (...words: readonly string[]) => execFileSync('openssl', words, { stdio: 'ignore' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=test ca', '-days', '2')
  openssl('req', ...newKey, '-keyout', at('key.pem'), '-out', at('request.pem'), '-subj', '/CN=cali')
  writeFileSync(at('extensions'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n')
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('extensions')]
  openssl('x509', '-req', '-in', at('request.pem'), '-out', at('cert.pem'), ...signed)
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem') }
}
