/** What agents tell of themselves is in the datastore: without their sockets, and gone or old when they are. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { millis } from '@network/base/time/units.ts'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { createLab, type Lab } from '../lab/lab.ts'
import { topology } from '../lab/topology.ts'
import { until } from '../lab/until.ts'
import { apply, documentAt } from './resources.ts'

let lab: Lab
before(async () => {
  lab = await createLab(topology(1, 2, 1), { pool: { cidr: '10.244.0.0/16', ipip: 'Never' } })
  await everyAgent(lab, 'the whole mesh', meshIsUp(lab))
})
after(() => lab[Symbol.asyncDispose]())

test('each node’s status is a document, written again only when it changed', { timeout: 60_000 }, async () => {
  const ready = await said('a1', /"state":"Ready".*"numberEstablishedV4":1/)
  await lab.agents.kill('a2')
  const alone = await said('a1', /"numberEstablishedV4":0,"numberNotEstablishedV4":1/)
  assert.notEqual(updated(ready), updated(alone))
  await lab.agents.start('a2')
  const again = await said('a1', /"state":"Ready".*"numberEstablishedV4":1/)
  const other = updated(await said('a2', /"numberEstablishedV4":1/))
  await apply(`
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: { name: nobody }
spec: { node: a1, peerIP: 172.16.20.77, asNumber: 65001, ttlSecurity: 1 }
`)
  const told = await said('a1', /BGPPeer nobody: ttlSecurity cannot be used yet; there is no session/)
  assert.notEqual(updated(again), updated(told))
  assert.equal(updated(JSON.stringify(await documentAt('/cali/aside/v1/nodestatuses/a2'))), other, 'a2 has nothing new to say')
})

function said(node: string, what: RegExp): Promise<string> {
  let seen = ''
  return until(
    async () => {
      seen = JSON.stringify(await documentAt(`/cali/aside/v1/nodestatuses/${node}`)) ?? ''
      return what.test(seen) ? seen : undefined
    },
    { clock: lab.clock, what: `${node} to tell ${what}`, every: millis(200), instead: () => seen },
  )
}

function updated(text: string): string | undefined {
  return /"lastUpdated":"([^"]+)"/.exec(text)?.[1]
}
