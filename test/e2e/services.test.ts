/** Services as others (kube-proxy) make them, by iptables and by nftables: pods and nodes reach the pods behind, and the wire knows no service. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { capture } from '../lab/capture.ts'
import { innermost } from '../lab/frame.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { must } from './frozen.ts'

const SERVICE = '10.96.0.10'
const PORT = 8080
const REQUESTS = 100
const BACKENDS = ['a2-p1', 'b1-p1']
const SERVER = `require('node:http').createServer((_, answer) => answer.end(process.argv[1])).listen(${PORT}, '0.0.0.0')`
/** Prints the status and the body of each answer, every request on a connection of its own. */
const CLIENT = `
const { get } = require('node:http')
const ask = () => new Promise((resolve, reject) => get({ host: '${SERVICE}', agent: false, timeout: 5000 }, answer => {
  let text = ''
  answer.on('data', part => { text += part }).on('end', () => resolve(answer.statusCode + ' ' + text))
}).on('error', reject).on('timeout', () => reject(new Error('timeout'))))
const all = async () => { for (let at = 0; at < ${REQUESTS}; at++) console.log(await ask()) }
all().catch(reason => { console.error(String(reason)); process.exit(1) })`

let lab: Lab
before(async () => {
  lab = await createLab(topology(2, 2, 1), { rpFilter: 1, pool: { cidr: '10.244.0.0/16', ipip: 'Never', vxlan: 'Always' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
  for (const pod of BACKENDS) {
    lab.spawnIn(pod, [process.execPath, '-e', SERVER, pod])
    await until(async () => (await must(lab, pod, 'ss', '-ltn')).includes(`:${PORT} `), {
      clock: lab.clock,
      what: `the server in ${pod}`,
    })
  }
})
after(() => lab[Symbol.asyncDispose]())

test('P0: without anybody to translate it, the service is not there', async () => {
  const { exitCode } = await lab.exec('a1-p1', [process.execPath, '-e', CLIENT])
  assert.equal(exitCode, 1)
})

const addressesOf = () => BACKENDS.map(pod => lab.pod(pod).address)

const PROXIES: readonly (readonly [kind: string, install: () => string, remove: string])[] = [
  [
    'iptables',
    () =>
      ['PREROUTING', 'OUTPUT']
        .flatMap(chain => {
          const [first, second] = addressesOf().map(address => `-j DNAT --to-destination ${address}:${PORT}`)
          const rule = `iptables -t nat -A ${chain} -d ${SERVICE}/32 -p tcp --dport 80`
          return [`${rule} -m statistic --mode nth --every 2 --packet 0 ${first}`, `${rule} ${second}`]
        })
        .join('\n'),
    'iptables -t nat -F PREROUTING; iptables -t nat -F OUTPUT',
  ],
  [
    'nftables',
    () => {
      const [first, second] = addressesOf()
      const rule = `ip daddr ${SERVICE} tcp dport 80 dnat to numgen inc mod 2 map { 0 : ${first}, 1 : ${second} } : ${PORT}`
      const chain = (hook: string) => `chain ${hook} { type nat hook ${hook} priority -100; ${rule}; };`
      return `nft 'table ip proxy { ${chain('prerouting')} ${chain('output')} }'`
    },
    'nft delete table ip proxy',
  ],
]

for (const [kind, install, remove] of PROXIES)
  test(`M78, P3, P4: services by ${kind}: ${REQUESTS} answers from pod and from node, from both pods behind; on the wire real pods in VXLAN, no service`, async () => {
    for (const { name } of lab.nodes) await must(lab, name, 'sh', '-ec', install())
    for (const client of ['a1-p1', 'a1']) {
      await using wire = await capture(lab, 'a1:eth0', {
        filter: ({ ip }) => ip !== undefined && innermost(ip).payload.is === 'tcp',
      })
      const { stdout, stderr, exitCode } = await lab.exec(client, [process.execPath, '-e', CLIENT])
      assert.equal(exitCode, 0, stderr)
      const answers = stdout.trim().split('\n')
      const from = Map.groupBy(answers, line => line)
      assert.deepEqual(
        [...from.keys()].sort(),
        BACKENDS.map(pod => `200 ${pod}`),
      )
      assert.equal(answers.length, REQUESTS)
      const sent = (await wire.stop()).flatMap(({ ip }) => {
        const inner = ip === undefined ? undefined : innermost(ip)
        return inner?.payload.is === 'tcp' && inner.payload.destinationPort === PORT && ip !== undefined ? [{ ip, inner }] : []
      })
      assert.deepEqual([...new Set(sent.map(({ inner }) => inner.destination))].sort(), addressesOf().sort())
      assert.deepEqual([...new Set(sent.map(({ ip }) => ip.payload.is))], ['vxlan'])
      const source = client === 'a1' ? lab.node('a1').address : lab.pod(client).address
      assert.deepEqual([...new Set(sent.map(({ inner }) => inner.source))], [source])
    }
    for (const { name } of lab.nodes) await must(lab, name, 'sh', '-c', remove)
  })
