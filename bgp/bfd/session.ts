/** One BFD session in asynchronous mode as a value: `stepBfd` takes it from event to event and says what is to be done. RFC 5880 §6.8. */
import { after, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import { type BfdPacket, type BfdState, DIAGNOSTIC } from './packet.ts'

export interface BfdTimers {
  /** Between two packets that we send while the session is up. */
  readonly minTx: Millis
  /** Shortest time between two packets that we can take. */
  readonly minRx: Millis
  /** So many packets of ours in a row may be lost. */
  readonly multiplier: number
}

export interface BfdSession {
  readonly state: BfdState
  readonly diagnostic: number
  /** Our discriminator; never 0. */
  readonly mine: number
  /** The peer's; 0: unknown. */
  readonly theirs: number
  /** What the peer said last; undefined: nothing within the detection time. */
  readonly remote: BfdPacket | undefined
  /** We ask for an answer to new timers. */
  readonly polling: boolean
  /** When the next packet goes out; undefined: not at all. */
  readonly sendAt: Instant | undefined
  /** When silence becomes failure; undefined: nothing was heard. */
  readonly expiresAt: Instant | undefined
}

export type BfdEvent =
  | { readonly is: 'start' }
  | { readonly is: 'packet'; readonly packet: BfdPacket }
  /** The time of a deadline has come. */
  | { readonly is: 'time' }
  /** We end it: the peer is told that this is no failure. */
  | { readonly is: 'stop' }

export type BfdAction =
  | { readonly is: 'send'; readonly packet: BfdPacket }
  | { readonly is: 'up' }
  /** It was up and is not any more; `administrative`: the peer wants it so, nothing has failed. */
  | { readonly is: 'down'; readonly why: number; readonly administrative: boolean; readonly independent: boolean }

export interface BfdMoment {
  readonly now: Instant
  /** From 0 to 1, drawn for this step. */
  readonly chance: number
}

export interface BfdStep {
  readonly session: BfdSession
  readonly actions: readonly BfdAction[]
}

/** While it is not up, nobody may send faster. RFC 5880 §6.8.3. */
const SLOW: Millis = millis(1000)

export function newBfd(discriminator: number): BfdSession {
  return {
    state: 'down',
    diagnostic: DIAGNOSTIC.none,
    mine: discriminator,
    theirs: 0,
    remote: undefined,
    polling: false,
    sendAt: undefined,
    expiresAt: undefined,
  }
}

export function stepBfd(session: BfdSession, event: BfdEvent, timers: BfdTimers, at: BfdMoment): BfdStep {
  switch (event.is) {
    case 'start':
      return send({ ...session, state: 'down' }, timers, at)
    case 'packet':
      return hear(session, event.packet, timers, at)
    case 'time':
      return pass(session, timers, at)
    case 'stop': {
      const ended: BfdSession = { ...session, state: 'admin-down', diagnostic: DIAGNOSTIC.adminDown, expiresAt: undefined }
      return { session: { ...ended, sendAt: undefined }, actions: [{ is: 'send', packet: packetOf(ended, timers, false) }] }
    }
    default:
      return event satisfies never
  }
}

/** How long the peer may be silent; undefined: nothing was heard from it. RFC 5880 §6.8.4. */
export function detectionTime({ remote }: BfdSession, { minRx }: BfdTimers): Millis | undefined {
  return remote === undefined ? undefined : millis(remote.multiplier * Math.max(minRx, remote.desiredMinTx))
}

function hear(session: BfdSession, packet: BfdPacket, timers: BfdTimers, at: BfdMoment): BfdStep {
  if (session.state === 'admin-down') return { session, actions: [] }
  const heard = { ...session, theirs: packet.mine, remote: packet, polling: session.polling && !packet.final }
  const held = { ...heard, expiresAt: after(at.now, detectionTime(heard, timers) ?? SLOW) }
  const changed = change(held, packet)
  const turned: BfdSession = changed.state === session.state ? changed : { ...changed, polling: changed.state === 'up' }
  const actions = newsOf(session, turned, packet)
  if (packet.poll) return reply({ ...turned, sendAt: nextSend(turned, timers, at) }, actions, timers)
  // A change of state is said at once; new timers of the peer never make us wait longer than they say.
  if (turned.state !== session.state) {
    const said = send(turned, timers, at)
    return { session: said.session, actions: [...actions, ...said.actions] }
  }
  const sendAt = earlier(turned.sendAt, nextSend(turned, timers, at))
  return { session: { ...turned, sendAt: mayNotSend(turned) ? undefined : sendAt }, actions }
}

function reply(session: BfdSession, actions: readonly BfdAction[], timers: BfdTimers): BfdStep {
  return { session, actions: [...actions, { is: 'send', packet: packetOf(session, timers, true) }] }
}

/** RFC 5880 §6.8.6, the state machine of §6.2. */
function change(session: BfdSession, { state: theirs }: BfdPacket): BfdSession {
  const { state } = session
  if (theirs === 'admin-down')
    return state === 'down' ? session : { ...session, state: 'down', diagnostic: DIAGNOSTIC.neighbourDown }
  if (state === 'down') {
    if (theirs === 'down') return { ...session, state: 'init' }
    return theirs === 'init' ? { ...session, state: 'up', diagnostic: DIAGNOSTIC.none } : session
  }
  if (state === 'init') return theirs === 'down' ? session : { ...session, state: 'up', diagnostic: DIAGNOSTIC.none }
  return theirs === 'down' ? { ...session, state: 'down', diagnostic: DIAGNOSTIC.neighbourDown } : session
}

function newsOf(before: BfdSession, after: BfdSession, packet: BfdPacket): readonly BfdAction[] {
  if (before.state !== 'up' && after.state === 'up') return [{ is: 'up' }]
  if (before.state !== 'up' || after.state === 'up') return []
  const independent = packet.controlPlaneIndependent
  return [{ is: 'down', why: after.diagnostic, administrative: packet.state === 'admin-down', independent }]
}

function pass(session: BfdSession, timers: BfdTimers, at: BfdMoment): BfdStep {
  if (session.expiresAt !== undefined && session.expiresAt <= at.now) return expire(session, timers, at)
  if (session.sendAt !== undefined && session.sendAt <= at.now) return send(session, timers, at)
  return { session, actions: [] }
}

/** The detection time is over. RFC 5880 §6.8.4. */
function expire(session: BfdSession, timers: BfdTimers, at: BfdMoment): BfdStep {
  const independent = session.remote?.controlPlaneIndependent ?? false
  const forgotten = { ...session, theirs: 0, remote: undefined, expiresAt: undefined, polling: false }
  if (session.state === 'down') return { session: forgotten, actions: [] }
  const said = send({ ...forgotten, state: 'down', diagnostic: DIAGNOSTIC.expired }, timers, at)
  if (session.state !== 'up') return said
  const news: BfdAction = { is: 'down', why: DIAGNOSTIC.expired, administrative: false, independent }
  return { session: said.session, actions: [news, ...said.actions] }
}

function send(session: BfdSession, timers: BfdTimers, at: BfdMoment): BfdStep {
  if (mayNotSend(session)) return { session: { ...session, sendAt: undefined }, actions: [] }
  const sent = { ...session, sendAt: nextSend(session, timers, at) }
  return { session: sent, actions: [{ is: 'send', packet: packetOf(session, timers, false) }] }
}

/** RFC 5880 §6.8.7: who wants no packets gets none. */
function mayNotSend({ remote }: BfdSession): boolean {
  return remote !== undefined && remote.requiredMinRx === 0
}

/** From 0.75 to 1.0 of the interval, or to 0.9 where one lost packet is a failure. RFC 5880 §6.8.7. */
function nextSend(session: BfdSession, timers: BfdTimers, { now, chance }: BfdMoment): Instant {
  const interval = Math.max(desiredMinTx(session, timers), session.remote?.requiredMinRx ?? 0)
  const most = timers.multiplier === 1 ? 0.15 : 0.25
  return after(now, millis(interval * (0.75 + most * chance)))
}

function desiredMinTx({ state }: BfdSession, { minTx }: BfdTimers): Millis {
  return state === 'up' ? minTx : millis(Math.max(SLOW, minTx))
}

function packetOf(session: BfdSession, timers: BfdTimers, final: boolean): BfdPacket {
  return {
    diagnostic: session.diagnostic,
    state: session.state,
    poll: session.polling && !final,
    final,
    controlPlaneIndependent: false,
    demand: false,
    multiplier: timers.multiplier,
    mine: session.mine,
    yours: session.theirs,
    desiredMinTx: desiredMinTx(session, timers),
    requiredMinRx: timers.minRx,
  }
}

function earlier(a: Instant | undefined, b: Instant): Instant {
  return a === undefined || b < a ? b : a
}
