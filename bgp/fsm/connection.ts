/** One BGP connection as a value: `step` takes it from event to event and says what is to be done. RFC 4271 §8. */
import { after, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import { type MessageKind, messageType } from '../wire/header.ts'
import {
  endsForGood,
  FSM_FAULT,
  HOLD_EXPIRED,
  hardReset,
  type Notification,
  notification,
  SEND_HOLD_EXPIRED,
} from '../wire/notification.ts'
import type { Open } from '../wire/open.ts'
import { type Expectation, FASTEST_KEEPALIVE, negotiate, type SessionTerms } from './negotiate.ts'

export type ConnState = 'idle' | 'connect' | 'active' | 'open-sent' | 'open-confirm' | 'established'
export type DeadlineName = 'connectRetry' | 'hold' | 'keepalive' | 'sendHold'

export interface Conn {
  readonly origin: 'dialled' | 'accepted'
  readonly state: ConnState
  /** Timers are points in time; a missing one does not run. */
  readonly deadlines: Readonly<Partial<Record<DeadlineName, Instant>>>
  /** Known from OpenConfirm on. */
  readonly terms: SessionTerms | undefined
  /** Protocol failures since the last established session: they stretch the time to the next dial. */
  readonly failures: number
  /** Dials in a row that nobody answered: they stretch it too. */
  readonly unanswered: number
}

export interface ConnConfig extends Expectation {
  /** What we say in OPEN. */
  readonly open: Open
  readonly connectRetry: Millis
  /** Never dial. */
  readonly passive: boolean
}

/** The time, and a number from 0 to 1 drawn for this step. */
export interface Moment {
  readonly now: Instant
  readonly chance: number
}

export type ConnEvent =
  /** Dial after this long. */
  | { readonly is: 'start'; readonly delay: Millis }
  /** Close, with a last word or without one. */
  | { readonly is: 'stop'; readonly reason: DownReason }
  | { readonly is: 'tcp-up' }
  | { readonly is: 'tcp-down'; readonly why: string }
  | { readonly is: 'open'; readonly open: Open }
  | { readonly is: 'keepalive' }
  | { readonly is: 'update' }
  | { readonly is: 'routeRefresh' }
  | { readonly is: 'notification'; readonly notification: Notification }
  /** What arrived is beyond repair. */
  | { readonly is: 'fault'; readonly notification: Notification; readonly says: string }
  /** The stream takes no more of what we say, or takes it again. */
  | { readonly is: 'stuck' }
  | { readonly is: 'drained' }
  | { readonly is: 'deadline'; readonly which: DeadlineName }

/** Why a connection ended: RFC 4724 needs to tell a lost one from one that was closed with a NOTIFICATION. */
export type DownReason =
  /** `mayReturn`: whether this end, of itself, leaves hope for the routes; left out: as the NOTIFICATION has it. */
  | { readonly is: 'sent'; readonly notification: Notification; readonly says: string; readonly mayReturn?: boolean }
  | { readonly is: 'received'; readonly notification: Notification }
  | { readonly is: 'tcp-lost'; readonly why: string }
  /** A newer connection of the same peer took its place. */
  | { readonly is: 'superseded' }
  | { readonly is: 'closed'; readonly why: string }

export type ConnAction =
  | { readonly is: 'dial' }
  | { readonly is: 'close' }
  | { readonly is: 'send'; readonly message: ControlMessage }
  | { readonly is: 'up'; readonly terms: SessionTerms }
  | { readonly is: 'down'; readonly from: ConnState; readonly reason: DownReason }

export type ControlMessage =
  | { readonly kind: 'open'; readonly open: Open }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'notification'; readonly notification: Notification }

export interface Step {
  readonly conn: Conn
  readonly actions: readonly ConnAction[]
}

export const DIALLER: Conn = { origin: 'dialled', state: 'idle', deadlines: {}, terms: undefined, failures: 0, unanswered: 0 }
export const ACCEPTED: Conn = { ...DIALLER, origin: 'accepted', state: 'active' }

