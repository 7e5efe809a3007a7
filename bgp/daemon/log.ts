/** Structured logs on standard error: one JSON object a line. */
import type { Fields, Log } from '@network/base/run/log.ts'
import type { Clock } from '@network/base/time/clock.ts'

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof LEVELS)[number]

export function openLog(lowest: Level, clock: Clock, write: (line: string) => void): Log {
  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return
      write(`${JSON.stringify({ level, time: clock.wall().toISOString(), msg: message, ...fields })}\n`)
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
