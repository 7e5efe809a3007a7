/** Structured logs on standard error, one line per change of state. */
import type { Log } from '@network/base/run/log.ts'
import type { LogLevel } from '@network/model/resources/shared.ts'
import { pino } from 'pino'

/** A log whose level may change while it is used. */
export interface AdjustableLog extends Log {
  at(level: LogLevel): void
}

const LEVELS: Readonly<Record<LogLevel, string>> = {
  Debug: 'debug',
  Info: 'info',
  Warning: 'warn',
  Error: 'error',
  Fatal: 'fatal',
}

/** Levels: debug, info, warn, error. */
export function openLog(level: string, fields: Readonly<Record<string, unknown>>): AdjustableLog {
  const logger = pino(
    { level, base: fields, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: label => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  )
  return {
    at(wanted) {
      logger.level = LEVELS[wanted]
    },
    debug: (message, more = {}) => logger.debug(more, message),
    info: (message, more = {}) => logger.info(more, message),
    warn: (message, more = {}) => logger.warn(more, message),
    error: (message, more = {}) => logger.error(more, message),
  }
}
