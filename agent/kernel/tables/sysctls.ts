/** Kernel settings below /proc/sys, of this process's network namespace. */

import { readFileSync, writeFileSync } from 'node:fs'
import { reasonOf } from '@network/base/run/fault.ts'
import type { SysctlIntent } from '@network/model/intent.ts'
import type { Outcome, Step, Table } from '../table.ts'

const ROOT = '/proc/sys/'

/** Only wanted settings are read; a setting that is wanted no more is left as it is. */
export const sysctlTable: Table<SysctlIntent, string> = {
  name: 'sysctl',
  list(wanted) {
    const found = new Map<string, string>()
    for (const path of wanted.keys()) {
      const value = readSysctl(path)
      if (value !== undefined) found.set(path, value)
    }
    return found
  },
  same: (want, have) => want.accept.includes(have),
  foreign: () => undefined,
  apply: steps => steps.map(write),
  describe: have => `value ${have}`,
}

/** The value, or undefined when there is no such setting (its interface is gone). */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(ROOT + path, 'utf8').trim()
  } catch {
    return undefined
  }
}

function write({ key, want, have }: Step<SysctlIntent, string>): Outcome {
  if (want === undefined) return { is: 'done' }
  if (have === undefined) return { is: 'waiting', says: 'its interface is not there' }
  return writeSysctl(key, want.accept[0])
}

export function writeSysctl(path: string, value: string): Outcome {
  try {
    writeFileSync(ROOT + path, value)
    return { is: 'done' }
  } catch (reason) {
    return { is: 'failed', says: `cannot write ${value} to ${ROOT}${path}: ${reasonOf(reason)}` }
  }
}
