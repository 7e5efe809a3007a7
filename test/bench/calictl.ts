/** How fast calictl starts: what is shipped, and the launcher before it, against Node alone. */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { LAUNCHER } from '@network/calictl/testing/launch.ts'
import type { Bench, Measurement } from './measurement.ts'
import { median } from './statistics.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const RUNS = 15
const BAR = 2

/** Runs take turns: what else the machine does hits all alike. */
export const calictlBench: Bench = {
  name: 'calictl',
  async measure(say) {
    say('calictl: start of version and get …')
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(ROOT, 'test/vm/bundle.ts'), '--dist'])
    const directory = mkdtempSync(join(tmpdir(), 'bench-calictl-'))
    try {
      return measureIn(directory)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
}

function measureIn(directory: string): readonly Measurement[] {
  const env = {
    ...process.env,
    CALI_DATASTORE: `sqlite:${directory}/cali.db`,
    NODE_COMPILE_CACHE: join(directory, 'compiled'),
  }
  const run = (command: string, argv: readonly string[]): number => {
    const began = systemClock.now()
    const { status, stderr } = spawnSync(command, argv, { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${argv.join(' ')} ended with ${status}: ${stderr}`)
    return between(began, systemClock.now())
  }
  const here = ['--run-dir', directory]
  run(LAUNCHER, [...here, 'ippool', 'create', 'default', '--cidr', '10.244.0.0/16'])
  const bundle = ['--disable-warning=ExperimentalWarning', join(ROOT, 'dist/calictl.cjs'), ...here]
  const bare = 'node -e 0'
  const contests = new Map<string, () => number>([
    [bare, () => run(process.execPath, ['-e', '0'])],
    ['calictl version, as shipped', () => run(process.execPath, [...bundle, 'version'])],
    ['calictl get ippools, as shipped', () => run(process.execPath, [...bundle, 'get', 'ippools'])],
    ['calictl version, by its launcher', () => run(LAUNCHER, [...here, 'version'])],
    ['calictl get ippools, by its launcher', () => run(LAUNCHER, [...here, 'get', 'ippools'])],
  ])
  for (const contest of contests.values()) contest()
  const times = new Map([...contests.keys()].map(name => [name, [] as number[]]))
  for (let round = 0; round < RUNS; round++) for (const [name, contest] of contests) times.get(name)?.push(contest())
  const least = median(times.get(bare) ?? [])
  return [...times].map(([what, all]) => measurementOf(what, median(all), what === bare ? undefined : least))
}

function measurementOf(what: string, value: number, bare: number | undefined): Measurement {
  const measured: Measurement = { what, value, unit: 'ms', runs: RUNS }
  if (bare === undefined) return measured
  const ratio = value / bare
  const bar = { text: `${ratio.toFixed(2)} × as long, goal under ${BAR} ×`, met: ratio < BAR }
  return { ...measured, comparison: { to: 'node -e 0', bar } }
}
