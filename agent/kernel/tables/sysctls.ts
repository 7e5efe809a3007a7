/** Kernel settings below /proc/sys, of this process's network namespace. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { reasonOf } from '@network/base/run/fault.ts'
import type { SysctlIntent } from '@network/model/intent.ts'
import type { Outcome, Step, Table } from '../table.ts'

const ROOT = '/proc/sys/'

/** Where settings are read and written. */
export interface Settings {
  /** The value, or undefined when there is no such setting (its interface is gone). */
  read(path: string): string | undefined
  write(path: string, value: string): Outcome
  /** The paths directly below one, such as the interfaces below `net/ipv4/conf`. */
  below(path: string): readonly string[]
}

export const kernelSettings: Settings = { read: readSysctl, write: writeSysctl, below: listSysctls }

/** Hears of a setting that is about to be changed. */
export type BeforeChange = (path: string, had: string, writes: string) => void

/** Only wanted settings are read; a setting that is wanted no more is left as it is. */
export function sysctlTable(settings: Settings, beforeChange: BeforeChange): Table<SysctlIntent, string> {
  return {
    name: 'sysctl',
    list(wanted) {
      const found = new Map<string, string>()
      for (const path of wanted.keys()) {
        const value = settings.read(path)
        if (value !== undefined) found.set(path, value)
      }
      return found
    },
    same: (want, have) => want.accept.includes(have),
    foreign: () => undefined,
    apply: steps => steps.map(step => write(settings, beforeChange, step)),
    describe: have => `value ${have}`,
  }
}

function write(settings: Settings, beforeChange: BeforeChange, { key, want, have }: Step<SysctlIntent, string>): Outcome {
  if (want === undefined) return { is: 'done' }
  if (have === undefined) return { is: 'waiting', says: 'its interface is not there' }
  const [value] = want.accept
  beforeChange(key, have, value)
  return settings.write(key, value)
}

export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(ROOT + path, 'utf8').trim()
  } catch {
    return undefined
  }
}

export function writeSysctl(path: string, value: string): Outcome {
  try {
    writeFileSync(ROOT + path, value)
    return { is: 'done' }
  } catch (reason) {
    return { is: 'failed', says: `cannot write ${value} to ${ROOT}${path}: ${reasonOf(reason)}` }
  }
}

function listSysctls(path: string): string[] {
  return readdirSync(ROOT + path).map(name => `${path}/${name}`)
}
