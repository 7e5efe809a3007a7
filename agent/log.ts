/** Structured logs on standard error, one line per change of state. */
import type { Log } from '@network/base/run/log.ts'
import { pino } from 'pino'

/** Levels: debug, info, warn, error. */
export function openLog(level: string, fields: Readonly<Record<string, unknown>>): Log {
  const logger = pino(
    { level, base: fields, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: label => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  )
  return {
    debug: (message, more = {}) => logger.debug(more, message),
    info: (message, more = {}) => logger.info(more, message),
    warn: (message, more = {}) => logger.warn(more, message),
    error: (message, more = {}) => logger.error(more, message),
  }
}
