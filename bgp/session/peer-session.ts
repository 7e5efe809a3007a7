/** The driver of one peer: performs what the state machine decides, on wires and timers. */
import type { AnyAddress } from '@network/base/net/any-address.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { after, type Instant, type Millis, millis } from '@network/base/time/units.ts'
import {
  type Conn,
  type ConnAction,
  type ConnEvent,
  type ConnState,
  type ControlMessage,
  type DownReason,
  type Moment,
  nextDeadline,
} from '../fsm/connection.ts'
import type { SessionTerms } from '../fsm/negotiate.ts'
import {
  AT_REST,
  acceptConn,
  type ConnId,
  DIALLER_ID,
  establishedId,
  type Peering,
  type PeeringConfig,
  type PeeringStep,
  startPeering,
  stateOf,
  stepPeering,
  stopPeering,
} from '../fsm/peering.ts'
import type { PeerConfig } from '../options.ts'
import type { MessageCounts } from '../status.ts'
import type { Family } from '../wire/capabilities.ts'
import { type Frame, Framer } from '../wire/framing.ts'
import { LONGEST_MESSAGE, type MessageKind } from '../wire/header.ts'
import { COLLISION, encodeNotification } from '../wire/notification.ts'
import { encodeOpen, type Open } from '../wire/open.ts'
import { encodeRouteRefresh, type RefreshKind } from '../wire/route-refresh.ts'
import { decodeUpdate, KEEPALIVE } from '../wire/update.ts'
import { Alarm } from './alarm.ts'
import { interpret, type SoundUpdate } from './interpret.ts'
import { guardOf, sayUnanswered } from './protection.ts'
import type { Dial, DialFailure, Endpoint, LocalEnd, Transport, Wire, WireListener } from './transport.ts'

export interface SessionTools {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  /** Where connections dialled to there start from. */
  readonly from: (to: Endpoint) => AnyAddress | undefined
  readonly connectRetry: Millis
  /** Called after every chunk read: while the event loop is long busy with reading, timers do not run. */
  readonly pulse?: () => void
}

/** What stands while a session is established. */
export interface Standing {
  readonly terms: SessionTerms
  readonly local: LocalEnd
  readonly remote: Endpoint
  readonly dialledBy: 'us' | 'peer'
}

/** What the owner of the session hears. */
export interface SessionListener {
  /** Asked for what to say in OPEN at this moment. */
  open(): Open
  /** Asked for where to dial; undefined: nobody knows yet. */
  where(): Endpoint | undefined
  stateChanged(state: ConnState): void
  up(standing: Standing): void
  /** An established session ended. */
  down(reason: DownReason): void
  /** A connection ended before it was established. */
  failed(reason: DownReason, from: ConnState): void
  dialFailed(failure: DialFailure): void
  /** Takes in an UPDATE body without reading its attributes again, if it knows them; false: it is to be read. */
  recognise(body: Uint8Array): boolean
  /** `raw` is the message body, valid during the call only. */
  update(verdict: SoundUpdate, raw: Uint8Array): void
  refresh(kind: RefreshKind, family: Family): void
  drained(): void
}

/** What a line tells the session that it belongs to. */
interface LineOwner {
  isCurrent(line: Line): boolean
  read(line: Line, chunk: Uint8Array): void
  drained(line: Line): void
  lost(line: Line, why: string): void
}

/** One connection; without closures of its own, for there may be thousands. */
class Line implements WireListener {
  readonly id: ConnId
  readonly wire: Wire
  readonly framer = new Framer()
  readonly #owner: LineOwner

  constructor(id: ConnId, wire: Wire, owner: LineOwner) {
    this.id = id
    this.wire = wire
    this.#owner = owner
  }

  data(chunk: Uint8Array): void {
    this.#owner.read(this, chunk)
  }

