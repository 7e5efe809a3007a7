/** What the numbers came from. */

import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cores: number
  readonly processor: string
  /** GiB */
  readonly memory: number
  readonly kernel: string
  readonly node: string
  readonly iproute2: string
  /** Of the last minute when the bench began: others at work make numbers worse. */
  readonly load: number
}

export function thisMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memory: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    iproute2: execFileSync('ip', ['-V'], { encoding: 'utf8' })
      .trim()
      .replace(/^.*iproute2-/, ''),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  }
}

export function describe({ cores, processor, memory, kernel, node, iproute2, load }: Machine): string {
  return `${cores} cores (${processor}), ${memory} GiB, Linux ${kernel}, Node ${node}, iproute2 ${iproute2}, load ${load} at the start`
}
