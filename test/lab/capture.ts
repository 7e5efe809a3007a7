/** Captures frames on a link of the lab and hands them out decoded. */
import type { Frame } from './frame.ts'
import type { Lab } from './lab.ts'

export interface Capture extends AsyncDisposable {
  /** All frames so far that passed the filter, oldest first. */
  readonly frames: readonly Frame[]
  /** Resolves with the first frame that matches, past ones included; rejects after `withinMs` (5 s unless told). */
  first(matches: (frame: Frame) => boolean, withinMs?: number): Promise<Frame>
  /** Ends the capture and returns all that it saw. */
  stop(): Promise<readonly Frame[]>
}

export type CaptureOptions = { readonly filter?: (frame: Frame) => boolean }
export type OpenCapture = (lab: Lab, link: string, options?: CaptureOptions) => Promise<Capture>
