/** npm run bench: ratios and times, each the median of several interleaved runs, with the machine that they came from. */

import { reasonOf } from '@network/base/run/fault.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { between, millis } from '@network/base/time/units.ts'
import { table } from '@network/calictl/render/table.ts'
import { Command, Option } from 'commander'
import { calictlBench } from './calictl.ts'
import { changeBench } from './change.ts'
import { cniBench } from './cni.ts'
import { codecBench } from './codec.ts'
import { etcdBench } from './etcd.ts'
import { measureInTime } from './in-time.ts'
import { describe, thisMachine } from './machine.ts'
import { cells, type Measurement } from './measurement.ts'
import { routesBench } from './routes.ts'
import { scaleBench } from './scale.ts'
import { throughputBench } from './throughput.ts'
import { vtepsBench } from './vteps.ts'

const BENCHES = [routesBench, vtepsBench, throughputBench, changeBench, cniBench, scaleBench, codecBench, etcdBench, calictlBench]

/** Of one bench: each takes some minutes where others work too. */
const LATEST = millis(1_200_000)
/** For what a bench started and did not see end. */
const AFTERWARDS_MS = 10_000

const { json, only } = new Command('bench')
  .description(
    'Measures routes and neighbours a second, traffic from pod to pod, changes, CNI ADD, an agent among a thousand nodes, the BGP codec, etcd, and the start of calictl.',
  )
  .option('--json', 'print the outcome as data')
  .addOption(new Option('--only <parts...>', 'not all parts').choices(BENCHES.map(({ name }) => name)))
  .addHelpText('after', '\nExample:\n  npm run bench\n  npm run -s bench -- --only routes codec --json')
  .parse()
  .opts<{ readonly json?: boolean; readonly only?: readonly string[] }>()

const began = systemClock.now()
const say = (line: string) => void process.stderr.write(`${line}\n`)
const machine = thisMachine()
say(describe(machine))
const measurements: Measurement[] = []
try {
  for (const bench of BENCHES)
    if (only === undefined || only.includes(bench.name))
      measurements.push(...(await measureInTime(bench, { clock: systemClock, within: LATEST, say })))
} catch (reason) {
  say(reasonOf(reason))
  process.exit(1)
}
const seconds = Math.round(between(began, systemClock.now()) / 1000)
const text = [
  describe(machine),
  '',
  table(['WHAT', 'MEDIAN', 'RUNS', 'COMPARED'], measurements.map(cells)),
  '',
  `${seconds} s`,
].join('\n')
setTimeout(() => {
  say(`all is measured, and something still runs: ${process.getActiveResourcesInfo().join(', ')}; left behind`)
  process.exit()
}, AFTERWARDS_MS).unref()
process.stdout.write(`${json === true ? JSON.stringify({ machine, seconds, measurements }, undefined, 2) : text}\n`)