/** A peer that connects but stays mute is dropped after this. RFC 4271 §8.2.2 suggests four minutes. */
export const LARGE_HOLD = millis(240_000)
/** A peer that reads nothing for so long, or for twice the hold time, is lost whatever it says. RFC 9687 §4. */
const SHORTEST_SEND_HOLD = millis(480_000)
const LONGEST_RETRY = millis(60_000)
/** Nobody tells us that a cut is mended, so a peer that is away is asked for more often than one that does not understand us. */
const LONGEST_UNANSWERED = millis(16_000)

export function step(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (conn.state) {
    case 'idle':
    case 'active':
      return whenWaiting(conn, event, config, at)
    case 'connect':
      return whenConnecting(conn, event, config, at)
    case 'open-sent':
      return whenOpenSent(conn, event, config, at)
    case 'open-confirm':
      return whenOpenConfirm(conn, event, config, at)
    case 'established':
      return whenEstablished(conn, event, config, at)
    default:
      return conn.state satisfies never
  }
}

/** The deadline that comes first. */
export function nextDeadline(conn: Conn): { readonly which: DeadlineName; readonly at: Instant } | undefined {
  let first: { readonly which: DeadlineName; readonly at: Instant } | undefined
  for (const which of ['hold', 'keepalive', 'connectRetry', 'sendHold'] as const) {
    const at = conn.deadlines[which]
    if (at !== undefined && (first === undefined || at < first.at)) first = { which, at }
  }
  return first
}

/** From 0.75 to 1.0 of a duration. RFC 4271 §10. */
export function jittered(duration: Millis, chance: number): Millis {
  return millis(duration * (0.75 + 0.25 * chance))
}

function whenWaiting(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'start':
      if (config.passive) return stay({ ...conn, state: 'active', deadlines: {} })
      if (event.delay <= 0) return dial(conn, config, at)
      return stay({ ...conn, state: 'active', deadlines: { connectRetry: after(at.now, event.delay) } })
    case 'deadline':
      return config.passive ? stay({ ...conn, state: 'active', deadlines: {} }) : dial(conn, config, at)
    case 'tcp-up':
      return greet(conn, config, at)
    case 'stop':
      return { conn: { ...conn, state: 'idle', deadlines: {}, unanswered: 0 }, actions: [] }
    default:
      return stay(conn)
  }
}

function dial(conn: Conn, config: ConnConfig, at: Moment): Step {
  const deadlines = { connectRetry: nextDial(conn, config, at) }
  return { conn: { ...conn, state: 'connect', deadlines }, actions: [{ is: 'dial' }] }
}

/** Twice as long after each further dial that nobody answered. */
function nextDial({ unanswered }: Conn, { connectRetry }: ConnConfig, at: Moment): Instant {
  const wait = Math.min(Math.max(connectRetry, LONGEST_UNANSWERED), connectRetry * 2 ** Math.min(Math.max(0, unanswered - 1), 10))
  return after(at.now, jittered(millis(wait), at.chance))
}

/** OPEN goes out as soon as TCP stands, whoever dialled. */
function greet(conn: Conn, config: ConnConfig, at: Moment): Step {
  return {
    conn: { ...conn, state: 'open-sent', deadlines: { hold: after(at.now, LARGE_HOLD) }, terms: undefined, unanswered: 0 },
    actions: [{ is: 'send', message: { kind: 'open', open: config.open } }],
  }
}

function whenConnecting(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'tcp-up':
      return greet(conn, config, at)
    case 'tcp-down':
      return stay(waiting({ ...conn, unanswered: conn.unanswered + 1 }, config, at))
    case 'deadline': {
      const again = dial({ ...conn, unanswered: conn.unanswered + 1 }, config, at)
      return { conn: again.conn, actions: [{ is: 'close' }, ...again.actions] }
    }
    case 'stop':
      return { conn: { ...conn, state: 'idle', deadlines: {}, unanswered: 0 }, actions: [{ is: 'close' }] }
    default:
      return stay(conn)
  }
}

