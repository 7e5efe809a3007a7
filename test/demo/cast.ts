/** Who takes part in the demonstration. */
import type { Lab, LabPod } from '../lab/lab.ts'

/** The three pods that the demonstration looks at. */
export interface Cast {
  readonly lab: Lab
  /** On the first node. */
  readonly here: LabPod
  /** On another node of the same rack. */
  readonly near: LabPod
  /** In another rack. */
  readonly far: LabPod
}
