/** What rooms that log need from a logger: constant message, structured fields. */
export type Fields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

const nothing = (): undefined => undefined
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
