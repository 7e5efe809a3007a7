/** One run as one line. */
import type { Outcome } from './load/order.ts'
import type { Scenario } from './scenarios.ts'

/** What was measured, what it cost whom, and what others on the machine did meanwhile. */
export function progressOf({ name, metrics }: Scenario, title: string, outcome: Outcome): string {
  const { speakerCpu, generatorCpu, foreignCpu, received, lost, failed } = outcome
  const measured = metrics.map(({ what, unit, of }) => `${what} ${of(outcome).toFixed(unit === 's' ? 3 : 2)} ${unit}`)
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`
  const cost = `processor ${seconds(speakerCpu)}, generator ${seconds(generatorCpu)}, others ${seconds(foreignCpu)}`
  const oddities = Object.entries({
    duplicates: received.duplicates,
    stale: received.stale,
    echoes: received.echoes,
    lost,
    failed,
  })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
  const verdict = outcome.is === 'complete' ? measured.join(', ') : `${outcome.is}: ${outcome.says ?? ''}`
  return [`${name}, ${title}: ${verdict}; ${cost}`, ...oddities].join(', ')
}
