/** Labs that stay: one process holds a lab's namespaces until `down`; everything else enters them through it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { type Clock, systemClock } from '@network/base/time/clock.ts'
import { ENVIRONMENT } from './command.ts'
import { FRESH_MARK, NETNS_DIR, PROJECT } from './paths.ts'
import { until } from './until.ts'

/** Process 1 of a lab, as it is called outside. */
export interface Holder {
  readonly name: string
  readonly pid: number
  /** In clock ticks since boot: a process number may come again, with its start it does not. */
  readonly started: string
}

/** Makes fresh namespaces and leaves a process in them that does nothing. */
export async function startHolder(name: string, clock: Clock = systemClock): Promise<Holder> {
  if (findHolder(name) !== undefined)
    throw new Fault('lab.exists', {
      doing: 'bring up',
      on: `lab ${name}`,
      says: 'it is up',
      mend: 'take it down first, or give another --name',
    })
  const child = spawn('sh', [join(PROJECT, 'test/lab/fresh.sh'), 'sleep', 'infinity'], {
    cwd: PROJECT,
    detached: true,
    stdio: 'ignore',
  })
  child.unref()
  const pid = await until(() => firstProcessUnder(child), { clock, what: 'namespaces' })
  const holder = { name, pid, started: startOf(pid) ?? '' }
  mkdirSync(stateDir(), { recursive: true, mode: 0o700 })
  writeFileSync(stateFile(name), `${JSON.stringify(holder)}\n`)
  return holder
}

/** The lab of that name, or undefined when it is not up. */
export function findHolder(name: string): Holder | undefined {
  if (!/^[\w-]+$/.test(name))
    throw new Fault('lab.name', { doing: 'name', on: `a lab "${name}"`, says: 'it takes letters, digits and dashes' })
  if (!existsSync(stateFile(name))) return undefined
  const { pid, started }: Holder = JSON.parse(readFileSync(stateFile(name), 'utf8'))
  return startOf(pid) === started ? { name, pid, started } : undefined
}

/** Like findHolder; a lab that is not up is a Fault that names those that are. */
export function mustFindHolder(name: string): Holder {
  const found = findHolder(name)
  if (found !== undefined) return found
  const others = labsUp()
  const says = others.length === 0 ? 'no lab is up' : `these are up: ${others.join(', ')}`
  throw new Fault('lab.down', { doing: 'find', on: `lab ${name}`, says, mend: 'npm run lab up brings one up' })
}

/** Ends the first process, and with it every other and all namespaces. */
export async function stopHolder(holder: Holder, clock: Clock = systemClock): Promise<void> {
  process.kill(holder.pid, 'SIGKILL')
  await until(() => startOf(holder.pid) !== holder.started, {
    clock,
    what: `the end of lab ${holder.name}`,
  })
  rmSync(stateFile(holder.name), { force: true })
}

/** Runs a command among the lab's processes, with this terminal; resolves with its exit status. */
export function enter(holder: Holder, argv: readonly string[]): Promise<number> {
  const user = sameUserNamespace(holder.pid) ? [] : ['-U', '--preserve-credentials']
  const child = spawn('nsenter', ['-t', String(holder.pid), ...user, '-m', '-n', '-p', '-w', '--', ...argv], {
    stdio: 'inherit',
    env: { ...process.env, ...ENVIRONMENT },
  })
  return exitOf(child)
}

/** Waits for a child that shares our terminal; ^C is for the child alone. */
export function exitOf(child: ChildProcess): Promise<number> {
  const ignore = () => undefined
  process.on('SIGINT', ignore)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}

/** A file of the lab's own file systems, by a name that works outside. */
export function seenFromOutside(holder: Holder, path: string): string {
  return `/proc/${holder.pid}/root${path}`
}

/** Names of the lab's nodes, pods and router. */
export function placesIn(holder: Holder): readonly string[] {
  return readdirSync(seenFromOutside(holder, NETNS_DIR)).sort()
}

function labsUp(): string[] {
  if (!existsSync(stateDir())) return []
  const names = readdirSync(stateDir()).map(file => file.replace(/\.json$/, ''))
  return names.filter(name => findHolder(name) !== undefined)
}

function stateFile(name: string): string {
  return join(stateDir(), `${name}.json`)
}

/** A folder of this user's alone: in /tmp anybody may have made one of the same name before. */
function stateDir(): string {
  const uid = process.getuid?.() ?? 0
  const runtime = process.env['XDG_RUNTIME_DIR']
  const dir = runtime ? join(runtime, 'cali-lab') : join(tmpdir(), `cali-lab-${uid}`)
  if (existsSync(dir) && statSync(dir).uid !== uid)
    throw new Fault('lab.state', {
      doing: 'use',
      on: dir,
      says: 'it belongs to somebody else',
      mend: 'set XDG_RUNTIME_DIR to a folder of your own',
    })
  return dir
}

/** The child of `unshare`, once its file systems are in place. */
function firstProcessUnder(child: ChildProcess): number | undefined {
  if (child.exitCode !== null)
    throw new Fault('lab.namespaces', {
      doing: 'make',
      on: 'namespaces',
      says: 'unshare failed',
      mend: 'sh test/lab/fresh.sh true tells why',
    })
  const { pid } = child
  const [first] = pid === undefined ? [] : readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return first && existsSync(`/proc/${first}/root${FRESH_MARK}`) ? Number(first) : undefined
}

/** Field 22 of /proc/<pid>/stat, counted from behind the name, which may hold anything; undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

function sameUserNamespace(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user')
}
