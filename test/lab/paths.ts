/** Where things are: the project's files, and the lab's own under /run. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'

/** The lab's files live in a /run of its own. */
export const RUN_DIR = '/run/cali'
export const NETNS_DIR = '/run/netns'
/** Made by fresh.sh: what is not in fresh namespaces must not build a lab. */
export const FRESH_MARK = '/run/cali-lab'

/** The project's folder: looked for upwards, because a bundle lies elsewhere than its source. */
export const PROJECT = upwards(import.meta.dirname, 'package-lock.json')

/** How to start one of our programs: the bundle where CALI_USE_BUNDLE says so, else the source. */
export function program(room: 'agent' | 'calictl'): readonly string[] {
  const bundle = join(PROJECT, 'build', `${room}.cjs`)
  const file = process.env['CALI_USE_BUNDLE'] && existsSync(bundle) ? bundle : join(PROJECT, room, 'main.ts')
  return [process.execPath, '--disable-warning=ExperimentalWarning', file]
}

/** The launcher that a container runtime would call. */
export const CNI_PLUGIN = join(PROJECT, 'cni', 'cali')

function upwards(from: string, file: string): string {
  if (existsSync(join(from, file))) return from
  const parent = dirname(from)
  if (parent === from) throw new Fault('lab.project', { doing: 'find', on: "the project's folder", says: `no ${file} above` })
  return upwards(parent, file)
}
