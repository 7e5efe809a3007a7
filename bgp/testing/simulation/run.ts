/** One scenario from start to verdict: faults come and go, time passes, and every table must be what the model says. */
import { millis } from '@network/base/time/units.ts'
import { type Fault, LAST_FAULT, type Scenario } from './faults.ts'
import { type Expected, expectedTables } from './model.ts'
import { sessionsOf, topologyOf } from './topology.ts'
import { type Complaint, Watch } from './watch.ts'
import { type Tamper, TIMERS, World } from './world.ts'

export interface Verdict {
  /** What went wrong first; undefined: nothing. */
  readonly complaint: Complaint | undefined
  /** Virtual milliseconds from the start until the end or the complaint. */
  readonly lasted: number
  readonly updates: number
}

export interface RunOptions {
  /** Virtual milliseconds between two looks at all tables. */
  readonly lookEvery?: number
  readonly tamper?: Tamper
  /** Virtual milliseconds that a loop or a stale route may last; left out: as long as the timers allow. */
  readonly patience?: number
}

const MARGIN = 15_000

/** Long enough after the last fault for a hold timer, a restart timer and a new session. */
function settlingTime(): number {
  const { holdTime, restartTime, connectRetry } = TIMERS
  return (holdTime + restartTime) * 1000 + 4 * connectRetry + MARGIN
}

export async function simulate(scenario: Scenario, { lookEvery = 5000, tamper, patience }: RunOptions = {}): Promise<Verdict> {
  const topology = topologyOf(scenario.shape)
  const world = new World(topology, scenario.seed, TIMERS, tamper)
  const { holdTime, restartTime } = TIMERS
  const watch = new Watch(world, patience ?? topology.diameter * (holdTime + restartTime) * 1000 + MARGIN)
  const verdict = (complaint: Complaint | undefined): Verdict => ({
    complaint,
    lasted: world.clock.now(),
    updates: world.totals().updates,
  })
  try {
    await world.start()
    for (const { at, act } of timetable(scenario.faults, world)) {
      const complaint = passUntil(world, watch, at, lookEvery)
      if (complaint !== undefined) return verdict(complaint)
      await act()
    }
    const complaint = passUntil(world, watch, LAST_FAULT + settlingTime(), lookEvery) ?? compare(world)
    return verdict(complaint)
  } finally {
    await world.stop()
  }
}

function timetable(
  faults: readonly Fault[],
  world: World,
): readonly { readonly at: number; readonly act: () => Promise<void> }[] {
  const begins = faults.map(fault => ({ at: fault.at, act: () => world.begin(fault) }))
  const ends = faults
    .filter(({ until }) => Number.isFinite(until))
    .map(fault => ({ at: fault.until, act: () => world.end(fault) }))
  return [...begins, ...ends].toSorted((a, b) => a.at - b.at)
}

function passUntil(world: World, watch: Watch, until: number, lookEvery: number): Complaint | undefined {
  for (;;) {
    const now = world.clock.now()
    if (now >= until) return undefined
    const next = Math.min(until, (Math.floor(now / lookEvery) + 1) * lookEvery)
    world.clock.advance(millis(next - now))
    const complaint = next % lookEvery === 0 ? watch.look() : undefined
    if (complaint !== undefined) return complaint
  }
}

/** All is mended and time has passed: sessions stand, and tables are the model's. */
function compare(world: World): Complaint | undefined {
  const { topology } = world
  const missing = 2 * sessionsOf(topology.shape).length - world.totals().established
  if (missing > 0) return { is: 'session missing', says: `${missing} ends of sessions are not established` }
  const expected = expectedTables(topology, world.originated)
  for (const { index } of topology.speakers) {
    const table = world.tableOf(index) ?? new Map<string, { readonly nextHop: number; readonly stale: boolean }>()
    const wanted = expected[index] ?? new Map<string, Expected>()
    for (const prefix of new Set([...wanted.keys(), ...table.keys()])) {
      const is = describe(table.get(prefix))
      const should = wanted.has(prefix) ? `via ${wanted.get(prefix)?.nextHop}` : 'absent'
      if (is !== should) return { is: 'wrong table', says: `speaker ${index} has ${prefix} ${is}, it should be ${should}` }
      const paths = world.pathsOf(index, prefix).join(', ')
      const all = wanted.get(prefix)?.paths.join(', ') ?? ''
      if (paths !== all) return { is: 'wrong table', says: `speaker ${index} has of ${prefix} ${paths}, it should be ${all}` }
    }
  }
  return undefined
}

function describe(route: { readonly nextHop: number; readonly stale: boolean } | undefined): string {
  return route === undefined ? 'absent' : `via ${route.nextHop}${route.stale ? ' stale' : ''}`
}
