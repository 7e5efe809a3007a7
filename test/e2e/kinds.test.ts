/** Every kind of resource, created, looked at, applied, patched and deleted by real calictl processes, as table, JSON and YAML. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { LAUNCHER, type Launched, runProcess } from '@network/calictl/testing/launch.ts'
import { KINDS, kindOfDocument } from '@network/model/resources/kinds.ts'
import { isRecord } from '@network/model/schema/field.ts'
import { parse, parseAllDocuments, stringify } from 'yaml'

const RULES = { ingress: [{ action: 'Allow', protocol: 'TCP' }] }

/** One of each kind that people write: its spec, what apply changes of it, and what patch does then. */
const SPECS: Readonly<
  Record<string, { readonly name?: string; readonly spec: object; readonly apply: object; readonly patch: object }>
> = {
  AgentConfiguration: { spec: { vxlanPort: 4790 }, apply: { vxlanPort: 4791 }, patch: { vxlanPort: 4792 } },
  IPAMConfiguration: { spec: { maxBlocksPerHost: 1 }, apply: { maxBlocksPerHost: 2 }, patch: { maxBlocksPerHost: 3 } },
  IPReservation: {
    name: 'one',
    spec: { reservedCIDRs: ['10.1.0.0/30'] },
    apply: { reservedCIDRs: ['10.1.0.0/29'] },
    patch: { reservedCIDRs: ['10.1.0.0/28'] },
  },
  IPPool: {
    name: 'one',
    spec: { cidr: '10.1.0.0/16' },
    apply: { cidr: '10.1.0.0/16', natOutgoing: true },
    patch: { disabled: true },
  },
  Node: {
    name: 'one',
    spec: { nodeId: 'm1', bgp: { ipv4Address: '172.16.20.11/24' } },
    apply: { nodeId: 'm1', bgp: { ipv4Address: '172.16.20.12/24' } },
    patch: { bgp: { asNumber: 64600 } },
  },
  BGPConfiguration: { spec: { asNumber: 64601 }, apply: { asNumber: 64602 }, patch: { listenPort: 1179 } },
  BGPFilter: {
    name: 'one',
    spec: { exportV4: [{ action: 'Reject' }] },
    apply: { exportV4: [{ action: 'Accept' }] },
    patch: { importV4: [{ action: 'Reject' }] },
  },
  BGPPeer: {
    name: 'one',
    spec: { peerIP: '192.0.2.1', asNumber: 64601, filters: ['one'] },
    apply: { peerIP: '192.0.2.2', asNumber: 64601, filters: ['one'] },
    patch: { asNumber: 64602 },
  },
  Tier: { name: 'one', spec: { order: 10 }, apply: { order: 20 }, patch: { order: 30 } },
  GlobalNetworkSet: { name: 'one', spec: { nets: ['192.0.2.0/24'] }, apply: { nets: ['192.0.2.0/25'] }, patch: { nets: [] } },
  NetworkSet: { name: 'one', spec: { nets: ['192.0.2.0/24'] }, apply: { nets: ['192.0.2.0/25'] }, patch: { nets: [] } },
  HostEndpoint: {
    name: 'one',
    spec: { node: 'one', interfaceName: 'eth0' },
    apply: { node: 'one', interfaceName: 'eth1' },
    patch: { interfaceName: 'eth2' },
  },
  GlobalNetworkPolicy: { name: 'one', spec: { order: 1, ...RULES }, apply: { order: 2, ...RULES }, patch: { order: 3 } },
  NetworkPolicy: { name: 'one', spec: { order: 1, ...RULES }, apply: { order: 2, ...RULES }, patch: { order: 3 } },
  NodeStatus: {
    name: 'one',
    spec: { node: 'one', updatePeriodSeconds: 1 },
    apply: { node: 'one', updatePeriodSeconds: 2 },
    patch: { updatePeriodSeconds: 3 },
  },
}

const WRITABLE = KINDS.filter(({ writtenBy }) => writtenBy !== 'agents')
const FORMATS = ['table', 'json', 'yaml'] as const
let directory = ''

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'calictl-kinds-'))
})
after(() => rm(directory, { recursive: true }))

function calictl(store: string, ...argv: readonly string[]): Promise<Launched> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: directory, CALI_DATASTORE: `sqlite:${directory}/${store}.db` }
  return runProcess(LAUNCHER, ['--run-dir', directory, ...argv], env)
}

async function fileOf(name: string, which: 'spec' | 'apply'): Promise<string> {
  const path = join(directory, `${name}-${which}.yaml`)
  const documents = Object.entries(SPECS).map(([kind, of]) => ({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name: of.name ?? 'default' },
    spec: of[which],
  }))
  await writeFile(path, documents.map(document => `---\n${stringify(document)}`).join(''))
  return path
}

/** The resources in an answer, by kind; of tables, the kinds of the lines. */
function kindsIn(format: (typeof FORMATS)[number], out: string): readonly string[] {
  if (format === 'table')
    return out.split('\n').flatMap(line => KINDS.find(({ kind }) => line.startsWith(`${kind.toLowerCase()}/`))?.kind ?? [])
  const answer: unknown = format === 'json' ? JSON.parse(out) : parse(out)
  assert.ok(isRecord(answer))
  const items: readonly unknown[] = Array.isArray(answer['items']) ? answer['items'] : [answer]
  return items.map(item => (isRecord(item) ? `${item['kind']}` : ''))
}

