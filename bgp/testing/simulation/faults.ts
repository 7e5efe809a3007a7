/** What goes wrong in a simulation, and when: everything from one seed, and every fault is over in the end. */
import { seededRandom } from '@network/base/testing/seeded-random.ts'
import type { Random } from '@network/base/time/clock.ts'
import { type Shape, sessionsOf } from './topology.ts'

/** Times are milliseconds since the start; `until` is when the fault is mended. */
export type Fault = { readonly at: number; readonly until: number } & (
  | { readonly is: 'slow'; readonly a: number; readonly b: number; readonly latency: number }
  /** Nothing passes between the two; TCP sends it again afterwards. */
  | { readonly is: 'cut'; readonly a: number; readonly b: number }
  /** The stream breaks; a new one may come at once. */
  | { readonly is: 'reset'; readonly a: number; readonly b: number }
  /** These and all others do not reach each other. */
  | { readonly is: 'partition'; readonly side: readonly number[] }
  /** The process dies and comes back; the kernel goes on forwarding. */
  | { readonly is: 'crash'; readonly speaker: number }
  /** The machine goes without a word and comes back empty. */
  | { readonly is: 'power-off'; readonly speaker: number }
  /** The process stands still; what arrives waits. */
  | { readonly is: 'asleep'; readonly speaker: number }
  /** A shared prefix is announced meanwhile. */
  | { readonly is: 'announced'; readonly speaker: number; readonly shared: number }
  /** The speaker's own block is withdrawn meanwhile. */
  | { readonly is: 'withdrawn'; readonly speaker: number }
)

export interface Scenario {
  readonly seed: number
  readonly shape: Shape
  readonly faults: readonly Fault[]
}

/** Shared prefixes that stay announced to the end, several speakers each. */
const SHARED = 6
const FIRST_FAULT = 20_000
/** By then every fault is over. */
export const LAST_FAULT = 140_000
const KINDS = [
  'slow',
  'cut',
  'reset',
  'reset',
  'partition',
  'crash',
  'crash',
  'power-off',
  'asleep',
  'announced',
  'withdrawn',
] as const

/** The same seed and number give the same scenario, always. */
export function scenarioFor(seed: number, speakers: number): Scenario {
  const random = seededRandom(seed)
  const shape = withPaths(shapeFor(random, speakers), seed)
  const sessions = sessionsOf(shape)
  const count = 4 + pick(random, 20)
  const faults = Array.from({ length: count }, () => faultFor(random, shape, sessions))
  return { seed, shape, faults: [...keptAnnouncements(random, shape), ...faults].toSorted((a, b) => a.at - b.at) }
}

/** Two faults may want the same speaker to be gone: the later one waits for nobody and finds it gone. */
function faultFor(random: Random, shape: Shape, sessions: readonly (readonly [number, number])[]): Fault {
  const at = FIRST_FAULT + pick(random, LAST_FAULT - FIRST_FAULT - 1000)
  const until = Math.min(LAST_FAULT, at + 1 + pick(random, 60_000))
  const [a, b] = sessions[pick(random, sessions.length)] ?? [0, 1]
  const speaker = pick(random, shape.speakers)
  const is = KINDS[pick(random, KINDS.length)] ?? 'reset'
  if (is === 'slow') return { is, at, until, a, b, latency: 1 + pick(random, 4000) }
  if (is === 'cut' || is === 'reset') return { is, at, until, a, b }
  if (is === 'partition') return { is, at, until, side: sideOf(random, shape) }
  if (is === 'announced') return { is, at, until, speaker, shared: SHARED + pick(random, SHARED) }
  return { is, at, until, speaker }
}

function keptAnnouncements(random: Random, shape: Shape): readonly Fault[] {
  return Array.from({ length: SHARED * 2 }, (_, number) => ({
    is: 'announced' as const,
    at: pick(random, LAST_FAULT),
    until: Number.POSITIVE_INFINITY,
    speaker: pick(random, shape.speakers),
    shared: number % SHARED,
  }))
}

function shapeFor(random: Random, speakers: number): Shape {
  const kind = pick(random, 3)
  if (kind === 0 && speakers <= 100) return { is: 'mesh', speakers }
  if (kind === 1) {
    const spines = 2 + pick(random, 3)
    return { is: 'fabric', speakers, spines, leaves: Math.max(2, Math.floor((speakers - spines) / 8)) }
  }
  return { is: 'reflectors', speakers, reflectors: 1 + pick(random, 4) }
}

/** Two of three groups of reflectors tell several paths of a prefix. */
function withPaths(shape: Shape, seed: number): Shape {
  if (shape.is !== 'reflectors' || seed % 3 === 0) return shape
  return { ...shape, paths: seed % 3 === 1 ? 'all' : 2 }
}

function sideOf(random: Random, { speakers }: Shape): readonly number[] {
  const share = 0.1 + 0.4 * random()
  return Array.from({ length: speakers }, (_, index) => index).filter(() => random() < share)
}

function pick(random: Random, count: number): number {
  return Math.floor(random() * count)
}
