/** Programs that the bench runs; its own are C, compiled where a compiler is. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'

/** Nothing that is run here takes seconds where nobody else works. */
const LATEST_MS = 120_000

/** What `agent/cali-agent` starts the agent's Node with. */
export const AGENT_FLAGS: readonly string[] = [
  ...flagsIn(readFileSync(join(import.meta.dirname, '../../agent/cali-agent'), 'utf8')),
  '--disable-warning=ExperimentalWarning',
]

function flagsIn(launcher: string): readonly string[] {
  const flags = /^memory='(.*)'$/m.exec(launcher)?.[1]
  if (flags === undefined)
    throw new Fault('bench.launcher', { doing: 'find', on: 'memory= in agent/cali-agent', says: 'it is not there' })
  return flags.split(' ')
}

/** Compiles `source`, a file of this folder, to `program`, and returns that; undefined where there is no gcc. */
export function compile(source: string, program: string): string | undefined {
  const words = ['-O2', '-o', program, join(import.meta.dirname, source)]
  const { error, status, stderr } = spawnSync('gcc', words, { encoding: 'utf8', timeout: LATEST_MS })
  if (error !== undefined) return undefined
  if (status === 0) return program
  throw new Fault('bench.compile', { doing: 'compile', on: `test/bench/${source}`, says: stderr.trim() })
}

/** Runs a program to its end and returns what it printed; a failure is a Fault with the program's own words. */
export function run(program: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): string {
  const env = { ...process.env, ...environment }
  const limits = { maxBuffer: 64 << 20, timeout: LATEST_MS, killSignal: 'SIGKILL' } as const
  const { error, status, stdout, stderr } = spawnSync(program, words, { env, encoding: 'utf8', ...limits })
  if (error === undefined && status === 0) return stdout
  const says = error?.message ?? stderr.trim()
  throw new Fault('bench.command', { doing: 'run', on: `${program} ${words.join(' ')}`, says })
}
