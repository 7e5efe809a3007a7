/** What a process and its children take, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Usage {
  /** Milliseconds of all threads that still run. */
  readonly cpu: number
  /** Resident, kB. */
  readonly memory: number
  /** Most that was ever resident, kB. */
  readonly peak: number
}

/** Of a process with all its descendants. */
export function usageOf(pid: number): Usage {
  return familyOf(pid)
    .map(usageOfOne)
    .reduce((sum, one) => ({ cpu: sum.cpu + one.cpu, memory: sum.memory + one.memory, peak: sum.peak + one.peak }))
}

function usageOfOne(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const line = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.reduce((sum, thread) => sum + ranOf(join(`/proc/${pid}/task`, thread)), 0)
  return { cpu: nanoseconds / 1e6, memory: line('VmRSS'), peak: line('VmHWM') }
}

/** The first number of schedstat; a thread that ended meanwhile has none. */
function ranOf(task: string): number {
  try {
    return Number(readFileSync(join(task, 'schedstat'), 'utf8').split(' ')[0])
  } catch {
    return 0
  }
}

function familyOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`)
  const children = threads.flatMap(thread => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '))
  return [pid, ...children.filter(child => child !== '').flatMap(child => familyOf(Number(child)))]
}

/** Milliseconds that all processors together have worked since the machine started. */
export function machineBusy(): number {
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, soft = 0] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? []
  return (user + nice + system + interrupts + soft) * 10
}
