/** Whole UPDATEs for one audience, side by side in a chunk of memory that many sessions write from. */

export type Audience =
  /** All members but those that this exclusion names. */
  | { readonly is: 'but'; readonly exclusion: number }
  /** These members only. */
  | { readonly is: 'only'; readonly slots: readonly number[] }

export interface Parcel {
  readonly audience: Audience
  readonly chunk: Uint8Array
  readonly from: number
  readonly to: number
  readonly messages: number
}

/** One that still grows. */
export type OpenParcel = { -readonly [part in keyof Parcel]: Parcel[part] }

/** What a session writes next. */
export interface Load {
  readonly slices: readonly Uint8Array[]
  readonly messages: number
}

/** Gathers parcels into as few slices as there are gaps. */
export class Loader {
  readonly #slices: Uint8Array[] = []
  #chunk: Uint8Array | undefined
  #from = 0
  #to = 0
  octets = 0
  messages = 0

  add({ chunk, from, to, messages }: Parcel): void {
    if (this.#chunk !== chunk || this.#to !== from) {
      this.#cut()
      this.#chunk = chunk
      this.#from = from
    }
    this.#to = to
    this.octets += to - from
    this.messages += messages
  }

  finish(): Load {
    this.#cut()
    return { slices: this.#slices, messages: this.messages }
  }

  #cut(): void {
    if (this.#chunk !== undefined) this.#slices.push(this.#chunk.subarray(this.#from, this.#to))
    this.#chunk = undefined
  }
}
