/** A text that nobody prints by mistake: not in logs, not as JSON, not when inspected. */
import { inspect } from 'node:util'

const HIDDEN = '(secret)'

export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself, for whoever must hand it to the kernel. */
  reveal(): string {
    return this.#text
  }

  toJSON(): string {
    return HIDDEN
  }

  toString(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }

  /** The same text, or neither is there. */
  static same(a: Secret | undefined, b: Secret | undefined): boolean {
    return a?.reveal() === b?.reveal()
  }
}
