/** NOTIFICATION: its codes, its bytes and the sentence a person reads. RFC 4271 §4.5, RFC 4486, RFC 6608, RFC 9003. */
import { frame } from './header.ts'

export interface Notification {
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

const NOTHING = new Uint8Array(0)

export function notification(code: number, subcode: number, data: Uint8Array = NOTHING): Notification {
  return { code, subcode, data }
}

export const HEADER_FAULT = { code: 1, notSynchronized: 1, badLength: 2, badType: 3 } as const
export const OPEN_FAULT = {
  code: 2,
  unspecific: 0,
  badVersion: 1,
  badPeerAs: 2,
  badIdentifier: 3,
  unknownParameter: 4,
  badHoldTime: 6,
  missingCapability: 7,
  roleMismatch: 11,
} as const
export const UPDATE_FAULT = {
  code: 3,
  malformedAttributes: 1,
  unknownWellKnown: 2,
  optionalAttribute: 9,
  badNetwork: 10,
} as const
export const HOLD_EXPIRED = notification(4, 0)
export const FSM_FAULT = { code: 5, inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const
/** RFC 9687. */
export const SEND_HOLD_EXPIRED = notification(8, 0)
export const REFRESH_FAULT = { code: 7, badLength: 1 } as const

const CEASE = {
  code: 6,
  tooManyPrefixes: 1,
  shutdown: 2,
  deconfigured: 3,
  reset: 4,
  rejected: 5,
  otherChange: 6,
  collision: 7,
  hardReset: 9,
  bfdDown: 10,
} as const
export const COLLISION = notification(CEASE.code, CEASE.collision)
export const DECONFIGURED = notification(CEASE.code, CEASE.deconfigured)
/** RFC 4486 §4. */
export const OTHER_CHANGE = notification(CEASE.code, CEASE.otherChange)
/** RFC 9384. */
export const BFD_DOWN = notification(CEASE.code, CEASE.bfdDown)
export const REJECTED = notification(CEASE.code, CEASE.rejected)

/** What is said when a session ends because its operator wants it gone, or because the peer told too much. */
export function endsForGood({ code, subcode }: Notification): boolean {
  return code === CEASE.code && [CEASE.tooManyPrefixes, CEASE.shutdown, CEASE.deconfigured].some(each => each === subcode)
}

/** RFC 8538 §3: nothing is kept over it; its data is the NOTIFICATION that would have been sent. */
export function hardReset({ code, subcode, data }: Notification): Notification {
  return notification(CEASE.code, CEASE.hardReset, Uint8Array.from([code, subcode, ...data]))
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === CEASE.code && subcode === CEASE.hardReset
}

/** Equal but for their data. */
export function sameNotification(a: Notification, b: Notification): boolean {
  return a.code === b.code && a.subcode === b.subcode
}

/** Administrative shutdown with a sentence of at most 255 octets of UTF-8 for the other operator. RFC 9003 §2. */
export function shutdown(text: string): Notification {
  return withText(CEASE.shutdown, text)
}

/** Administrative reset: the session may come again at once. RFC 9003 §2. */
export function adminReset(text: string): Notification {
  return withText(CEASE.reset, text)
}

function withText(subcode: number, text: string): Notification {
  const encoded = wholeCharacters(new TextEncoder().encode(text), 255)
  const data = new Uint8Array(1 + encoded.length)
  data[0] = encoded.length
  data.set(encoded, 1)
  return notification(CEASE.code, subcode, text === '' ? NOTHING : data)
}

export function encodeNotification(value: Notification): Uint8Array {
  const body = new Uint8Array(2 + value.data.length)
  body[0] = value.code
  body[1] = value.subcode
  body.set(value.data, 2)
  return frame('notification', body)
}

/** Never fails: framing has seen to the two octets; the data is whatever it is. */
export function decodeNotification(body: Uint8Array): Notification {
  return notification(body[0] ?? 0, body[1] ?? 0, body.slice(2))
}

/** `cease, administrative shutdown (6/2): "upgrade"`; a hard reset tells what it is for, one level deep. */
export function describeNotification(value: Notification): string {
  const outer = describeOne(value)
  return isHardReset(value) && value.data.length >= 2 ? `${outer}, for ${describeOne(decodeNotification(value.data))}` : outer
}

function describeOne(value: Notification): string {
  const subject = CODES.get(value.code) ?? 'unknown error'
  const detail = SUBCODES.get(`${value.code}/${value.subcode}`)
  const words = shutdownText(value)
  return `${subject}${detail === undefined ? '' : `, ${detail}`} (${value.code}/${value.subcode})${words === undefined ? '' : `: "${words}"`}`
}

/** The other operator's sentence, made harmless; undefined when there is none or it breaks RFC 9003. */
export function shutdownText(value: Notification): string | undefined {
  if (value.code !== CEASE.code || (value.subcode !== CEASE.shutdown && value.subcode !== CEASE.reset)) return undefined
  const length = value.data[0]
  if (length === undefined || length === 0 || length > value.data.length - 1) return undefined
  const text = new TextDecoder().decode(value.data.subarray(1, 1 + length))
  return text.replace(/\p{C}/gu, '?')
}

const CODES = new Map([
  [1, 'message header error'],
  [2, 'OPEN error'],
  [3, 'UPDATE error'],
  [4, 'hold timer expired'],
  [5, 'state machine error'],
  [6, 'cease'],
  [7, 'ROUTE-REFRESH error'],
  [8, 'send hold timer expired'],
])

const SUBCODES = new Map([
  ['1/1', 'connection not synchronised'],
  ['1/2', 'bad message length'],
  ['1/3', 'bad message type'],
  ['2/1', 'unsupported version'],
  ['2/2', 'bad peer AS'],
  ['2/3', 'bad BGP identifier'],
  ['2/4', 'unsupported optional parameter'],
  ['2/6', 'unacceptable hold time'],
  ['2/7', 'unsupported capability'],
  ['2/11', 'role mismatch'],
  ['3/1', 'malformed attribute list'],
  ['3/2', 'unrecognised well-known attribute'],
  ['3/3', 'missing well-known attribute'],
  ['3/4', 'attribute flags error'],
  ['3/5', 'attribute length error'],
  ['3/6', 'invalid ORIGIN'],
  ['3/8', 'invalid NEXT_HOP'],
  ['3/9', 'optional attribute error'],
  ['3/10', 'invalid network field'],
  ['3/11', 'malformed AS_PATH'],
  ['5/1', 'unexpected message in OpenSent'],
  ['5/2', 'unexpected message in OpenConfirm'],
  ['5/3', 'unexpected message in Established'],
  ['6/1', 'maximum number of prefixes reached'],
  ['6/2', 'administrative shutdown'],
  ['6/3', 'peer de-configured'],
  ['6/4', 'administrative reset'],
  ['6/5', 'connection rejected'],
  ['6/6', 'other configuration change'],
  ['6/7', 'connection collision'],
  ['6/8', 'out of resources'],
  ['6/9', 'hard reset'],
  ['6/10', 'BFD down'],
  ['7/1', 'invalid message length'],
])

/** Cuts UTF-8 so that no character is torn. */
function wholeCharacters(bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length <= limit) return bytes
  let end = limit
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
