/** All connections with one peer as one value: the dialler and those it opened to us, and which of them lives. RFC 4271 §6.8, RFC 4724 §5. */
import { type Millis, millis } from '@network/base/time/units.ts'
import { COLLISION, sameNotification } from '../wire/notification.ts'
import { asnOf, type Open } from '../wire/open.ts'
import { survivor } from './collision.ts'
import {
  ACCEPTED,
  type Conn,
  type ConnAction,
  type ConnConfig,
  type ConnEvent,
  type ConnState,
  DIALLER,
  type DownReason,
  jittered,
  type Moment,
  step,
} from './connection.ts'

export type ConnId = number
/** The connection that we dial; it is always there. Accepted ones count up from 1. */
export const DIALLER_ID: ConnId = 0

export interface Peering {
  readonly enabled: boolean
  readonly conns: ReadonlyMap<ConnId, Conn>
  readonly accepted: number
}

export interface PeeringConfig extends ConnConfig {
  readonly dialAfter: Millis
}

export interface TaggedAction {
  readonly conn: ConnId
  readonly action: ConnAction
}

export interface PeeringStep {
  readonly peering: Peering
  readonly actions: readonly TaggedAction[]
}

export const AT_REST: Peering = { enabled: false, conns: new Map([[DIALLER_ID, DIALLER]]), accepted: 0 }

const BY_COLLISION: DownReason = { is: 'sent', notification: COLLISION, says: 'another connection with this peer lives' }
const QUIETLY: DownReason = { is: 'closed', why: 'another connection with this peer lives' }
const SUPERSEDED: DownReason = { is: 'superseded' }
const PROGRESS: readonly ConnState[] = ['idle', 'active', 'connect', 'open-sent', 'open-confirm', 'established']

/** How far the furthest connection is: the state of the peer. */
export function stateOf(peering: Peering): ConnState {
  const furthest = Math.max(...[...peering.conns.values()].map(conn => PROGRESS.indexOf(conn.state)))
  return PROGRESS[furthest] ?? 'idle'
}

export function establishedId(peering: Peering): ConnId | undefined {
  for (const [id, conn] of peering.conns) if (conn.state === 'established') return id
  return undefined
}

export function startPeering(peering: Peering, config: PeeringConfig, at: Moment): PeeringStep {
  const run = new Run({ ...peering, enabled: true }, config, at)
  run.feed(DIALLER_ID, { is: 'start', delay: config.dialAfter })
  return run.done()
}

/** Ends every connection for the reason and stays at rest. */
export function stopPeering(peering: Peering, reason: DownReason, config: PeeringConfig, at: Moment): PeeringStep {
  const run = new Run({ ...peering, enabled: false }, config, at)
  for (const id of peering.conns.keys()) run.feed(id, { is: 'stop', reason })
  return run.done()
}

/**
 * The peer opened a connection: it gets a number, or undefined when it is to be refused. While a session is established it is
 * refused, unless the peer may have restarted without our noticing (RFC 4724 §5): then it lives beside the old one until it proves itself.
 */
export function acceptConn(
  peering: Peering,
  config: PeeringConfig,
  at: Moment,
): PeeringStep & { readonly id: ConnId | undefined } {
  const standing = establishedId(peering)
  const refused = !peering.enabled || (standing !== undefined && !mayRestart(peering.conns.get(standing)))
  if (refused) return { peering, actions: [], id: undefined }
  const id = peering.accepted + 1
  const run = new Run({ ...peering, accepted: id }, config, at)
  for (const [other, conn] of peering.conns)
    if (conn.origin === 'accepted' && conn.state !== 'established') run.feed(other, { is: 'stop', reason: BY_COLLISION })
  run.admit(id)
  return { ...run.done(), id }
}

export function stepPeering(peering: Peering, id: ConnId, event: ConnEvent, config: PeeringConfig, at: Moment): PeeringStep {
  if (!peering.conns.has(id)) return { peering, actions: [] }
  const run = new Run(peering, config, at)
  run.feed(id, event)
  return run.done()
}

