/** Documents for programs. */

export function json(document: unknown): string {
  return JSON.stringify(document, null, 2)
}
