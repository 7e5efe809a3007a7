/** What is measured: the job of each scenario, and how near to whom cali-bgpd must come in it. */
import { percentile } from '../statistics.ts'
import type { Job, Outcome } from './load/order.ts'
import type { PeerName } from './speakers.ts'

/** A number of an outcome that is compared. */
export interface Metric {
  readonly what: string
  readonly unit: 's' | 'ms' | 'MB' | 'kB'
  readonly of: (outcome: Outcome) => number
  /** The speaker compared with; times its number that must be reached, and that is wished for. */
  readonly against: PeerName
  readonly bar: number
  readonly goal: number
}

export interface Scenario {
  readonly name: string
  /** One sentence for people. */
  readonly says: string
  readonly job: Job
  /** The same with numbers so small that it only shows whether everything works. */
  readonly small: Job
  readonly metrics: readonly Metric[]
}

const FEW = { clients: 6 }
const seconds = (against: PeerName, bar: number, goal: number): Metric => ({
  what: 'wall',
  unit: 's',
  of: ({ wall }) => wall / 1000,
  against,
  bar,
  goal,
})

const peakOfBird: Metric = {
  what: 'peak memory',
  unit: 'MB',
  of: ({ atEnd }) => atEnd.peak / 1024,
  against: 'bird',
  bar: 2,
  goal: 1.5,
}

const memoryOfSession: Metric = {
  what: 'memory a session',
  unit: 'kB',
  of: ({ atStart, withSessions, sessions }) => (withSessions.memory - atStart.memory) / sessions,
  against: 'bird',
  bar: 1.5,
  goal: 1,
}

const latency = (half: 'withdrawals' | 'announcements', percent: number): Metric => ({
  what: `${half === 'withdrawals' ? 'withdrawn' : 'announced'} p${percent}`,
  unit: 'ms',
  of: outcome => percentile(outcome[half] ?? [], percent),
  against: 'bird',
  bar: 1.2,
  goal: 1,
})

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'absorb-1m-grouped',
    says: 'a million prefixes in 100,000 attribute sets, to one receiver',
    job: { is: 'table', prefixes: 1_000_000, perUpdate: 10, receivers: 1 },
    small: { is: 'table', prefixes: 5000, perUpdate: 10, receivers: 1 },
    metrics: [seconds('bird', 1, 0.6), peakOfBird],
  },
  {
    name: 'absorb-1m-same',
    says: 'a million prefixes in one attribute set, to one receiver',
    job: { is: 'table', prefixes: 1_000_000, perUpdate: 'full', receivers: 1 },
    small: { is: 'table', prefixes: 5000, perUpdate: 'full', receivers: 1 },
    metrics: [seconds('bird', 1, 0.6)],
  },
  ...[200, 1000].map(clients => ({
    name: `mesh-${clients}`,
    says: `${clients} clients announce 4 blocks each, and hear those of all others`,
    job: { is: 'mesh', clients } as const,
    small: { is: 'mesh', ...FEW } as const,
    metrics: [seconds('frr', 1, 0.5)],
  })),
  ...[10, 100].map(thousands => ({
    name: `fanout-${thousands}k-100`,
    says: `${thousands},000 blocks of one client, to 100 receivers`,
    job: { is: 'fanout', prefixes: thousands * 1000, receivers: 100 } as const,
    small: { is: 'fanout', prefixes: 500, receivers: 5 } as const,
    metrics: [seconds('frr', 1, 0.5)],
  })),
  {
    name: 'flap-200',
    says: "one client's 4 blocks go and come back, until the last of 199 has seen it",
    job: { is: 'flap', clients: 200, rounds: 1000, atMostMs: 4000 },
    small: { is: 'flap', ...FEW, rounds: 3, atMostMs: 4000 },
    metrics: [latency('announcements', 50), latency('announcements', 99), latency('withdrawals', 50), latency('withdrawals', 99)],
  },
  {
    name: 'storm-500',
    says: 'all sessions of a full mesh are reset and come back at once',
    job: { is: 'storm', clients: 500, pace: 'all-at-once' },
    small: { is: 'storm', ...FEW, pace: 'all-at-once' },
    metrics: [seconds('frr', 1, 0.7)],
  },
  {
    name: 'storm-500-paced',
    says: 'the same, four connecting at a time',
    job: { is: 'storm', clients: 500, pace: 4 },
    small: { is: 'storm', ...FEW, pace: 4 },
    metrics: [seconds('frr', 1.3, 1)],
  },
  {
    name: 'idle-1000',
    says: 'a thousand sessions without routes',
    job: { is: 'idle', clients: 1000, ms: 3000 },
    small: { is: 'idle', ...FEW, ms: 100 },
    metrics: [memoryOfSession],
  },
]
