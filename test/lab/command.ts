/** Runs commands inside the lab's namespaces. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Fault } from '@network/base/run/fault.ts'
import { execa } from 'execa'
import { NETNS_DIR, RUN_DIR } from './paths.ts'

/** How a command ended; a failure is a value here, for tests assert on it. */
export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  /** 124 when it was stopped for being late, 128 + n when signal n ended it. */
  readonly exitCode: number
}

export interface ExecOptions {
  readonly input?: string
  /** 30 s unless told. */
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

/** Where every command of the lab finds the store, and `calictl`; a lab with another store says so here, before its first command. */
export const ENVIRONMENT: Record<'PATH' | 'CALI_DATASTORE', string> = {
  PATH: `${RUN_DIR}/bin:${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
  CALI_DATASTORE: `sqlite:${RUN_DIR}/cali.db`,
}

/** The file of a node's, a pod's or the router's network namespace; an unknown name is a Fault that lists the known ones. */
export function namespaceOf(where: string): string {
  const path = join(NETNS_DIR, where)
  if (where !== '' && !where.includes('/') && existsSync(path)) return path
  throw unknownPlace(where, existsSync(NETNS_DIR) ? readdirSync(NETNS_DIR) : [])
}

export function unknownPlace(where: string, known: readonly string[]): Fault {
  const list = [...known].sort().join(', ')
  return new Fault('lab.unknown', {
    doing: 'find',
    on: `"${where}" in the lab`,
    says: `it has ${list === '' ? 'nothing' : list}`,
  })
}

/** Runs a command in a namespace to its end. */
export async function execIn(where: string, argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
  const { input, timeoutMs = 30_000, env = {} } = options
  const ended = await execa('nsenter', entering(where, argv), {
    reject: false,
    timeout: timeoutMs,
    env: { ...ENVIRONMENT, ...env },
    ...(input === undefined ? { stdin: 'ignore' } : { input }),
  })
  const late = ended.timedOut ? `\nstopped after ${timeoutMs / 1000} s: ${argv.join(' ')}` : ''
  return { stdout: ended.stdout, stderr: ended.stderr + late, exitCode: late === '' ? (ended.exitCode ?? 128) : 124 }
}

/** A command that goes on while the test does other things. */
export interface RunningCommand {
  readonly stdout: Readable
  readonly stderr: Readable
  kill(signal?: NodeJS.Signals): void
  /** Settles when it has ended, however it did: never rejects. */
  readonly ended: Promise<Outcome>
}

/** Starts a command in a namespace; it dies with this process at the latest. */
export function startIn(where: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCommand {
  const child = execa('nsenter', entering(where, argv), { reject: false, stdin: 'ignore', env: { ...ENVIRONMENT, ...env } })
  return {
    stdout: child.stdout,
    stderr: child.stderr,
    kill: signal => {
      child.kill(signal)
    },
    ended: child.then(({ stdout, stderr, exitCode }) => ({ stdout, stderr, exitCode: exitCode ?? 128 })),
  }
}

/** Starts a process in a namespace that outlives this one; its output goes to the open file `log`. */
export function daemonIn(where: string, argv: readonly string[], log: number): ChildProcess {
  const child = spawn('nsenter', entering(where, argv), {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...ENVIRONMENT },
  })
  child.unref()
  return child
}

/** Like execIn, for commands that cannot fail in a lab that is whole: a failure throws what was asked and what it said. */
export async function mustIn(where: string, argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await execIn(where, argv, options)
  if (exitCode === 0) return stdout
  throw new Fault('lab.command', {
    doing: 'run',
    on: `${argv.join(' ')} in ${where}`,
    says: stderr.trim() || `exit status ${exitCode}`,
  })
}

function entering(where: string, argv: readonly string[]): string[] {
  return [`--net=${namespaceOf(where)}`, '--', ...argv]
}
