/** The runs as rows for people: medians beside each other, our ratio, and whether that is near enough. */
import { table } from '@network/calictl/render/table.ts'
import { median } from '../statistics.ts'
import type { Outcome } from './load/order.ts'
import type { Metric, Scenario } from './scenarios.ts'
import { PEER_NAMES, type PeerName, SPEAKERS } from './speakers.ts'

/** What two runs of the same differ by on a quiet machine: a bar is met within it. */
const NOISE = 1.15

export interface Run {
  readonly scenario: string
  readonly speaker: PeerName
  readonly outcome: Outcome
}

export interface Row {
  readonly scenario: string
  readonly what: string
  readonly unit: Metric['unit']
  /** Medians over the runs that came to their end. */
  readonly medians: Readonly<Partial<Record<PeerName, number>>>
  readonly against: PeerName
  readonly ratio?: number
  /** Ours to theirs in processor time, which tells more than the clock where others use the machine. */
  readonly processorRatio?: number
  readonly bar: number
  readonly goal: number
  readonly verdict: 'goal met' | 'bar met' | 'NOT MET' | 'not compared'
}

export function rowsOf(scenarios: readonly Scenario[], runs: readonly Run[]): Row[] {
  return scenarios.flatMap(({ name, metrics }) => {
    const own = runs.filter(({ scenario, outcome }) => scenario === name && outcome.is === 'complete')
    return metrics.map(metric => rowOf(name, metric, own))
  })
}

function rowOf(scenario: string, metric: Metric, runs: readonly Run[]): Row {
  const { what, unit, of, against, bar, goal } = metric
  const medians = mediansOf(runs, of)
  const ratio = ratioOf(medians, against)
  const processorRatio =
    unit === 's'
      ? ratioOf(
          mediansOf(runs, ({ speakerCpu }) => speakerCpu),
          against,
        )
      : undefined
  return {
    ...{ scenario, what, unit, medians, against, bar, goal, verdict: verdictOf(ratio, bar, goal) },
    ...(ratio === undefined ? {} : { ratio }),
    ...(processorRatio === undefined ? {} : { processorRatio }),
  }
}

function mediansOf(runs: readonly Run[], of: (outcome: Outcome) => number): Row['medians'] {
  const medians: Partial<Record<PeerName, number>> = {}
  for (const name of PEER_NAMES) {
    const values = runs.filter(({ speaker }) => speaker === name).map(({ outcome }) => of(outcome))
    if (values.length > 0) medians[name] = median(values)
  }
  return medians
}

function ratioOf(medians: Row['medians'], against: PeerName): number | undefined {
  const { cali, [against]: theirs } = medians
  return cali === undefined || theirs === undefined ? undefined : cali / theirs
}

function verdictOf(ratio: number | undefined, bar: number, goal: number): Row['verdict'] {
  if (ratio === undefined) return 'not compared'
  if (ratio <= goal * NOISE) return 'goal met'
  return ratio <= bar * NOISE ? 'bar met' : 'NOT MET'
}

/** Failures too, each with its reason: a speaker that drops routes is not fast. */
export function render(rows: readonly Row[], runs: readonly Run[], names: readonly PeerName[]): string {
  const head = [
    'SCENARIO',
    'WHAT',
    ...names.map(name => SPEAKERS[name].title.toUpperCase()),
    'RATIO',
    'PROCESSOR',
    'BAR',
    'GOAL',
    'VERDICT',
  ]
  const cells = rows.map(row => [
    row.scenario,
    row.what,
    ...names.map(name => formatted(row.medians[name], row.unit)),
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} × ${SPEAKERS[row.against].title}`,
    row.processorRatio === undefined ? '' : row.processorRatio.toFixed(2),
    `${row.bar}`,
    `${row.goal}`,
    row.verdict,
  ])
  return [table(head, cells), ...failuresOf(runs)].join('\n')
}

/** Of all processors of the machine, the share that others took while jobs ran. */
export function shareOfOthers(runs: readonly Run[], cores: number): number {
  const sum = (of: (outcome: Outcome) => number) => runs.reduce((total, { outcome }) => total + of(outcome), 0)
  return sum(({ foreignCpu }) => foreignCpu) / cores / sum(({ wall }) => wall)
}

function formatted(value: number | undefined, unit: string): string {
  if (value === undefined) return ''
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)} ${unit}`
}

function failuresOf(runs: readonly Run[]): string[] {
  const failed = runs.filter(({ outcome }) => outcome.is !== 'complete')
  return failed.map(
    ({ scenario, speaker, outcome }) => `${scenario}, ${SPEAKERS[speaker].title}: ${outcome.is}: ${outcome.says ?? ''}`,
  )
}