function allKinds(format: (typeof FORMATS)[number], { exit, out, err }: Launched): void {
  assert.equal(exit, 0, err)
  assert.deepEqual(kindsIn(format, out).toSorted(), WRITABLE.map(({ kind }) => kind).toSorted())
}

test('there is one of every kind that people write', () => {
  assert.deepEqual(Object.keys(SPECS).toSorted(), WRITABLE.map(({ kind }) => kind).toSorted())
})

for (const format of FORMATS)
  test(`every kind, as ${format}: create, get, apply, patch, delete`, async t => {
    const [first, second] = await Promise.all([fileOf(format, 'spec'), fileOf(format, 'apply')])
    const plurals = WRITABLE.map(({ plural }) => plural).join(',')
    await t.test('create', async () => allKinds(format, await calictl(format, 'create', '-f', first, '-o', format)))
    await t.test('create again is refused, every resource named, and nothing is changed', async () => {
      const { exit, out, err } = await calictl(format, 'create', '-f', first, '-o', format)
      assert.deepEqual([exit, out], [4, ''])
      assert.equal(err.match(/already: apply or replace changes it/g)?.length, WRITABLE.length, err)
    })
    await t.test('get', async () => allKinds(format, await calictl(format, 'get', plurals, '-o', format)))
    await t.test('apply', async () => allKinds(format, await calictl(format, 'apply', '-f', second, '-o', format)))
    for (const [kind, { name = 'default', patch }] of Object.entries(SPECS))
      await t.test(`patch ${kind}`, async () => {
        const body = JSON.stringify({ spec: patch })
        const { exit, out, err } = await calictl(format, 'patch', kind, name, '-p', body, '-o', format)
        assert.equal(exit, 0, err)
        assert.deepEqual(kindsIn(format, out), [kind])
        if (format === 'table') assert.match(out, / patched\n {2}spec\.\S+: .* -> /)
        else assert.partialDeepStrictEqual(format === 'json' ? JSON.parse(out) : parse(out), { spec: patch })
      })
    await t.test('delete', async () => allKinds(format, await calictl(format, 'delete', '-f', second, '-o', format)))
    await t.test('nothing is left', async () => {
      const { exit, out } = await calictl(format, 'get', plurals, '-o', 'name')
      assert.deepEqual([exit, out], [0, ''])
    })
  })

test('kinds that agents write are shown, and refused from people, each with its mend', async () => {
  const path = join(import.meta.dirname, '..', 'documents', 'good', 'agents-write.yaml')
  const kinds = parseAllDocuments(readFileSync(path, 'utf8'))
    .map(document => kindOfDocument(String(document.get('kind'))))
    .flatMap(kind => (kind?.writtenBy === 'agents' ? [kind] : []))
  assert.deepEqual(
    kinds.map(({ kind }) => kind).toSorted(),
    KINDS.filter(({ writtenBy }) => writtenBy === 'agents')
      .map(({ kind }) => kind)
      .toSorted(),
  )
  for (const verb of ['create', 'apply']) {
    const { exit, out, err } = await calictl('agents', verb, '-f', path)
    assert.deepEqual([exit, out], [4, ''])
    for (const { plural } of kinds) assert.match(err, new RegExp(`agents write ${plural}, people look at them: .+`))
  }
  for (const format of FORMATS)
    assert.equal((await calictl('agents', 'get', kinds.map(({ plural }) => plural).join(','), '-A', '-o', format)).exit, 0)
})

const BAD = join(import.meta.dirname, '..', 'documents', 'bad')
const FILES = readdirSync(BAD).filter(name => name.endsWith('.yaml'))

test('bad documents are refused by apply with the sentences beside them, all at once, and nothing is stored', async t => {
  assert.ok(FILES.length >= 100)
  const { exit, out, err } = await calictl('bad', 'apply', '-f', BAD)
  assert.deepEqual([exit, out], [2, ''])
  const lines = new Set(err.split('\n'))
  for (const name of FILES)
    await t.test(name, () => {
      const told = readFileSync(join(BAD, name.replace(/yaml$/, 'txt')), 'utf8')
        .trimEnd()
        .split('\n')
      for (const line of told) assert.ok(lines.has(line.replace(name, join(BAD, name))), `${line}\nis not in\n${err}`)
    })
  assert.match(err, /problems in \d+ documents, told above; mend them and try again; nothing was changed\n$/)
  assert.equal((await calictl('bad', 'get', 'ippools', '-o', 'name')).exit, 5)
})

// Each alone is refused as well: a good neighbour does not hide it, and it does not hide behind a bad one.
for (const name of FILES.filter((_, at) => at % 15 === 0))
  test(`${name} alone is refused`, async () => {
    const { exit, out, err } = await calictl('bad', 'apply', '-f', join(BAD, name))
    assert.deepEqual([exit, out], [2, ''])
    const told = readFileSync(join(BAD, name.replace(/yaml$/, 'txt')), 'utf8').replaceAll(name, join(BAD, name))
    assert.ok(err.includes(told), err)
  })
