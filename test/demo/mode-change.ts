/** Changes the pool's mode under two streams of pings and counts what was lost. */

import { sleep } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { IpipMode } from '@network/model/resources/ip-pool.ts'
import { agentStatus, everyAgent } from '../lab/agent-status.ts'
import type { Lab } from '../lab/lab.ts'
import { type FloodResult, flood, ping } from '../lab/ping.ts'
import type { Cast } from './cast.ts'
import { expect, type Show } from './step.ts'

export interface ModeChange {
  readonly to: IpipMode
  /** Of the stream across racks; the stream inside the rack never loses anything. */
  readonly farLoss: 'none' | 'all' | 'until-changed'
}

/** How long the streams go on before and after the change. */
const AROUND = millis(1500)
const INTERVAL = millis(20)

export async function changeMode({ lab, here, near, far }: Cast, change: ModeChange, show: Show): Promise<void> {
  const before = await blockRoutes(lab, here.node)
  const inRack = flood(lab, here.name, near.address, { interval: INTERVAL })
  const across = flood(lab, here.name, far.address, { interval: INTERVAL })
  await inRack.flowing(10)
  if (change.farLoss !== 'until-changed') await across.flowing(10)
  await pause(lab)
  const answer = await lab.calictl(['ippool', 'set', 'default', '--ipip', change.to])
  // 7: stored, and an agent of a busy machine was late to say so; that all act on it is waited for next.
  expect(
    answer.exitCode === 0 || answer.exitCode === 7,
    `calictl ippool set default --ipip ${change.to} to succeed`,
    answer.stderr,
    'calictl ippool get',
  )
  await everyAgent(
    lab,
    `mode ${change.to} on every node`,
    status => status.converged && status.pools.every(pool => pool.ipipMode === change.to),
  )
  await pause(lab)
  const [nearLost, farLost] = await Promise.all([inRack.stop(), across.stop()])

  show(`calictl ippool set default --ipip ${change.to}`)
  for (const line of [...answer.stdout.split('\n'), ...answer.stderr.split('\n')].filter(text => text !== '')) show(`    ${line}`)
  const after = await blockRoutes(lab, here.node)
  for (const [block, route] of after)
    if (before.get(block) !== route)
      show(`  ${here.node}: ${before.get(block)}  =>  ${route}`, {
        node: here.node,
        block,
        before: before.get(block),
        after: route,
      })
  show(`  lost in the rack ${lossOf(nearLost)}, across racks ${lossOf(farLost)}`, {
    mode: change.to,
    inRack: { sent: nearLost.sent, lost: nearLost.lostSequences.length },
    across: { sent: farLost.sent, lost: farLost.lostSequences.length },
  })
  expect(
    nearLost.lostSequences.length === 0,
    'no packet lost inside the rack',
    `lost ${nearLost.lostSequences.join(', ')}`,
    `/run/cali/log/${here.node}.log`,
  )
  await judge({ lab, here, near, far }, change, farLost, show)
}

async function judge({ lab, here, far }: Cast, { to, farLoss }: ModeChange, result: FloodResult, show: Show): Promise<void> {
  if (farLoss === 'none') {
    expect(
      result.lostSequences.length === 0,
      'no packet lost across racks',
      `lost ${result.lostSequences.join(', ')}`,
      `/run/cali/log/${here.node}.log`,
    )
    return
  }
  const now = await ping(lab, here.name, far.address)
  if (farLoss === 'until-changed') {
    expect(
      now.received === now.sent,
      `${now.sent} replies across racks in mode ${to}`,
      `${now.received}`,
      `/run/cali/log/${here.node}.log`,
    )
    return
  }
  expect(
    now.received === 0,
    'nothing to pass across racks: the router does not know the pods',
    `${now.received} replies`,
    'ip route of the router',
  )
  const { problems } = await agentStatus(here.node)
  const said = problems.find(problem => problem.includes('which must know this block'))
  expect(said !== undefined, 'Cali to say why nothing passes', problems.join('; ') || 'no problems', 'calictl node status')
  show(`  ${here.node} says: ${said}`, { node: here.node, problems })
}

/** Block and route as text, by block. */
async function blockRoutes(lab: Lab, node: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await lab.exec(node, ['ip', 'route', 'show', 'proto', '80'])
  const remote = stdout
    .split('\n')
    .map(line => line.trim())
    .filter(line => line.includes(' via '))
  return new Map(remote.map(line => [line.slice(0, line.indexOf(' ')), line]))
}

function lossOf({ sent, lostSequences }: FloodResult): string {
  return `${lostSequences.length} of ${sent}`
}

function pause(lab: Lab): Promise<void> {
  return sleep(lab.clock, AROUND, new AbortController().signal)
}
