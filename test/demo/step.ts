/** One step of the demonstration: what it claims, what it saw, how it failed. */

/** A line of evidence for people, and its values for machines. */
export interface Evidence {
  readonly text: string
  readonly data?: unknown
}

export interface StepOutcome {
  readonly number: number
  readonly title: string
  readonly passed: boolean
  readonly seconds: number
  readonly evidence: readonly Evidence[]
  readonly failure: { readonly expected: string; readonly seen: string; readonly look: string } | null
}

/** Thrown by a step: what was expected, what was seen instead, where to look. */
export class StepFailure extends Error {
  readonly expected: string
  readonly seen: string
  readonly look: string
  constructor(expected: string, seen: string, look: string) {
    super(`expected ${expected}, saw ${seen}`)
    this.expected = expected
    this.seen = seen
    this.look = look
  }
}

/** Shows a line of evidence the moment it is known. */
export type Show = (text: string, data?: unknown) => void

export interface Step {
  readonly title: string
  run(show: Show): Promise<void>
}

/** Fails the step unless `holds`. */
export function expect(holds: boolean, expected: string, seen: string, look: string): asserts holds {
  if (!holds) throw new StepFailure(expected, seen, look)
}
