import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AgentStatus } from '@network/model/status.ts'
import { METRICS, metricsPage } from './metric-list.ts'
import { Metrics } from './metrics.ts'
import { METRICS_TYPE, openMetricsServer } from './metrics-server.ts'

const quiet = () => undefined
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet }

test('the reference lists every metric as it is', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/reference/metrics.md'), 'utf8')
  assert.equal(page, metricsPage(), 'write the page anew: node agent/serve/metrics-page.ts >docs/reference/metrics.md')
})

test('every metric is told, and with the values of the status', async () => {
  const metrics = new Metrics()
  metrics.observe('cni', 12, { command: 'add', code: 0 })
  const first = samplesIn(await metrics.text({ status: STATUS, addresses: 64, staleSeconds: 7 }))
  for (const { name, type } of Object.values(METRICS))
    assert.ok(
      [...first.keys()].some(key => key.startsWith(type === 'histogram' ? `${name}_count` : name)),
      name,
    )
  const expected: Readonly<Record<string, number>> = {
    'cali_info{node="a1",version="0.1.0"}': 1,
    'cali_kernel_wanted{table="routes"}': 5,
    'cali_kernel_actual{table="routes"}': 4,
    'cali_kernel_stale{table="routes"}': 1,
    'cali_kernel_repairs_total{table="routes"}': 3,
    'cali_routes{kind="remote",state="installed"}': 1,
    'cali_bgp_sessions{state="established"}': 1,
    'cali_bgp_prefixes{peer="a2",kind="accepted"}': 2,
    'cali_firewall_dropped_packets_total{reason="forged-vxlan"}': 9,
    cali_datastore_stale_seconds: 7,
    cali_datastore_unwritten_endpoints: 2,
    cali_ipam_addresses: 64,
    'cali_cni_request_duration_seconds_count{command="add",code="0"}': 1,
    'cali_cni_request_duration_seconds_sum{command="add",code="0"}': 0.012,
    'cali_cni_request_duration_seconds_bucket{le="0.025",command="add",code="0"}': 1,
    'cali_cni_request_duration_seconds_bucket{le="0.01",command="add",code="0"}': 0,
  }
  for (const [key, value] of Object.entries(expected)) assert.equal(first.get(key), value, key)
})

test('what is no more is not told again, and times go on from before and after the first question', async () => {
  const metrics = new Metrics()
  metrics.observe('plan', 1)
  await metrics.text({ status: STATUS, addresses: 64, staleSeconds: 0 })
  metrics.observe('plan', 1)
  const status = { ...STATUS, bgp: { ...STATUS.bgp, peers: [] } }
  const again = samplesIn(await metrics.text({ status, addresses: 64, staleSeconds: 0 }))
  assert.equal(again.get('cali_plan_duration_seconds_count'), 2)
  assert.deepEqual(
    [...again.keys()].filter(key => key.startsWith('cali_bgp_prefixes')),
    [],
  )
})

test('by TCP: /metrics and nothing else; a port that is taken is a sentence', async () => {
  await using server = await openMetricsServer(0, async () => 'cali_x 1\n', LOG)
  const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`)
  assert.deepEqual([answer.status, answer.headers.get('content-type'), await answer.text()], [200, METRICS_TYPE, 'cali_x 1\n'])
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/status`)).status, 404)
  await assert.rejects(
    openMetricsServer(server.port, async () => '', LOG),
    /offer metrics on port \d+: .*EADDRINUSE.*--metrics-port/,
  )
})

test('many who ask at once cost one answer, and more connections than are taken cost nothing', async () => {
  let texts = 0
  const text = Promise.withResolvers<string>()
  const tell = () => {
    texts++
    return text.promise
  }
  await using server = await openMetricsServer(0, tell, LOG)
  const url = `http://127.0.0.1:${server.port}/metrics`
  const answers = Array.from({ length: 200 }, async () => (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text())
  const outcomes = Promise.allSettled(answers)
  const refused = Promise.any(
    answers.map(answer =>
      answer.then(
        () => Promise.reject(new Error('answered')),
        () => true,
      ),
    ),
  )
  assert.ok(await refused, 'somebody is refused while the others wait')
  text.resolve('cali_x 1\n')
  const got = (await outcomes).filter(({ status }) => status === 'fulfilled')
  assert.ok(got.length > 0 && got.length <= 64, `${got.length} answered`)
  assert.equal(texts, 1)
  assert.equal(await (await fetch(url)).text(), 'cali_x 1\n')
  assert.equal(texts, 2)
})

function samplesIn(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

const STATUS: AgentStatus = {
  node: 'a1',
  id: 'one',
  version: '0.1.0',
  pid: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  address: '172.16.20.11/24',
  addressFrom: '--node-ip',
  asn: 64512,
  datastore: { url: 'sqlite:/x', state: 'stale', since: '2026-01-01T00:00:00.000Z', error: null },
  books: { unwritten: 2, notices: [] },
  ipip: { supported: true, reason: null, device: null },
  vxlan: { supported: true, reason: null, device: null },
  pools: [],
  firewall: { active: true, reason: null, dropped: { forgedIpip: 0, forgedVxlan: 9, spoofedSource: 0 } },
  bgp: {
    routerId: '172.16.20.11',
    asn: 64512,
    listen: '',
    originated: ['10.244.0.0/26'],
    settled: true,
    peers: [
      {
        address: '172.16.20.12',
        name: 'a2',
        asn: 64512,
        type: 'mesh',
        state: 'established',
        since: '2026-01-01T00:00:00.000Z',
        received: 3,
        accepted: 2,
        advertised: 1,
        stale: 0,
        flaps: 0,
        lastError: null,
      },
    ],
  },
  routes: [
    {
      destination: '10.244.1.0/26',
      kind: 'remote',
      carriage: 'plain',
      gateway: '172.16.20.12',
      device: 'eth0',
      node: 'a2',
      text: '',
      why: '',
      state: 'installed',
      problem: null,
    },
  ],
  workloads: [],
  tables: [{ name: 'routes', wanted: 5, actual: 4, stale: 1, repairs: 3 }],
  repairs: { count: 3, last: [] },
  problems: [],
  converged: false,
}
