/** The agents of a lab: one real process a node, in the node's network namespace. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { type Millis, millis } from '@network/base/time/units.ts'
import { daemonIn, ENVIRONMENT } from './command.ts'
import { program, RUN_DIR } from './paths.ts'
import type { NodePlan } from './topology.ts'
import { until } from './until.ts'

export interface Agents {
  /** Starts the node's agent; resolves when its socket answers. */
  start(node: string): Promise<void>
  /** Sends the signal (SIGTERM unless told) and resolves when the process is gone. */
  kill(node: string, signal?: AgentSignal): Promise<void>
  restart(node: string): Promise<void>
  /** Undefined while it does not run. */
  pid(node: string): number | undefined
  /** All that it ever logged. */
  log(node: string): string
}

export type AgentSignal = 'SIGTERM' | 'SIGKILL' | 'SIGINT'

/** The virtual machine starts four at once on an emulated processor, and others may be at work beside it. */
const READY_WITHIN = millis(180_000)
const GONE_WITHIN = millis(20_000)
const TAIL_LINES = 15

/** A process, until it is known to be gone. */
interface Running {
  readonly pid: number
  end: string | undefined
}

/** Agents as processes that outlive whoever started them: the process namespace of the lab ends them. */
export function processAgents(nodes: readonly NodePlan[], clock: Clock, more: readonly string[] = []): Agents {
  const running = new Map<string, Running>()
  const agents: Agents = {
    async start(name) {
      const node = nodes.find(each => each.name === name)
      if (node === undefined) throw notANode(name, nodes)
      if (agents.pid(name) !== undefined) throw alreadyRuns(name)
      const started = launch(node, more)
      running.set(name, started)
      await until(() => started.end !== undefined || answers(socketOf(name)), {
        clock,
        what: `the agent of ${name}`,
        within: READY_WITHIN,
        instead: () => `its socket ${socketOf(name)} does not answer; ${tailOf(name)}`,
      })
      if (started.end !== undefined) throw diedEarly(name, started.end)
    },
    async kill(name, signal = 'SIGTERM') {
      const target = running.get(name)
      if (target === undefined || target.end !== undefined) return
      process.kill(target.pid, signal)
      await goneWithin(clock, name, target, GONE_WITHIN)
    },
    async restart(name) {
      await agents.kill(name)
      await agents.start(name)
    },
    pid: name => {
      const found = running.get(name)
      return found?.end === undefined ? found?.pid : undefined
    },
    log: logOf,
  }
  return agents
}

function launch(node: NodePlan, more: readonly string[]): Running {
  mkdirSync(join(RUN_DIR, 'log'), { recursive: true })
  const log = openSync(logFileOf(node.name), 'a')
  const child = daemonIn(node.name, [...program('agent'), ...flagsOf(node), ...more], log)
  closeSync(log)
  if (child.pid === undefined) throw diedEarly(node.name, 'nsenter could not be started')
  const started: Running = { pid: child.pid, end: undefined }
  child.once('exit', (code, signal) => {
    started.end = signal ?? `exit status ${code}`
  })
  return started
}

/** What tells every command of the agent which node it is for. */
export function flagsOf(node: NodePlan): string[] {
  return [
    ...['--node-name', node.name, '--node-id', node.machineId, '--node-ip', node.address],
    ...['--datastore', ENVIRONMENT.CALI_DATASTORE, '--run-dir', RUN_DIR],
  ]
}

async function goneWithin(clock: Clock, name: string, target: Running, within: Millis): Promise<void> {
  await until(() => target.end !== undefined, {
    clock,
    what: `the end of the agent of ${name}`,
    within,
    every: millis(5),
    instead: () => tailOf(name),
  })
}

/** True when somebody accepts on the socket. */
function answers(path: string): Promise<boolean> {
  if (!existsSync(path)) return Promise.resolve(false)
  return new Promise(resolve => {
    const socket = connect(path)
    const done = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
}

export function socketOf(node: string): string {
  return join(RUN_DIR, `${node}.sock`)
}

function logFileOf(node: string): string {
  return join(RUN_DIR, 'log', `${node}.log`)
}

function logOf(node: string): string {
  return existsSync(logFileOf(node)) ? readFileSync(logFileOf(node), 'utf8') : ''
}

/** The end of the log, for people who ask why. */
function tailOf(node: string): string {
  const lines = logOf(node).trimEnd().split('\n').slice(-TAIL_LINES)
  return `the end of ${logFileOf(node)}:\n  ${lines.join('\n  ')}`
}

function notANode(name: string, nodes: readonly NodePlan[]): Fault {
  return new Fault('lab.unknown', {
    doing: 'find',
    on: `node "${name}"`,
    says: `the lab has ${nodes.map(node => node.name).join(', ')}`,
  })
}

function alreadyRuns(name: string): Fault {
  return new Fault('lab.agent', { doing: 'start', on: `the agent of ${name}`, says: 'it runs already' })
}

function diedEarly(name: string, end: string): Fault {
  return new Fault('lab.agent', { doing: 'start', on: `the agent of ${name}`, says: `it ended with ${end}; ${tailOf(name)}` })
}
