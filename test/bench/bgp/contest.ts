/** One run: a speaker starts in a network of its own, the generator does its job with it, both are gone again. */
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { sleep, systemClock } from '@network/base/time/clock.ts'
import { after, millis } from '@network/base/time/units.ts'
import { execa } from 'execa'
import { daemonIn, ENVIRONMENT, execIn } from '../../lab/command.ts'
import { until } from '../../lab/until.ts'
import type { Job, Order, Outcome } from './load/order.ts'
import { folderOf, PLACE, type Speaker } from './speakers.ts'

const STARTED = millis(20_000)
const SETTLE = millis(400)
const REST = 1500
const LONGEST_JOB = 120_000
/** What a generator takes beside its job: preparing, warming up, letting things settle. */
const OVERHEAD_MS = 30_000
const GENERATOR = join(import.meta.dirname, 'load', 'main.ts')

export interface RunOptions {
  /** Where cali-bgpd leaves a processor profile of itself. */
  readonly profile?: string
  /** Milliseconds after which a job has failed; two minutes unless told. */
  readonly atMostMs?: number
  /** Milliseconds for which the speaker is left alone when sessions are up; a second and a half unless told. */
  readonly restMs?: number
}

/** For small jobs, which take a blink: one that takes longer has failed. */
export const SMALL: RunOptions = { atMostMs: 20_000, restMs: 100 }

/** Lets a speaker do a job, in fresh namespaces (test/lab/fresh.sh). */
export async function run(
  measured: Speaker,
  job: Job,
  { profile, atMostMs = LONGEST_JOB, restMs = REST }: RunOptions = {},
): Promise<Outcome> {
  const { name, title, program, config, command } = measured
  const path = program()
  if (path === undefined) throw new Fault('bench.absent', { doing: 'start', on: title, says: 'it is not installed' })
  await using network = await ownNetwork(`bgp-${name}`)
  using folder = folderOf(name)
  writeFileSync(join(folder.path, 'config'), config(folder.path, path))
  const words = [...profiling(name, profile), ...command(path, folder.path)]
  await using speaker = await start(network.name, words, folder.path)
  const outcome = await generate(network.name, {
    job,
    restMs,
    speaker: { address: PLACE.speaker, port: PLACE.port, pid: speaker.pid },
    asn: PLACE.asn,
    clusterId: PLACE.speaker,
    firstClient: PLACE.firstClient,
    atMostMs,
  })
  if (!speaker.lives()) return { ...outcome, is: 'wrong', says: `it died: ${logOf(folder.path)}` }
  return outcome
}

function profiling(name: Speaker['name'], folder: string | undefined): string[] {
  return name !== 'cali' || folder === undefined ? [] : ['env', `NODE_OPTIONS=--cpu-prof --cpu-prof-dir=${folder}`]
}

/** A network namespace in which every address of the bench is local, so that each run begins without old connections. */
async function ownNetwork(name: string): Promise<AsyncDisposable & { readonly name: string }> {
  const ip = (...words: string[]) => execa('ip', words, { env: ENVIRONMENT })
  await ip('netns', 'add', name)
  await ip('-n', name, 'link', 'set', 'lo', 'up')
  await ip('-n', name, 'address', 'add', `${PLACE.speaker}/32`, 'dev', 'lo')
  await ip('-n', name, 'route', 'add', 'local', PLACE.network, 'dev', 'lo')
  return {
    name,
    async [Symbol.asyncDispose]() {
      await ip('netns', 'delete', name)
    },
  }
}

interface Running extends AsyncDisposable {
  readonly pid: number
  readonly lives: () => boolean
}

/** Resolves when the speaker listens and has come to rest. */
async function start(network: string, words: readonly string[], folder: string): Promise<Running> {
  const log = openSync(join(folder, 'output'), 'a')
  const child = daemonIn(network, words, log)
  closeSync(log)
  const { pid } = child
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const lives = () => child.exitCode === null && child.signalCode === null
  if (pid === undefined) throw new Fault('bench.start', { doing: 'start', on: words.join(' '), says: logOf(folder) })
  try {
    await until(() => !lives() || listens(pid), {
      clock: systemClock,
      what: `${words[0]} to listen`,
      within: STARTED,
      instead: () => logOf(folder),
    })
    if (!lives()) throw new Fault('bench.start', { doing: 'start', on: words.join(' '), says: logOf(folder) })
    await sleep(systemClock, SETTLE, new AbortController().signal)
  } catch (error) {
    await end(child, gone)
    throw error
  }
  return { pid, lives, [Symbol.asyncDispose]: () => end(child, gone) }
}

/** Asks it to end, so that a profile is written; one that does not listen is killed. */
async function end(child: ChildProcess, gone: Promise<void>): Promise<void> {
  child.ref()
  child.kill('SIGTERM')
  const cancel = systemClock.wakeAt(after(systemClock.now(), millis(5000)), () => child.kill('SIGKILL'))
  if (child.exitCode === null && child.signalCode === null) await gone
  cancel()
}

/** Whether the process's namespace has a listener on the port of BGP. */
function listens(pid: number): boolean {
  const port = PLACE.port.toString(16).toUpperCase().padStart(4, '0')
  const LISTEN = '0A'
  return ['tcp', 'tcp6'].some(table => {
    const file = `/proc/${pid}/net/${table}`
    if (!existsSync(file)) return false
    return readFileSync(file, 'utf8')
      .split('\n')
      .map(line => line.trim().split(/\s+/))
      .some(([, local, , state]) => state === LISTEN && local?.endsWith(`:${port}`) === true)
  })
}

async function generate(network: string, order: Order): Promise<Outcome> {
  const words = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=32',
    GENERATOR,
    JSON.stringify(order),
  ]
  const { exitCode, stdout, stderr } = await execIn(network, words, { timeoutMs: 3 * order.atMostMs + OVERHEAD_MS })
  if (exitCode !== 0)
    throw new Fault('bench.generator', { doing: 'run', on: 'the generator', says: stderr.trim() || `exit status ${exitCode}` })
  const outcome: Outcome = JSON.parse(stdout)
  return outcome
}

function logOf(folder: string): string {
  return ['output', 'log']
    .map(name => join(folder, name))
    .filter(existsSync)
    .map(file => readFileSync(file, 'utf8').split('\n').slice(-10).join('\n'))
    .join('\n')
    .trim()
}
