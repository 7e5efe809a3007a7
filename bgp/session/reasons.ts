/** Why a connection ended, in words and as a record for operators. */
import type { DownReason } from '../fsm/connection.ts'
import type { PeerError } from '../status.ts'
import { COLLISION, describeNotification, sameNotification } from '../wire/notification.ts'

/** Collisions are how two speakers that meet agree: nobody's error. */
export function isCollision(reason: DownReason): boolean {
  if (reason.is !== 'sent' && reason.is !== 'received') return false
  return sameNotification(reason.notification, COLLISION)
}

/** What stays on record; undefined: nothing went wrong. */
export function errorOf(reason: DownReason): Omit<PeerError, 'at'> | undefined {
  switch (reason.is) {
    case 'sent':
    case 'received': {
      const { code, subcode, data } = reason.notification
      const hex = data.length === 0 ? null : Buffer.from(data).toString('hex')
      return { direction: reason.is, code, subcode, text: sayReason(reason), data: hex }
    }
    case 'tcp-lost':
      return { direction: 'local', code: null, subcode: null, text: reason.why, data: null }
    case 'superseded':
    case 'closed':
      return undefined
    default:
      return reason satisfies never
  }
}

/** One sentence for people. */
export function sayReason(reason: DownReason): string {
  switch (reason.is) {
    case 'sent':
      return `${describeNotification(reason.notification)}: ${reason.says}`
    case 'received':
      return `the peer sent ${describeNotification(reason.notification)}`
    case 'tcp-lost':
    case 'closed':
      return reason.why
    case 'superseded':
      return 'the peer opened a new connection'
    default:
      return reason satisfies never
  }
}
