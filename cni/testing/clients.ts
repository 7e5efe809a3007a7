/** The two programs that are the plugin: its TypeScript, and the static twin where a compiler is. What holds for one holds for both. */

import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { CniReply } from '@network/model/cni.ts'
import { answerCall, type PluginCall } from '../plugin.ts'

export interface Client {
  readonly name: string
  /** What the plugin prints and how it exits, when the agent may take `DEADLINE_MS`. */
  answer(call: Pick<PluginCall, 'environment'> & { readonly config: string }): Promise<CniReply>
}

/** Of both, so that no test waits for the real one. */
export const DEADLINE_MS = 2_000

export const scripted: Client = {
  name: 'TypeScript',
  answer: ({ environment, config }) => answerCall({ environment, readConfig: () => config, deadlineMs: DEADLINE_MS }),
}

/** Compiles the twin to `file`; undefined where there is no compiler. */
export function compiled(file: string): Client | undefined {
  const { status, stderr } = build(file, [], {})
  if (status === NO_COMPILER) return undefined
  if (status !== 0) throw new Error(`the static plugin does not compile: ${stderr}`)
  return { name: 'C', answer: ({ environment, config }) => runProgram(file, environment, config) }
}

/** The twin that ends with a complaint at the first read or write beside its memory; undefined where no compiler can do that. */
export function watched(file: string): Client | undefined {
  const flags = ['-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
  if (build(file, flags, { CC: 'gcc', LINK: '' }).status !== 0) return undefined
  // It gives nothing back, for it ends soon.
  const options = { ASAN_OPTIONS: 'detect_leaks=0' }
  return { name: 'watched C', answer: ({ environment, config }) => runProgram(file, { ...environment, ...options }, config) }
}

function build(file: string, flags: readonly string[], environment: PluginCall['environment']) {
  const script = `${import.meta.dirname}/../../scripts/build-cni.sh`
  const argv = [script, file, `-DDEADLINE_MS=${DEADLINE_MS}`, ...flags]
  return spawnSync('sh', argv, { encoding: 'utf8', env: { ...process.env, ...environment } })
}

const NO_COMPILER = 3

async function runProgram(file: string, environment: PluginCall['environment'], config: string): Promise<CniReply> {
  const child = spawn(file, { env: { ...environment }, stdio: ['pipe', 'pipe', 'pipe'] })
  // A program that needs no standard input may be gone before it is written.
  child.stdin.on('error', () => undefined)
  child.stdin.end(config)
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const [printed, complaint, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if ((exitCode !== 0 && exitCode !== 1) || complaint !== '') throw new Error(`exit status ${exitCode}: ${complaint}`)
  return { exitCode, body: printed === '' ? null : JSON.parse(printed) }
}