function mayRestart(conn: Conn | undefined): boolean {
  return conn?.terms?.gracefulRestart !== undefined
}

/** One event and all that follows from it. */
class Run {
  readonly #peering: Peering
  readonly #conns: Map<ConnId, Conn>
  readonly #config: PeeringConfig
  readonly #at: Moment
  readonly #actions: TaggedAction[] = []

  constructor(peering: Peering, config: PeeringConfig, at: Moment) {
    this.#peering = peering
    this.#conns = new Map(peering.conns)
    this.#config = config
    this.#at = at
  }

  admit(id: ConnId): void {
    this.#conns.set(id, ACCEPTED)
    this.feed(id, { is: 'tcp-up' })
  }

  feed(id: ConnId, event: ConnEvent): void {
    const before = this.#conns.get(id)
    if (before === undefined) return
    const { conn, actions } = step(before, event, this.#config, this.#at)
    this.#conns.set(id, conn)
    if (before.state !== 'established' && conn.state === 'established') this.#endOthers(id)
    this.#actions.push(...actions.map(action => ({ conn: id, action: this.#softened(id, action) })))
    if (before.state === 'open-sent' && conn.state === 'open-confirm') this.#collide(id, conn)
    if (conn.origin === 'accepted' && conn.state === 'idle') this.#conns.delete(id)
  }

  done(): PeeringStep {
    this.#keepDialling()
    return { peering: { ...this.#peering, conns: this.#conns }, actions: this.#actions }
  }

  /** The OPEN has come: the peer is known, and so is whether it has another connection with us. */
  #collide(id: ConnId, conn: Conn): void {
    const remote = conn.terms?.remote
    if (remote === undefined) return
    for (const [rivalId, rival] of [...this.#conns]) {
      if (rivalId === id) continue
      if (rival.state === 'established') {
        if (conn.origin === 'dialled' || !mayRestart(rival)) this.feed(id, { is: 'stop', reason: BY_COLLISION })
      } else if (rival.state === 'open-confirm' && rival.origin !== conn.origin) {
        const loser = survivor(identity(this.#config.open), identity(remote)) === conn.origin ? rivalId : id
        this.feed(loser, { is: 'stop', reason: BY_COLLISION })
      }
    }
  }

  /** An established session suffers no other; an older one was lost without our noticing. */
  #endOthers(winner: ConnId): void {
    for (const [id, conn] of [...this.#conns]) {
      if (id === winner) continue
      const reason = conn.state === 'established' ? SUPERSEDED : isOpen(conn) ? BY_COLLISION : QUIETLY
      this.feed(id, { is: 'stop', reason })
    }
  }

  /** The peer gave up an established session for another that is on its way: its routes are not gone. */
  #softened(id: ConnId, action: ConnAction): ConnAction {
    if (action.is !== 'down' || action.reason.is !== 'received') return action
    const heir = [...this.#conns].some(([other, conn]) => other !== id && isOpen(conn))
    return heir && sameNotification(action.reason.notification, COLLISION) ? { ...action, reason: SUPERSEDED } : action
  }

  /** With nothing under way the dialler begins again. */
  #keepDialling(): void {
    const dialler = this.#conns.get(DIALLER_ID)
    const resting = dialler?.state === 'idle' && dialler.deadlines.connectRetry === undefined
    const busy = [...this.#conns.values()].some(conn => conn.state === 'open-confirm' || conn.state === 'established')
    if (!this.#peering.enabled || !resting || busy) return
    const retry = jittered(this.#config.connectRetry, this.#at.chance)
    this.feed(DIALLER_ID, { is: 'start', delay: millis(this.#config.dialAfter + retry) })
  }
}

function isOpen(conn: Conn): boolean {
  return conn.state === 'open-sent' || conn.state === 'open-confirm'
}

function identity(open: Open): { readonly routerId: Open['routerId']; readonly asn: number } {
  return { routerId: open.routerId, asn: asnOf(open) }
}
