/** Routes a second: the agent's path against `ip -batch` and against a C program, each in turn, in one namespace. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import type { Bench, Measurement } from './measurement.ts'
import { AGENT_FLAGS, compile, run } from './programs.ts'
import { batchOf, DEVICE, GATEWAY, OWN_ADDRESS } from './route-set.ts'
import { median } from './statistics.ts'

const SIZES = [10_000, 50_000]
const ROUNDS = 7
const WORKSHOP = '/run/bench'
const HERE = import.meta.dirname
/** As `agent/cali-agent` starts the agent. */
const LIKE_THE_AGENT = { NODE_COMPILE_CACHE: join(WORKSHOP, 'compiled'), MALLOC_ARENA_MAX: '1' }

/** Milliseconds of each round. */
interface Times {
  readonly ip: number[]
  readonly first: number[]
  readonly again: number[]
  /** Empty where there is no C compiler. */
  readonly c: number[]
}

export const routesBench: Bench = {
  name: 'routes',
  async measure(say) {
    mkdirSync(WORKSHOP, { recursive: true })
    for (const words of [
      ['link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', 'v1'],
      ['address', 'add', OWN_ADDRESS, 'dev', DEVICE],
      ['link', 'set', DEVICE, 'up'],
      ['link', 'set', 'v1', 'up'],
    ])
      run('ip', words)
    const compiled = compile('routes.c', join(WORKSHOP, 'routes'))
    if (compiled === undefined) say('there is no gcc here: nothing is compared with a C program')
    const measured = SIZES.flatMap(count => resultsOf(count, race(count, compiled, say)))
    run('ip', ['link', 'delete', DEVICE])
    return measured
  },
}

/** One after the other, round by round, so that whatever else the machine does hits all alike. */
function race(count: number, compiled: string | undefined, say: (line: string) => void): Times {
  const batch = join(WORKSHOP, 'batch')
  writeFileSync(batch, batchOf(count))
  const times: Times = { ip: [], first: [], again: [], c: [] }
  // Once uncounted: an agent's code has been compiled by the run before.
  runAgent(count)
  flush()
  for (let round = 1; round <= ROUNDS; round++) {
    say(`${count} routes, round ${round} of ${ROUNDS}`)
    const began = systemClock.now()
    run('ip', ['-batch', batch])
    times.ip.push(between(began, systemClock.now()))
    flush()
    const [first = 0, again = 0] = runAgent(count)
    times.first.push(first)
    times.again.push(again)
    flush()
    if (compiled === undefined) continue
    const [added = 0, readBack = 0] = numbersIn(run(compiled, [String(count), GATEWAY, DEVICE]))
    times.c.push(added + readBack)
    flush()
  }
  return times
}

function resultsOf(count: number, { ip, first, again, c }: Times): Measurement[] {
  const rate = (times: readonly number[]) => (count / median(times)) * 1000
  const name = `${count.toLocaleString('en')} routes`
  const unit = 'routes/s'
  const runs = ip.length
  const agent = (what: string, times: readonly number[]): Measurement => {
    const ratio = rate(times) / rate(ip)
    const bar = { text: 'at least 2 ×', met: ratio >= 2 }
    return { what: `${name}: ${what}`, value: rate(times), unit, runs, comparison: { to: 'ip -batch', times: ratio, bar } }
  }
  return [
    { what: `${name}: ip -batch, written`, value: rate(ip), unit, runs },
    agent('agent, written and read back, once more', again),
    agent('agent, written and read back, first in its process', first),
    ...(c.length === 0
      ? []
      : [
          {
            what: `${name}: C program, written and read back`,
            value: rate(c),
            unit,
            runs,
            comparison: { to: 'ip -batch', times: rate(c) / rate(ip) },
          } as const,
        ]),
  ]
}

/** Milliseconds of both passes. */
function runAgent(count: number): number[] {
  return numbersIn(run(process.execPath, [...AGENT_FLAGS, join(HERE, 'agent-routes.ts'), String(count)], LIKE_THE_AGENT))
}

function flush(): void {
  run('ip', ['route', 'flush', 'proto', '80'])
}

function numbersIn(line: string): number[] {
  return line.trim().split(' ').map(Number)
}
