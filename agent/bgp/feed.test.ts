import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster, routes } from '@network/bgp/testing/cluster.ts'
import { Feed } from './feed.ts'

test('is heard when blocks come and go, not when sessions do', async () => {
  const cluster = new Cluster()
  const [self, peer] = [await cluster.member('192.0.2.1'), await cluster.member('192.0.2.2')]
  const feed = new Feed(self.speaker)
  let heard = 0
  feed.onLearned(() => heard++)
  const news = () => {
    const before = heard
    cluster.run(60)
    return heard - before
  }
  cluster.mesh(self, peer)
  assert.equal(news(), 0)
  const states = self.changes.flatMap(change => (change.is === 'peer' ? [change.state] : []))
  assert.ok(states.includes('established'), `the session changed its state: ${states}`)

  peer.speaker.originate(routes('10.244.0.64/26'))
  assert.equal(news(), 1)
  assert.equal(feed.learned().length, 1)
  peer.speaker.originate(routes())
  assert.equal(news(), 1)
  assert.deepEqual(feed.learned(), [])
})
