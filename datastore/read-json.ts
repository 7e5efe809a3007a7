/** Reads what a store holds; pure. */

import { NOT_JSON } from './port.ts'

/** The document, or `NOT_JSON`. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return NOT_JSON
  }
}
