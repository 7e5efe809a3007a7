/** One thing that was measured, as data and as a line for people. */

/** What a number is compared with. */
export interface Comparison {
  /** `ip -batch`, or `the bar`. */
  readonly to: string
  /** How many times better, or undefined where only the bar speaks. */
  readonly times?: number
  /** What was asked for, and whether it is so. */
  readonly bar?: { readonly text: string; readonly met: boolean }
}

export interface Measurement {
  readonly what: string
  /** Median over the runs, unless `what` says otherwise. */
  readonly value: number
  readonly unit: 'routes/s' | 'messages/s' | 'packets/s' | 'entries/s' | 'changes' | 'MB/s' | 'MB' | 'ms' | 'µs' | '% of a core'
  readonly runs: number
  readonly comparison?: Comparison
}

export interface Bench {
  readonly name: string
  measure(say: (line: string) => void): Promise<readonly Measurement[]>
}

/** The cells of a line. */
export function cells({ what, value, unit, runs, comparison }: Measurement): string[] {
  return [what, `${formatted(value)} ${unit}`, `${runs}`, comparison === undefined ? '' : words(comparison)]
}

function formatted(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
}

function words({ to, times, bar }: Comparison): string {
  return [
    ...(times === undefined ? [] : [`${times.toFixed(2)} × ${to}`]),
    ...(bar === undefined ? [] : [`${bar.text}: ${bar.met ? 'met' : 'NOT MET'}`]),
  ].join(', ')
}
