/** The jobs: who announces what, and when it is over. */
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { withdrawal } from './messages.ts'
import type { Job, Order, Outcome } from './order.ts'
import { PrefixPlan } from './prefix-plan.ts'
import { Stage } from './stage.ts'

const BLOCKS_EACH = 4
/** After a storm all must stay as it is for so long: sessions that come and go are not convergence. */
const STABLE = 1000

type Of<Kind extends Job['is']> = Extract<Job, { readonly is: Kind }>

/** Does what the order says; the speaker must be listening. */
export function perform(order: Order): Outcome {
  const { job } = order
  switch (job.is) {
    case 'table':
      return table(order, job)
    case 'fanout':
      return fanout(order, job)
    case 'mesh':
      return mesh(order, job)
    case 'flap':
      return flap(order, job)
    case 'storm':
      return storm(order, job)
    case 'idle':
      return idle(order, job)
    default:
      return job satisfies never
  }
}

function table(order: Order, { prefixes, perUpdate, receivers }: Of<'table'>): Outcome {
  const plan = PrefixPlan.table(prefixes)
  const setOf = (index: number) => (perUpdate === 'full' ? 0 : 1 + Math.floor(index / perUpdate))
  const indexes = new Uint32Array(plan.slots)
  for (let index = 0; index < prefixes; index++) indexes[plan.slotAt(index)] = index
  const sourceOf = (slot: number) => ({ client: 0, set: setOf(indexes[slot] ?? 0) })
  const stage = new Stage(order, { clients: receivers + 1, plan, ownOf: firstOwnsAll(plan), sourceOf })
  const step = perUpdate === 'full' ? prefixes : perUpdate
  const pieces: Uint8Array[] = []
  for (let from = 0; from < prefixes; from += step)
    pieces.push(stage.updates({ from, count: Math.min(step, prefixes - from) }, 0, { set: setOf(from) }))
  return oneToAll(stage, prefixes, Buffer.concat(pieces))
}

function fanout(order: Order, { prefixes, receivers }: Of<'fanout'>): Outcome {
  const plan = PrefixPlan.blocks(prefixes)
  const sourceOf = () => ({ client: 0, set: 0 })
  const stage = new Stage(order, { clients: receivers + 1, plan, ownOf: firstOwnsAll(plan), sourceOf })
  return oneToAll(stage, prefixes, stage.updates({ from: 0, count: prefixes }, 0))
}

function firstOwnsAll(plan: PrefixPlan): (client: number) => { from: number; to: number } {
  return client => ({ from: 0, to: client === 0 ? plan.slots : 0 })
}

/** The first client announces; all others must hear everything. */
function oneToAll(stage: Stage, prefixes: number, updates: Uint8Array): Outcome {
  const { fleet } = stage
  if (!stage.open()) return stage.noSessions()
  for (const { tally } of fleet.clients.slice(1)) tally.target = prefixes
  stage.start()
  fleet.clients[0]?.send(updates)
  const done = fleet.run(() => fleet.complete, stage.deadline())
  return stage.finish(done, prefixes * (fleet.clients.length - 1), done ? fleet.completeAt : undefined)
}

function mesh(order: Order, { clients }: Of<'mesh'>): Outcome {
  const stage = meshStage(order, clients)
  if (!stage.open()) return stage.noSessions()
  const done = announceAll(stage)
  return stage.finish(done, routesOf(clients), done ? stage.fleet.completeAt : undefined)
}

function meshStage(order: Order, clients: number): Stage {
  const ownOf = (client: number) => ({ from: client * BLOCKS_EACH, to: (client + 1) * BLOCKS_EACH })
  const sourceOf = (slot: number) => ({ client: Math.floor(slot / BLOCKS_EACH), set: 0 })
  return new Stage(order, { clients, plan: PrefixPlan.blocks(clients * BLOCKS_EACH), ownOf, sourceOf })
}