  drained(): void {
    if (this.#owner.isCurrent(this)) this.#owner.drained(this)
  }

  lost(why: string): void {
    if (this.#owner.isCurrent(this)) this.#owner.lost(this, why)
  }
}

type Counts = { -readonly [kind in keyof MessageCounts]: number }

/** A hold deadline seen this much too late means that we slept, not the peer: it is given the same time to be heard. */
const GRACE: Millis = millis(1000)

export class PeerSession implements LineOwner {
  #peer: PeerConfig
  readonly #tools: SessionTools
  readonly #listener: SessionListener
  readonly #lines = new Map<ConnId, Line>()
  #closings: Set<Promise<void>> | undefined
  readonly #received: Counts = noMessages()
  readonly #sent: Counts = noMessages()
  readonly #alarm: Alarm
  #peering: Peering = AT_REST
  #state: ConnState = 'idle'
  #dial: Dial | undefined
  #graceEnds: Instant | undefined

  constructor(peer: PeerConfig, tools: SessionTools, listener: SessionListener) {
    this.#peer = peer
    this.#tools = tools
    this.#listener = listener
    this.#alarm = new Alarm(tools.clock, () => this.#wake())
  }

  get state(): ConnState {
    return this.#state
  }

  get messages(): { readonly in: MessageCounts; readonly out: MessageCounts } {
    return { in: { ...this.#received }, out: { ...this.#sent } }
  }

  /** Holds for the next connection; the present one goes on. Who may dial from here on does so. */
  reconfigure(peer: PeerConfig): void {
    const mayDial = this.#peer.passive && !peer.passive
    this.#peer = peer
    for (const { wire } of this.#lines.values()) this.#protect(wire)
    if (mayDial && this.#peering.enabled && establishedId(this.#peering) === undefined) this.start()
  }

  start(): void {
    this.#apply(startPeering(this.#peering, this.#config(), this.#moment()))
  }

  /** Ends all connections and resolves when their streams are gone. */
  async stop(reason: DownReason): Promise<void> {
    this.halt(reason)
    await Promise.all(this.#closings ?? [])
  }

  /** The same without waiting; `start` begins anew. */
  halt(reason: DownReason): void {
    this.#apply(stopPeering(this.#peering, reason, this.#config(), this.#moment()))
    this.#alarm.cancel()
  }

  /** The peer opened a connection; one too many is closed with 6/7. While we are halted it is closed without a word, for some take any for a fault of ours. */
  accept(wire: Wire): WireListener {
    const accepted = acceptConn(this.#peering, this.#config(), this.#moment())
    if (accepted.id === undefined) {
      if (this.#peering.enabled) {
        wire.send(encodeNotification(COLLISION))
        this.#sent.notification++
      }
      this.#track(wire.close())
      return DEAF
    }
    if (!this.#protect(wire)) {
      this.#track(wire.close())
      return DEAF
    }
    const listener = this.#attach(accepted.id, wire)
    this.#apply(accepted)
    return listener
  }

  /** Whole UPDATEs, so many of them, onto the established connection; false asks to wait for `drained`. Hot. */
  sendUpdates(slices: readonly Uint8Array[], messages: number): boolean {
    const id = establishedId(this.#peering)
    const line = id === undefined ? undefined : this.#lines.get(id)
    if (line === undefined) return false
    this.#sent.update += messages
    const takesMore = line.wire.sendAll(slices)
    if (!takesMore) this.#feed(line.id, { is: 'stuck' })
    return takesMore
  }

  /** ROUTE-REFRESH on the established connection: a request, or the begin or end of an answer. */
  sendRefresh(kind: RefreshKind, family: Family): void {
    const id = establishedId(this.#peering)
    const line = id === undefined ? undefined : this.#lines.get(id)
    if (line === undefined) return
    this.#sent.routeRefresh++
    line.wire.send(encodeRouteRefresh(family, kind))
  }

  /** Says KEEPALIVE where it is due, before the timer comes to it. What the peer has said may still be unread: nobody's hold time is looked at. */
  keepAlive(now: Instant): void {
    for (const [id, { deadlines }] of [...this.#peering.conns])
      if (deadlines.keepalive !== undefined && deadlines.keepalive <= now) this.#feed(id, { is: 'deadline', which: 'keepalive' })
  }

  #feed(id: ConnId, event: ConnEvent): void {
    this.#apply(stepPeering(this.#peering, id, event, this.#config(), this.#moment()))
  }

  #apply(stepped: PeeringStep): void {
    this.#peering = stepped.peering
    for (const { conn, action } of stepped.actions) this.#perform(conn, action)
    const state = stateOf(this.#peering)
    if (state !== this.#state) {
      this.#state = state
      this.#listener.stateChanged(state)
    }
    this.#alarm.by(this.#firstDeadline())
  }

  #perform(id: ConnId, action: ConnAction): void {
    switch (action.is) {
      case 'dial':
        this.#startDial()
        return
      case 'send':
        this.#send(id, action.message)
        return
      case 'close':
        this.#close(id)
        return
      case 'up':
        this.#goUp(id, action.terms)
        return
      case 'down':
        if (action.from === 'established') this.#listener.down(action.reason)
        else this.#listener.failed(action.reason, action.from)
        return
      default:
        action satisfies never
    }
  }

  #startDial(): void {
    const to = this.#listener.where()
    if (to === undefined) {
      this.#tools.transport.turn(() => this.#feed(DIALLER_ID, { is: 'tcp-down', why: 'nobody knows where the peer is' }))
      return
    }
    this.#dial = this.#tools.transport.dial(
      to,
      this.#peer.localAddress ?? this.#tools.from(to),
      {
        opened: wire => {
          this.#dial = undefined
          const listener = this.#attach(DIALLER_ID, wire)
          this.#feed(DIALLER_ID, { is: 'tcp-up' })
          return listener
        },
        failed: failure => {
          this.#dial = undefined
          this.#listener.dialFailed(failure)
          this.#feed(DIALLER_ID, { is: 'tcp-down', why: failure.says })
        },
      },
      guardOf(this.#peer),
    )
  }

  /** A stream that cannot be protected as told is none. */
  #protect(wire: Wire): boolean {
    const says = wire.guard(guardOf(this.#peer))
    if (says !== undefined) this.#listener.dialFailed({ code: 'guard', says })
    return says === undefined
  }

  #send(id: ConnId, message: ControlMessage): void {
    const line = this.#lines.get(id)
    if (line === undefined) return
    this.#sent[message.kind]++
    const takesMore = line.wire.send(encodeControl(message))
    if (!takesMore && message.kind === 'keepalive') this.#feed(id, { is: 'stuck' })
  }

  #close(id: ConnId): void {
    if (id === DIALLER_ID) this.#dial?.cancel()
    if (id === DIALLER_ID) this.#dial = undefined
    const line = this.#lines.get(id)
    this.#lines.delete(id)
    if (line !== undefined) this.#track(line.wire.close())
  }

  #track(closing: Promise<void>): void {
    this.#closings ??= new Set()
    this.#closings.add(closing)
    void closing.then(() => this.#closings?.delete(closing))
  }

  #goUp(id: ConnId, terms: SessionTerms): void {
    const line = this.#lines.get(id)
    if (line === undefined) return
    const { local, remote } = line.wire
    this.#listener.up({ terms, local, remote, dialledBy: id === DIALLER_ID ? 'us' : 'peer' })
  }

  #attach(id: ConnId, wire: Wire): WireListener {
    const line = new Line(id, wire, this)
    this.#lines.set(id, line)
    return line
  }

  isCurrent(line: Line): boolean {
    return this.#lines.get(line.id) === line
  }

  drained({ id }: Line): void {
    if (this.#connOf(id)?.state !== 'established') return
    this.#feed(id, { is: 'drained' })
    this.#listener.drained()
  }

  lost({ id, wire }: Line, why: string): void {
    this.#lines.delete(id)
    this.#track(wire.close())
    this.#feed(id, { is: 'tcp-down', why })
  }

  read(line: Line, chunk: Uint8Array): void {
    const { id, framer } = line
    let updates = 0
    for (const framed of framer.push(chunk)) {
      if (!this.isCurrent(line)) return
      if (framed.is === 'fault')
        this.#feed(id, { is: 'fault', notification: framed.notification, says: 'the octets received are no BGP message' })
      else if (this.#takeIn(id, framed.frame)) updates++
      else this.#receive(id, framed.frame)
    }
    if (updates > 0 && this.isCurrent(line)) this.#feed(id, { is: 'update' })
    this.#tools.pulse?.()
  }

  /** Hot: a sound UPDATE of an established session goes past the state machine, which hears of it once a chunk. */
  #takeIn(id: ConnId, { kind, body }: Frame): boolean {
    if (kind !== 'update') return false
    const conn = this.#connOf(id)
    if (conn?.state !== 'established' || conn.terms === undefined) return false
    if (!this.#listener.recognise(body)) {
      const verdict = decodeUpdate(body, conn.terms.dialect)
      if (verdict.is === 'reset') return false
      this.#listener.update(verdict, body)
    }
    this.#received.update++
    return true
  }

  #receive(id: ConnId, frame: Frame): void {
    this.#received[frame.kind]++
    const conn = this.#connOf(id)
    if (conn === undefined) return
    const { event, news } = interpret(frame, conn)
    this.#feed(id, event)
    if (frame.kind === 'open') this.#agreeOnLength(id)
    if (news !== undefined) this.#listener.refresh(news.kind, news.family)
  }

  /** RFC 8654 §4: once both OPENs are known. */
  #agreeOnLength(id: ConnId): void {
    const terms = this.#connOf(id)?.terms
    if (terms !== undefined && terms.longestMessage > LONGEST_MESSAGE) this.#lines.get(id)?.framer.allowExtended()
  }

  #connOf(id: ConnId): Conn | undefined {
    return this.#peering.conns.get(id)
  }

  #firstDeadline(): Instant | undefined {
    let first: Instant | undefined
    for (const conn of this.#peering.conns.values()) {
      const at = nextDeadline(conn)?.at
      if (at !== undefined && (first === undefined || at < first)) first = at
    }
    if (first === undefined || this.#graceEnds === undefined || first >= this.#graceEnds) return first
    return this.#graceEnds
  }

  #wake(): void {
    const now = this.#tools.clock.now()
    const asleep = this.#graceEnds === undefined && this.#sleptOver(now)
    this.#graceEnds = asleep ? after(now, GRACE) : undefined
    for (const id of [...this.#peering.conns.keys()]) this.#fire(id, now)
    this.#alarm.by(this.#firstDeadline())
  }

  #sleptOver(now: Instant): boolean {
    return [...this.#peering.conns.values()].some(({ deadlines: { hold } }) => hold !== undefined && now - hold > GRACE)
  }

  #fire(id: ConnId, now: Instant): void {
    for (const which of ['keepalive', 'connectRetry', 'hold', 'sendHold'] as const) {
      const due = this.#connOf(id)?.deadlines[which]
      const spared = which === 'hold' && this.#graceEnds !== undefined
      if (due !== undefined && due <= now && this.#connOf(id)?.state === 'connect') this.#sayUnanswered()
      if (due !== undefined && due <= now && !spared) this.#feed(id, { is: 'deadline', which })
    }
  }

  #sayUnanswered(): void {
    const to = this.#listener.where()
    if (to !== undefined) this.#listener.dialFailed({ code: 'ETIMEDOUT', says: sayUnanswered(this.#peer, to) })
  }

  #config(): PeeringConfig {
    const {
      asn,
      passive,
      dialAfter,
      connectRetry = this.#tools.connectRetry,
      minHoldTime,
      acceptAsSets,
      role,
      strictRole,
    } = this.#peer
    return {
      open: this.#listener.open(),
      remoteAsn: asn,
      connectRetry,
      passive,
      dialAfter,
      ...(minHoldTime === undefined ? {} : { minHoldTime }),
      ...(acceptAsSets === undefined ? {} : { acceptAsSets }),
      ...(role === undefined ? {} : { role }),
      ...(strictRole === undefined ? {} : { strictRole }),
    }
  }

  #moment(): Moment {
    return { now: this.#tools.clock.now(), chance: this.#tools.random() }
  }
}

function encodeControl(message: ControlMessage): Uint8Array {
  switch (message.kind) {
    case 'open':
      return encodeOpen(message.open)
    case 'keepalive':
      return KEEPALIVE
    case 'notification':
      return encodeNotification(message.notification)
    default:
      return message satisfies never
  }
}

const nothing = (): undefined => undefined
const DEAF: WireListener = { data: nothing, drained: nothing, lost: nothing }

export function noMessages(): { -readonly [kind in MessageKind]: number } {
  return { open: 0, update: 0, notification: 0, keepalive: 0, routeRefresh: 0 }
}