function whenOpenSent(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'open':
      return answerOpen(conn, event.open, config, at)
    case 'keepalive':
    case 'update':
    case 'routeRefresh':
      return refuse(conn, unexpected(FSM_FAULT.inOpenSent, event.is), config, at)
    default:
      return whenAnyOpen(conn, event, config, at)
  }
}

function answerOpen(conn: Conn, theirs: Open, config: ConnConfig, at: Moment): Step {
  const negotiated = negotiate(config.open, theirs, config)
  if (!negotiated.ok) return refuse(conn, negotiated, config, at)
  const { terms } = negotiated
  return {
    conn: { ...conn, state: 'open-confirm', terms, deadlines: { ...heldUntil(terms, at), ...keepaliveAt(terms, at) } },
    actions: [{ is: 'send', message: { kind: 'keepalive' } }],
  }
}

function whenOpenConfirm(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'keepalive':
      return establish(conn, at)
    case 'open':
    case 'update':
    case 'routeRefresh':
      return refuse(conn, unexpected(FSM_FAULT.inOpenConfirm, event.is), config, at)
    default:
      return whenAnyOpen(conn, event, config, at)
  }
}

function establish(conn: Conn, at: Moment): Step {
  if (conn.terms === undefined) return stay(conn)
  const deadlines = { ...conn.deadlines, ...heldUntil(conn.terms, at) }
  return { conn: { ...conn, state: 'established', failures: 0, deadlines }, actions: [{ is: 'up', terms: conn.terms }] }
}

function whenEstablished(conn: Conn, event: ConnEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'keepalive':
    case 'update':
      return stay(conn.terms === undefined ? conn : { ...conn, deadlines: { ...conn.deadlines, ...heldUntil(conn.terms, at) } })
    case 'routeRefresh':
      return stay(conn)
    case 'stuck':
      return stay({ ...conn, deadlines: { ...sendHeldUntil(conn, at), ...conn.deadlines } })
    case 'drained': {
      const { sendHold: _over, ...deadlines } = conn.deadlines
      return stay({ ...conn, deadlines })
    }
    case 'open':
      return refuse(conn, unexpected(FSM_FAULT.inEstablished, event.is), config, at)
    default:
      return whenAnyOpen(conn, event, config, at)
  }
}

type OpenEvent = Exclude<ConnEvent, { readonly is: 'open' | 'keepalive' | 'update' | 'routeRefresh' }>

/** What every state with a TCP connection answers in the same way. */
function whenAnyOpen(conn: Conn, event: OpenEvent, config: ConnConfig, at: Moment): Step {
  switch (event.is) {
    case 'deadline':
      if (event.which === 'keepalive') return keepAlive(conn, at)
      return refuse(conn, event.which === 'sendHold' ? SEND_HOLD_FAULT : HOLD_FAULT, config, at)
    case 'fault':
      return refuse(conn, event, config, at)
    case 'tcp-down':
      return { conn: waiting(conn, config, at), actions: [down(conn, { is: 'tcp-lost', why: event.why })] }
    case 'notification': {
      const reason: DownReason = { is: 'received', notification: event.notification }
      return { conn: failed(conn, config, at), actions: [{ is: 'close' }, down(conn, reason)] }
    }
    case 'stop':
      return {
        conn: { ...conn, state: 'idle', deadlines: {} },
        actions: [...finalWord(conn, event.reason), { is: 'close' }, down(conn, event.reason)],
      }
    case 'start':
    case 'tcp-up':
    case 'stuck':
    case 'drained':
      return stay(conn)
    default:
      return event satisfies never
  }
}

