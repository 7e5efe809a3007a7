/** Metrics and tables of a live agent: on its socket, by TCP where it is told to, and after a stranger's meddling. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { agentStatus, everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { socketOf } from '../lab/agents.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 1), {
    pool: { cidr: '10.244.0.0/16', ipip: 'Never' },
    agentFlags: ['--metrics-port', '9091'],
  })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('all that is wanted is there, and says so in metrics, in the status and to people', async () => {
  const samples = await metricsOf('a1')
  const { tables, routes } = await agentStatus('a1')
  for (const { name, wanted, actual } of tables) {
    assert.equal(actual, wanted, name)
    assert.equal(samples.get(`cali_kernel_wanted{table="${name}"}`), wanted)
    assert.equal(samples.get(`cali_kernel_actual{table="${name}"}`), actual)
  }
  assert.equal(tables.find(({ name }) => name === 'routes')?.wanted, routes.length)
  assert.equal(samples.get('cali_bgp_sessions{state="established"}'), 1)
  assert.equal(samples.get('cali_datastore_in_sync'), 1)
  assert.equal(samples.get('cali_cni_request_duration_seconds_count{command="add",code="0"}'), 1)
  assert.ok((samples.get('cali_plan_duration_seconds_count') ?? 0) > 0)
  assert.ok((samples.get('cali_apply_duration_seconds_sum') ?? 0) > 0)
  assert.match((await lab.calictl(['node', 'status', 'a1'])).stdout, /NODE +TABLE +WANTED +ACTUAL +STALE +REPAIRS\na1 +links/)
})

test('a route that a stranger takes is a repair of its table; P0: none before', async () => {
  const repairs = async () => (await metricsOf('a1')).get('cali_kernel_repairs_total{table="routes"}')
  assert.equal(await repairs(), 0, 'P0')
  await must(lab, 'a1', 'ip', 'route', 'del', lab.pod('a1-p1').address)
  await until(async () => (await repairs()) === 1, { clock: lab.clock, what: 'the repair to be counted' })
  assert.match((await agentStatus('a1')).repairs.last[0]?.object ?? '', new RegExp(`^route ${lab.pod('a1-p1').address}/32`))
})

test('by TCP the same', async () => {
  const script = "fetch('http://127.0.0.1:9091/metrics').then(answer => answer.text()).then(text => process.stdout.write(text))"
  assert.match(await must(lab, 'a1', process.execPath, '-e', script), /^cali_info{node="a1",version="[^"]+"} 1$/m)
})

async function metricsOf(node: string): Promise<Map<string, number>> {
  const body = await new Promise<string>((resolve, reject) => {
    const asked = request({ socketPath: socketOf(node), path: '/metrics' }, response => void text(response).then(resolve, reject))
    asked.on('error', reject).end()
  })
  const lines = body.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}
