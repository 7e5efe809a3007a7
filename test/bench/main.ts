/** npm run bench: ratios and times, each the median of several interleaved runs, with the machine that they came from. */

import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { table } from '@network/calictl/render/table.ts'
import { Command, Option } from 'commander'
import { calictlBench } from './calictl.ts'
import { changeBench } from './change.ts'
import { cniBench } from './cni.ts'
import { codecBench } from './codec.ts'
import { etcdBench } from './etcd.ts'
import { describe, thisMachine } from './machine.ts'
import { cells, type Measurement } from './measurement.ts'
import { routesBench } from './routes.ts'
import { scaleBench } from './scale.ts'
import { throughputBench } from './throughput.ts'
import { vtepsBench } from './vteps.ts'

const BENCHES = [routesBench, vtepsBench, throughputBench, changeBench, cniBench, scaleBench, codecBench, etcdBench, calictlBench]

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
for (const bench of BENCHES) if (only === undefined || only.includes(bench.name)) measurements.push(...(await bench.measure(say)))
const seconds = Math.round(between(began, systemClock.now()) / 1000)
const text = [
  describe(machine),
  '',
  table(['WHAT', 'MEDIAN', 'RUNS', 'COMPARED'], measurements.map(cells)),
  '',
  `${seconds} s`,
].join('\n')
process.stdout.write(`${json === true ? JSON.stringify({ machine, seconds, measurements }, undefined, 2) : text}\n`)
