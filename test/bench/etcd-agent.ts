/** The agent itself, by the launcher that people use, on a machine that is node enough: one interface, and etcd beside it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { agentStatus } from '../lab/agent-status.ts'
import { PROJECT, RUN_DIR } from '../lab/paths.ts'
import { until } from '../lab/until.ts'
import { run } from './programs.ts'

const NODE = { name: 'bench', address: '172.31.255.1', device: 'bench0', otherEnd: 'bench1' }
const LATEST = millis(60_000)

export interface FirstSync {
  /** Milliseconds from its start to a snapshot that is whole, and to a kernel that is as it should be. */
  readonly inSync: number
  readonly content: number
  /** MB, resident then. */
  readonly memory: number
}

/** Starts an agent on a datastore that other nodes filled, and ends it once it is content. */
export async function firstSync(datastore: string): Promise<FirstSync> {
  await using ending = new AsyncDisposableStack()
  run('ip', ['link', 'add', NODE.device, 'type', 'veth', 'peer', 'name', NODE.otherEnd])
  ending.defer(() => void run('ip', ['link', 'delete', NODE.device]))
  mkdirSync(RUN_DIR, { recursive: true })
  ending.defer(() => rmSync(join(RUN_DIR, `${NODE.name}.copy.json`), { force: true }))
  const logFile = join(RUN_DIR, 'bench-agent.log')
  const log = openSync(logFile, 'w')
  run('ip', ['address', 'add', `${NODE.address}/24`, 'dev', NODE.device])
  for (const end of [NODE.device, NODE.otherEnd]) run('ip', ['link', 'set', end, 'up'])
  const flags = ['--node-name', NODE.name, '--node-id', 'machine', '--node-ip', NODE.address, '--run-dir', RUN_DIR]
  const [began, beganAt] = [systemClock.now(), systemClock.wall().getTime()]
  const agent = spawn(join(PROJECT, 'agent', 'cali-agent'), [...flags, '--datastore', datastore], {
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  ending.defer(async () => {
    const ended = once(agent, 'exit')
    agent.kill()
    await ended
  })
  const instead = () => readFileSync(logFile, 'utf8').split('\n').slice(-5).join('\n')
  const wait = { clock: systemClock, within: LATEST, every: millis(50), instead }
  const { datastore: synced } = await until(
    () =>
      agentStatus(NODE.name).then(
        status => status.converged && status,
        () => false as const,
      ),
    { ...wait, what: 'the agent to be content' },
  )
  const content = between(began, systemClock.now())
  const memory = residentMb(agent.pid)
  return { inSync: Date.parse(synced.since) - beganAt, content, memory }
}

function residentMb(pid: number | undefined): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1e6
}
