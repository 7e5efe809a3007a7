/** Where things are: the project's files, and the lab's own under /run. */
import { spawnSync } from 'node:child_process'
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

/** How to start the plugin, by whichever program of it. */
export type CniPlugin = readonly string[]
export const CNI_BY_NODE: CniPlugin = [process.execPath, '--disable-warning=ExperimentalWarning', join(PROJECT, 'cni', 'main.ts')]

/** The same as `npm run build` makes it; undefined where it has not. */
export function builtCni(): CniPlugin | undefined {
  const built = join(PROJECT, 'dist', 'cni.cjs')
  return existsSync(built) ? [process.execPath, built] : undefined
}

/** The static program, compiled if need be; undefined where no compiler is. */
export function staticCni(): CniPlugin | undefined {
  const { status, stderr } = spawnSync('sh', [join(PROJECT, 'scripts', 'build-cni.sh')], { encoding: 'utf8' })
  if (status === NO_COMPILER) return undefined
  if (status === 0) return [join(PROJECT, stderr.trim())]
  throw new Fault('lab.cni', { doing: 'compile', on: 'the static plugin', says: stderr.trim() })
}
const NO_COMPILER = 3

function upwards(from: string, file: string): string {
  if (existsSync(join(from, file))) return from
  const parent = dirname(from)
  if (parent === from) throw new Fault('lab.project', { doing: 'find', on: "the project's folder", says: `no ${file} above` })
  return upwards(parent, file)
}
