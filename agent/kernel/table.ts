/** One kind of kernel state that a reconciler keeps: how to read it, compare it and change it. */

import type { Seen } from '@network/base/state/delta-map.ts'

export type Outcome =
  | { readonly is: 'done' }
  /** Cannot be done before something else appears; the event of that is what wakes us. */
  | { readonly is: 'waiting'; readonly says: string }
  | { readonly is: 'failed'; readonly says: string }

export interface Step<W, H> {
  readonly key: string
  /** Undefined: remove what is there. */
  readonly want: W | undefined
  /** Undefined: nothing is there. */
  readonly have: H | undefined
}

export interface Table<W, H> {
  readonly name: string
  /** What is in the kernel, read to its end, as a Map or the like: all rows that carry our mark, and whatever stands at a wanted key. */
  list(wanted: ReadonlyMap<string, W>): Seen<string, H>
  same(want: W, have: H): boolean
  /** Somebody else's row at a key of ours: described, and neither overwritten nor removed. */
  foreign(have: H, key: string): string | undefined
  /** One outcome a step, in order; a failed step does not spoil others. */
  apply(steps: readonly Step<W, H>[]): readonly Outcome[]
  /** For people: what was found where something else was wanted. */
  describe(have: H, key: string): string
}
