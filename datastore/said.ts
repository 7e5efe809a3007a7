/** What somebody gave for a datastore, as it may stand in messages and logs. */

/** As JSON, and without what stands before an @: it may be a password. */
export function said(given: unknown): string {
  return JSON.stringify(given, (_, value) => (typeof value === 'string' ? value.replace(/\/\/.*@/s, '//…@') : value))
}