const SEND_HOLD_FAULT = { notification: SEND_HOLD_EXPIRED, says: 'the peer has not read what we say for too long' }
const HOLD_FAULT = { notification: HOLD_EXPIRED, says: 'nothing was heard from the peer for the whole hold time' }

function keepAlive(conn: Conn, at: Moment): Step {
  if (conn.terms === undefined) return stay(conn)
  const deadlines = { ...conn.deadlines, ...keepaliveAt(conn.terms, at) }
  return { conn: { ...conn, deadlines }, actions: [{ is: 'send', message: { kind: 'keepalive' } }] }
}

function refuse(
  conn: Conn,
  fault: { readonly notification: Notification; readonly says: string },
  config: ConnConfig,
  at: Moment,
): Step {
  const reason: DownReason = { is: 'sent', notification: fault.notification, says: fault.says }
  return { conn: failed(conn, config, at), actions: [...lastWord(reason), { is: 'close' }, down(conn, reason)] }
}

/** Where a NOTIFICATION is survived, an end that is meant to be one must say so (RFC 8538 §3.1). */
function finalWord(conn: Conn, reason: DownReason): readonly ConnAction[] {
  if (reason.is !== 'sent' || conn.terms?.keptOverNotification !== true || !endsForGood(reason.notification))
    return lastWord(reason)
  return lastWord({ ...reason, notification: hardReset(reason.notification) })
}

function lastWord(reason: DownReason): readonly ConnAction[] {
  if (reason.is !== 'sent') return []
  return [{ is: 'send', message: { kind: 'notification', notification: reason.notification } }]
}

function down(conn: Conn, reason: DownReason): ConnAction {
  return { is: 'down', from: conn.state, reason }
}

function unexpected(subcode: number, kind: MessageKind): { readonly notification: Notification; readonly says: string } {
  const type = messageType(kind)
  return {
    notification: notification(FSM_FAULT.code, subcode, Uint8Array.of(type)),
    says: `a message of type ${type} out of turn`,
  }
}

/** TCP failed: dial again after the connect-retry time, or more when nobody answers for long. */
function waiting(conn: Conn, config: ConnConfig, at: Moment): Conn {
  if (conn.origin === 'accepted') return { ...conn, state: 'idle', deadlines: {} }
  const deadlines = config.passive ? {} : { connectRetry: nextDial(conn, config, at) }
  return { ...conn, state: 'active', deadlines, terms: undefined }
}

/** The two do not understand each other: wait longer each time. RFC 4271 §8.1.1, DampPeerOscillations. */
function failed(conn: Conn, config: ConnConfig, at: Moment): Conn {
  if (conn.origin === 'accepted') return { ...conn, state: 'idle', deadlines: {} }
  const wait = millis(Math.min(LONGEST_RETRY, config.connectRetry * 2 ** Math.min(conn.failures, 10)))
  const connectRetry = after(at.now, jittered(wait, at.chance))
  return { ...conn, state: 'idle', deadlines: { connectRetry }, terms: undefined, failures: conn.failures + 1 }
}

function heldUntil(terms: SessionTerms, at: Moment): Partial<Record<DeadlineName, Instant>> {
  return terms.holdTime === 0 ? {} : { hold: after(at.now, millis(terms.holdTime * 1000)) }
}

function sendHeldUntil({ terms }: Conn, at: Moment): Partial<Record<DeadlineName, Instant>> {
  return { sendHold: after(at.now, millis(Math.max(SHORTEST_SEND_HOLD, (terms?.holdTime ?? 0) * 2000))) }
}

function keepaliveAt(terms: SessionTerms, at: Moment): Partial<Record<DeadlineName, Instant>> {
  if (terms.holdTime === 0) return {}
  return { keepalive: after(at.now, millis(Math.max(FASTEST_KEEPALIVE, jittered(terms.keepalive, at.chance)))) }
}

function stay(conn: Conn): Step {
  return { conn, actions: [] }
}
