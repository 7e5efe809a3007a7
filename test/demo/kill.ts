/** Kills an agent without warning, leaves it dead for five seconds under traffic, starts it again. */

import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { listenToKernel } from '../e2e/listen.ts'
import { everyAgent, meshIsUp } from '../lab/agent-status.ts'
import { flood } from '../lab/ping.ts'
import type { Cast } from './cast.ts'
import { expect, type Show } from './step.ts'

const AWAY = millis(5000)
const INTERVAL = millis(20)

export async function killAgent({ lab, here, near, far }: Cast, show: Show): Promise<void> {
  const node = here.node
  const others = lab.nodes.map(({ name }) => name).filter(name => name !== node)
  const streams = [
    flood(lab, here.name, near.address, { interval: INTERVAL }),
    flood(lab, far.name, here.address, { interval: INTERVAL }),
  ]
  await Promise.all(streams.map(stream => stream.flowing(10)))
  await using kernel = await listenToKernel(lab, node)
  const routes = await ourRoutes()

  await lab.agents.kill(node, 'SIGKILL')
  show(`kill -9 of the agent of ${node}`)
  await everyAgent(
    lab,
    'the others to keep its routes as stale',
    status => status.bgp.peers.some(peer => peer.name === node && peer.stale > 0),
    { nodes: others },
  )
  show(`  ${others.join(', ')} keep its routes as stale (graceful restart)`)
  await sleep(lab.clock, AWAY, new AbortController().signal)
  expect((await ourRoutes()) === routes, 'its routes to stay while it is dead', await ourRoutes(), `ip route of ${node}`)
  await lab.agents.start(node)
  await everyAgent(
    lab,
    'the mesh to be whole again',
    status => meshIsUp(lab)(status) && status.bgp.settled && status.bgp.peers.every(({ stale }) => stale === 0),
  )
  await sleep(lab.clock, millis(500), new AbortController().signal)
  const results = await Promise.all(streams.map(stream => stream.stop()))
  const heard = kernel.heard()

  const lost = results.map(({ lostSequences }) => lostSequences.length)
  show(`  lost: in the rack ${lost[0]} of ${results[0]?.sent}, across racks ${lost[1]} of ${results[1]?.sent}`, {
    inRack: { sent: results[0]?.sent, lost: lost[0] },
    across: { sent: results[1]?.sent, lost: lost[1] },
  })
  expect(
    lost.every(count => count === 0),
    'no packet lost',
    `lost ${lost.join(' and ')}`,
    `/run/cali/log/${node}.log`,
  )
  expect(
    heard.length === 0,
    'the agent to come back and change nothing in the kernel',
    heard.join('; '),
    `/run/cali/log/${node}.log`,
  )
  expect((await ourRoutes()) === routes, 'the same routes as before', await ourRoutes(), `ip route of ${node}`)
  show(`  the agent of ${node} came back; the kernel heard of no change to routes, links or addresses`)

  async function ourRoutes(): Promise<string> {
    return (await lab.exec(node, ['ip', 'route', 'show', 'proto', '80'])).stdout
  }
}
