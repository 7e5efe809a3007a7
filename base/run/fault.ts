/** An expected failure at an edge: what was attempted, on what, and why. */
export interface FaultDetail {
  /** The act, as a verb phrase: `replace route`. */
  readonly doing: string
  /** The object as its user knows it: `10.1.2.0/26 dev tunl0`. */
  readonly on: string
  /** The reason in one sentence. */
  readonly says: string
  /** What mends it, where somebody can. */
  readonly mend?: string
  readonly errno?: string
}

export class Fault extends Error {
  override readonly name = 'Fault'
  /** Stable code for machines: `netlink.refused`. */
  readonly code: string
  readonly detail: FaultDetail

  constructor(code: string, detail: FaultDetail, options?: { readonly cause?: unknown }) {
    super(
      `cannot ${detail.doing} ${detail.on}: ${detail.says}${detail.errno === undefined ? '' : ` (${detail.errno})`}${detail.mend === undefined ? '' : `; ${detail.mend}`}`,
      options,
    )
    this.code = code
    this.detail = detail
  }
}

/** The text of whatever was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