/** All clients announce their blocks, and all must hear those of all others. */
function announceAll(stage: Stage): boolean {
  const { fleet } = stage
  const greetings = greetingsOf(stage, 1)
  for (const { tally } of fleet.clients) tally.target = (fleet.clients.length - 1) * BLOCKS_EACH
  stage.start()
  for (const [at, client] of fleet.clients.entries()) client.send(...greetings.slice(at, at + 1))
  return fleet.run(() => fleet.complete, stage.deadline())
}

function greetingsOf(stage: Stage, version: number): Uint8Array[] {
  return stage.fleet.clients.map((_, at) => stage.updates({ from: at * BLOCKS_EACH, count: BLOCKS_EACH }, at, { version }))
}

function routesOf(clients: number): number {
  return clients * (clients - 1) * BLOCKS_EACH
}

/** One client's blocks go and come back; the next half round begins when the last of the others has seen it. */
function flap(order: Order, { clients, rounds, atMostMs }: Of<'flap'>): Outcome {
  const stage = meshStage(order, clients)
  const { fleet } = stage
  if (!stage.open()) return stage.noSessions()
  if (!announceAll(stage)) return stage.finish(false, 0)
  stage.settle()
  const [flapping, ...others] = fleet.clients
  const all = (clients - 1) * BLOCKS_EACH
  const gone = withdrawal(stage.plan, { from: 0, count: BLOCKS_EACH })
  const back = stage.updates({ from: 0, count: BLOCKS_EACH }, 0)
  const times = { withdrawals: [] as number[], announcements: [] as number[] }
  const began = stage.start()
  const half = (message: Uint8Array, target: number): number | undefined => {
    for (const { tally } of others) tally.target = target
    const sent = systemClock.now()
    flapping?.send(message)
    return fleet.run(() => fleet.complete, stage.deadline()) ? fleet.completeAt - sent : undefined
  }
  for (let round = 0; round < rounds && systemClock.now() - began < atMostMs; round++) {
    const withdrawn = half(gone, all - BLOCKS_EACH)
    const announced = withdrawn === undefined ? undefined : half(back, all)
    if (withdrawn === undefined || announced === undefined) return stage.finish(false, 0)
    times.withdrawals.push(withdrawn)
    times.announcements.push(announced)
  }
  return { ...stage.finish(true, times.withdrawals.length * 2 * BLOCKS_EACH * (clients - 1), fleet.completeAt), ...times }
}

/** Every connection of a full mesh is reset, and all come back with new versions of their routes. */
function storm(order: Order, { clients, pace }: Of<'storm'>): Outcome {
  const stage = meshStage(order, clients)
  const { fleet } = stage
  if (!stage.open()) return stage.noSessions()
  if (!announceAll(stage)) return stage.finish(false, 0)
  stage.settle()
  const greetings = greetingsOf(stage, 2)
  stage.expectation.version = 2
  stage.start()
  for (const [at, client] of fleet.clients.entries()) {
    client.greeting = greetings[at]
    client.tally.forget()
  }
  fleet.resetAll(pace === 'all-at-once' ? Infinity : pace)
  const stays = () => fleet.complete && fleet.up && systemClock.now() - fleet.completeAt >= STABLE
  const done = fleet.run(stays, stage.deadline())
  return stage.finish(done, routesOf(clients), done ? Math.max(fleet.completeAt, fleet.upAt) : undefined)
}

function idle(order: Order, { clients, ms }: Of<'idle'>): Outcome {
  const ownOf = () => ({ from: 0, to: 0 })
  const stage = new Stage(order, {
    clients,
    plan: PrefixPlan.blocks(0),
    ownOf,
    sourceOf: () => ({ client: 0, set: 0 }),
    quiet: true,
  })
  if (!stage.open()) return stage.noSessions()
  stage.start()
  stage.fleet.rest(millis(ms))
  return stage.finish(true, 0)
}
