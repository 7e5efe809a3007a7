/** What timers and reflectors cost and bring, in virtual time: the ground on which defaults are chosen. */
import { millis, seconds } from '@network/base/time/units.ts'
import { blockOf, type Shape, topologyOf } from './topology.ts'
import { TIMERS, type Timers, World } from './world.ts'

export interface Figure {
  readonly what: string
  readonly value: string
}

const STEP = 50
const SEED = 1

export async function* figures(): AsyncGenerator<Figure, void, void> {
  for (const speakers of [10, 50, 100]) yield* start({ is: 'mesh', speakers })
  for (const reflectors of [1, 2, 3, 4]) yield* start({ is: 'reflectors', speakers: 200 + reflectors, reflectors })
  for (const holdTime of [9, 30, 90]) yield await powerLoss(holdTime)
  for (const retry of [1000, 2000, 5000, 30_000]) yield await comeback(retry)
  for (const reflectors of [1, 2, 3]) yield await reflectorLost(reflectors)
}

/** All start at once: until every table is full, and what it takes. */
async function* start(shape: Shape): AsyncGenerator<Figure, void, void> {
  const world = new World(topologyOf(shape), SEED)
  await world.start()
  const took = passUntil(world, () => isFull(world))
  const name =
    shape.is === 'reflectors'
      ? `${shape.speakers - shape.reflectors} clients of ${shape.reflectors} reflectors`
      : `mesh of ${shape.speakers}`
  yield { what: `${name}, from nothing to full tables`, value: `${took / 1000} s, ${world.totals().updates} UPDATEs` }
  await world.stop()
}

/** A machine goes without a word: until the last of the others has no route to it. Stale routes are kept for the restart time. */
async function powerLoss(holdTime: number): Promise<Figure> {
  const world = await standing({ is: 'mesh', speakers: 20 }, { ...TIMERS, holdTime: seconds(holdTime) })
  const other = (index: number) => world.tableOf(index)?.get(blockOf(0))
  await world.begin({ is: 'power-off', speaker: 0, at: 0, until: 0 })
  const others = Array.from({ length: 19 }, (_, at) => at + 1)
  const noticed = passUntil(world, () => others.every(index => other(index)?.stale !== false))
  const gone = noticed + passUntil(world, () => others.every(index => other(index) === undefined))
  await world.stop()
  return {
    what: `mesh of 20, hold time ${holdTime} s, a machine loses power`,
    value: `all have noticed after ${noticed / 1000} s, the last route is gone after ${gone / 1000} s`,
  }
}

/** A process dies and is back ten seconds later: from then until all its sessions stand. */
async function comeback(retry: number): Promise<Figure> {
  const world = await standing({ is: 'mesh', speakers: 50 }, { ...TIMERS, connectRetry: millis(retry) })
  const crash = { is: 'crash', speaker: 25, at: 0, until: 0 } as const
  await world.begin(crash)
  world.clock.advance(millis(10_000))
  await world.end(crash)
  const took = passUntil(world, () => world.totals().established === 50 * 49)
  await world.stop()
  return {
    what: `mesh of 50, connect-retry ${retry / 1000} s, a process comes back`,
    value: `all sessions stand after ${took / 1000} s`,
  }
}

/** One reflector loses power for good: routes of others that clients lose, and how long. */
async function reflectorLost(reflectors: number): Promise<Figure> {
  const speakers = 50 + reflectors
  const world = await standing({ is: 'reflectors', speakers, reflectors }, TIMERS)
  await world.begin({ is: 'power-off', speaker: 0, at: 0, until: 0 })
  const clients = Array.from({ length: 50 }, (_, at) => at + reflectors)
  const wanted = clients.length * (clients.length - 1)
  let worst = wanted
  for (let passed = 0; passed < 300_000; passed += 1000) {
    world.clock.advance(millis(1000))
    worst = Math.min(
      worst,
      clients.reduce((sum, index) => sum + clients.filter(to => world.tableOf(index)?.has(blockOf(to)) === true).length, 0),
    )
  }
  await world.stop()
  return {
    what: `50 clients, one of ${reflectors} reflectors loses power for good`,
    value: `${wanted - worst} of ${wanted} routes between clients are lost`,
  }
}

async function standing(shape: Shape, timers: Timers): Promise<World> {
  const world = new World(topologyOf(shape), SEED, timers)
  await world.start()
  passUntil(world, () => isFull(world))
  return world
}

function isFull(world: World): boolean {
  const { speakers } = world.topology
  return speakers.every(({ index }) => world.tableOf(index)?.size === speakers.length - 1)
}

/** Virtual milliseconds until it is so, in steps of 50. */
function passUntil(world: World, isSo: () => boolean): number {
  const from = world.clock.now()
  while (!isSo()) {
    if (world.clock.now() - from > 3_600_000) throw new Error('not within a virtual hour')
    world.clock.advance(millis(STEP))
  }
  return world.clock.now() - from
}
