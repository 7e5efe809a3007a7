/** Neighbours and forwarding entries of VXLAN a second: the agent's path against `ip -batch` with `bridge -batch`, and against a C program. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import type { Bench, Measurement } from './measurement.ts'
import { AGENT_FLAGS, compile, run } from './programs.ts'
import { median } from './statistics.ts'
import { batchesOf, DEVICE } from './vtep-set.ts'

const SIZES = [10_000, 50_000]
const ROUNDS = 7
const WORKSHOP = '/run/bench'
/** As `agent/cali-agent` starts the agent. */
const LIKE_THE_AGENT = { NODE_COMPILE_CACHE: join(WORKSHOP, 'compiled'), MALLOC_ARENA_MAX: '1' }

/** Milliseconds of each round. */
interface Times {
  readonly ip: number[]
  readonly agent: number[]
  /** Empty where there is no C compiler. */
  readonly c: number[]
}

export const vtepsBench: Bench = {
  name: 'vteps',
  async measure(say) {
    mkdirSync(WORKSHOP, { recursive: true })
    const compiled = compile('vteps.c', join(WORKSHOP, 'vteps'))
    if (compiled === undefined) say('there is no gcc here: nothing is compared with a C program')
    return SIZES.flatMap(count => resultsOf(count, race(count, compiled, say)))
  },
}

/** One after the other, round by round, each on a device of its own that is new. */
function race(count: number, compiled: string | undefined, say: (line: string) => void): Times {
  const [neighbours, entries] = [join(WORKSHOP, 'neighbours'), join(WORKSHOP, 'entries')]
  const batches = batchesOf(count)
  writeFileSync(neighbours, batches.ip)
  writeFileSync(entries, batches.bridge)
  const times: Times = { ip: [], agent: [], c: [] }
  const onNewDevice = (work: () => number | undefined): number => {
    run('ip', ['link', 'add', DEVICE, 'type', 'vxlan', 'id', '77', 'dstport', '4789', 'nolearning'])
    run('ip', ['link', 'set', DEVICE, 'up'])
    const began = systemClock.now()
    const took = work() ?? between(began, systemClock.now())
    run('ip', ['link', 'delete', DEVICE])
    return took
  }
  const byAgent = () => {
    const words = [...AGENT_FLAGS, join(import.meta.dirname, 'agent-vteps.ts'), String(count)]
    return Number(run(process.execPath, words, LIKE_THE_AGENT))
  }
  // Once uncounted: an agent's code has been compiled by the run before.
  onNewDevice(byAgent)
  for (let round = 1; round <= ROUNDS; round++) {
    say(`${count} far ends of VXLAN, round ${round} of ${ROUNDS}`)
    times.ip.push(
      onNewDevice(() => {
        run('ip', ['-batch', neighbours])
        run('bridge', ['-batch', entries])
        return undefined
      }),
    )
    times.agent.push(onNewDevice(byAgent))
    if (compiled !== undefined) times.c.push(onNewDevice(() => sum(run(compiled, [String(count), DEVICE]))))
  }
  return times
}

function sum(line: string): number {
  return line
    .trim()
    .split(' ')
    .reduce((total, word) => total + Number(word), 0)
}

function resultsOf(count: number, { ip, agent, c }: Times): Measurement[] {
  const rate = (times: readonly number[]) => (count / median(times)) * 1000
  const name = `${count.toLocaleString('en')} far ends of VXLAN`
  const common = { unit: 'entries/s', runs: ip.length } as const
  const to = 'ip -batch and bridge -batch'
  return [
    { what: `${name}: ip -batch and bridge -batch, written`, value: rate(ip), ...common },
    {
      what: `${name}: agent, written and read back`,
      value: rate(agent),
      ...common,
      comparison: { to, times: rate(agent) / rate(ip) },
    },
    ...(c.length === 0
      ? []
      : [
          {
            what: `${name}: C program, written and read back`,
            value: rate(c),
            ...common,
            comparison: { to, times: rate(c) / rate(ip) },
          },
        ]),
  ]
}
