/** The state machine as a table: state and event → state and actions. RFC 4271 §8.2.2. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { type Instant, millis, seconds } from '@network/base/time/units.ts'
import { rawOpen } from '../testing/raw-peer.ts'
import { COLLISION, notification } from '../wire/notification.ts'
import {
  ACCEPTED,
  type Conn,
  type ConnAction,
  type ConnConfig,
  type ConnEvent,
  type ConnState,
  DIALLER,
  LARGE_HOLD,
  type Moment,
  step,
} from './connection.ts'

const NOW = 1_000_000 as Instant
const AT: Moment = { now: NOW, chance: 1 }
const CONFIG: ConnConfig = {
  open: rawOpen({ routerId: ipv4('192.0.2.1') }),
  remoteAsn: 64512,
  connectRetry: millis(2000),
  passive: false,
}
const PASSIVE: ConnConfig = { ...CONFIG, passive: true }

const START: ConnEvent = { is: 'start', delay: millis(0) }
const LATER: ConnEvent = { is: 'start', delay: millis(2000) }
const STOP: ConnEvent = { is: 'stop', reason: { is: 'sent', notification: notification(6, 2), says: 'stopped' } }
const COLLIDED: ConnEvent = { is: 'stop', reason: { is: 'sent', notification: COLLISION, says: 'another lives' } }
const VANISH: ConnEvent = { is: 'stop', reason: { is: 'closed', why: 'restart' } }
const TCP_UP: ConnEvent = { is: 'tcp-up' }
const TCP_DOWN: ConnEvent = { is: 'tcp-down', why: 'reset' }
const OPEN: ConnEvent = { is: 'open', open: rawOpen() }
const STRANGER: ConnEvent = { is: 'open', open: rawOpen({}, { fourOctetAs: 65000 }) }
const KEEPALIVE: ConnEvent = { is: 'keepalive' }
const UPDATE: ConnEvent = { is: 'update' }
const REFRESH: ConnEvent = { is: 'routeRefresh' }
const NOTIFICATION: ConnEvent = { is: 'notification', notification: notification(6, 2) }
const FAULT: ConnEvent = { is: 'fault', notification: notification(1, 1), says: 'junk' }
const RETRY: ConnEvent = { is: 'deadline', which: 'connectRetry' }
const HOLD: ConnEvent = { is: 'deadline', which: 'hold' }
const STUCK: ConnEvent = { is: 'stuck' }
const BEAT: ConnEvent = { is: 'deadline', which: 'keepalive' }

const TABLE: readonly { from: ConnState; event: ConnEvent; to: ConnState; does: string; config?: ConnConfig }[] = [
  { from: 'idle', event: START, to: 'connect', does: 'dial' },
  { from: 'idle', event: LATER, to: 'active', does: '' },
  { from: 'idle', event: START, to: 'active', does: '', config: PASSIVE },
  { from: 'idle', event: RETRY, to: 'connect', does: 'dial' },
  { from: 'idle', event: UPDATE, to: 'idle', does: '' },
  { from: 'active', event: RETRY, to: 'connect', does: 'dial' },
  { from: 'active', event: STOP, to: 'idle', does: '' },
  { from: 'connect', event: TCP_UP, to: 'open-sent', does: 'send open' },
  { from: 'connect', event: TCP_DOWN, to: 'active', does: '' },
  { from: 'connect', event: RETRY, to: 'connect', does: 'close, dial' },
  { from: 'connect', event: STOP, to: 'idle', does: 'close' },
  { from: 'connect', event: START, to: 'connect', does: '' },
  { from: 'open-sent', event: OPEN, to: 'open-confirm', does: 'send keepalive' },
  { from: 'open-sent', event: STRANGER, to: 'idle', does: 'send 2/2, close, down' },
  { from: 'open-sent', event: KEEPALIVE, to: 'idle', does: 'send 5/1, close, down' },
  { from: 'open-sent', event: UPDATE, to: 'idle', does: 'send 5/1, close, down' },
  { from: 'open-sent', event: REFRESH, to: 'idle', does: 'send 5/1, close, down' },
  { from: 'open-sent', event: NOTIFICATION, to: 'idle', does: 'close, down' },
  { from: 'open-sent', event: TCP_DOWN, to: 'active', does: 'down' },
  { from: 'open-sent', event: HOLD, to: 'idle', does: 'send 4/0, close, down' },
  { from: 'open-sent', event: STOP, to: 'idle', does: 'send 6/2, close, down' },
  { from: 'open-confirm', event: KEEPALIVE, to: 'established', does: 'up' },
  { from: 'open-confirm', event: OPEN, to: 'idle', does: 'send 5/2, close, down' },
  { from: 'open-confirm', event: UPDATE, to: 'idle', does: 'send 5/2, close, down' },
  { from: 'open-confirm', event: BEAT, to: 'open-confirm', does: 'send keepalive' },
  { from: 'open-confirm', event: HOLD, to: 'idle', does: 'send 4/0, close, down' },
  { from: 'open-confirm', event: TCP_DOWN, to: 'active', does: 'down' },
  { from: 'established', event: KEEPALIVE, to: 'established', does: '' },
  { from: 'established', event: UPDATE, to: 'established', does: '' },
  { from: 'established', event: REFRESH, to: 'established', does: '' },
  { from: 'established', event: BEAT, to: 'established', does: 'send keepalive' },
  { from: 'established', event: OPEN, to: 'idle', does: 'send 5/3, close, down' },
  { from: 'established', event: FAULT, to: 'idle', does: 'send 1/1, close, down' },
  { from: 'established', event: HOLD, to: 'idle', does: 'send 4/0, close, down' },
  { from: 'established', event: NOTIFICATION, to: 'idle', does: 'close, down' },
  { from: 'established', event: TCP_DOWN, to: 'active', does: 'down' },
  { from: 'established', event: STOP, to: 'idle', does: 'send 6/2, close, down' },
  { from: 'established', event: VANISH, to: 'idle', does: 'close, down' },
  { from: 'established', event: START, to: 'established', does: '' },
  { from: 'established', event: STUCK, to: 'established', does: '' },
  { from: 'established', event: { is: 'drained' }, to: 'established', does: '' },
  { from: 'established', event: { is: 'deadline', which: 'sendHold' }, to: 'idle', does: 'send 8/0, close, down' },
  { from: 'open-confirm', event: STUCK, to: 'open-confirm', does: '' },
]

describe('a connection', () => {
  for (const { from, event, to, does, config } of TABLE)
    test(`${from}, ${said(event)}${config?.passive ? ', passive' : ''}: ${to}${does === '' ? '' : `, ${does}`}`, () => {
      const { conn, actions } = step(connIn(from), event, config ?? CONFIG, AT)
      assert.equal(conn.state, to)
      assert.equal(actions.map(did).join(', '), does)
    })

  test('waits four minutes for OPEN, then the negotiated hold time', () => {
    assert.equal(connIn('open-sent').deadlines.hold, NOW + LARGE_HOLD)
    assert.equal(connIn('established').deadlines.hold, NOW + 30_000)
    const later: Moment = { now: (NOW + 5000) as Instant, chance: 1 }
    assert.equal(step(connIn('established'), UPDATE, CONFIG, later).conn.deadlines.hold, NOW + 35_000)
    assert.equal(step(connIn('established'), REFRESH, CONFIG, later).conn.deadlines.hold, NOW + 30_000)
  })

  test('gives a stream that is stuck eight minutes or twice the hold time, from when it stuck first', () => {
    const stuck = step(connIn('established'), STUCK, CONFIG, AT).conn
    assert.equal(stuck.deadlines.sendHold, NOW + 480_000)
    const later: Moment = { now: (NOW + 5000) as Instant, chance: 1 }
    assert.equal(step(stuck, STUCK, CONFIG, later).conn.deadlines.sendHold, NOW + 480_000)
    assert.equal(step(stuck, { is: 'drained' }, CONFIG, later).conn.deadlines.sendHold, undefined)
    const patient = { ...CONFIG, open: rawOpen({ routerId: ipv4('192.0.2.1'), holdTime: seconds(600) }) }
    const open = { is: 'open', open: rawOpen({ holdTime: seconds(600) }) } as const
    const greeted = step(step(connIn('open-sent'), open, patient, AT).conn, KEEPALIVE, patient, AT).conn
    assert.equal(step(greeted, STUCK, patient, AT).conn.deadlines.sendHold, NOW + 1_200_000)
  })

  test('beats every third of the hold time, from 0.75 to 1.0 of it', () => {
    for (const [chance, after] of [
      [0, 7500],
      [1, 10_000],
    ] as const)
      assert.equal(step(connIn('established'), BEAT, CONFIG, { now: NOW, chance }).conn.deadlines.keepalive, NOW + after)
  })

  test('beats no more than once a second, however short the hold time', () => {
    const greeted = step(connIn('open-sent'), { is: 'open', open: rawOpen({ holdTime: seconds(3) }) }, CONFIG, AT).conn
    for (const chance of [0, 0.5, 1])
      assert.equal(step(greeted, BEAT, CONFIG, { now: NOW, chance }).conn.deadlines.keepalive, NOW + 1000)
  })

  test('hold time 0 runs neither timer', () => {
    const greeted = step(connIn('open-sent'), { is: 'open', open: rawOpen({ holdTime: seconds(0) }) }, CONFIG, AT).conn
    assert.deepEqual(step(greeted, KEEPALIVE, CONFIG, AT).conn.deadlines, {})
  })

  test('misunderstandings stretch the time to the next dial up to a minute; a session forgets them', () => {
    let conn: Conn = DIALLER
    const waits: number[] = []
    for (let round = 0; round < 8; round++) {
      for (const event of [RETRY, TCP_UP, STRANGER]) conn = step(conn, event, CONFIG, AT).conn
      waits.push((conn.deadlines.connectRetry ?? 0) - NOW)
    }
    assert.deepEqual(waits, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
    for (const event of [RETRY, TCP_UP, OPEN, KEEPALIVE, NOTIFICATION]) conn = step(conn, event, CONFIG, AT).conn
    assert.equal((conn.deadlines.connectRetry ?? 0) - NOW, 2000)
  })

  for (const [what, events, expected] of [
    ['refused', [RETRY, TCP_DOWN], [2000, 4000, 8000, 16_000, 16_000]],
    ['mute', [RETRY], [2000, 2000, 4000, 8000, 16_000]],
  ] as const)
    test(`dials that are ${what} stretch the time to the next one up to 16 s; an answer forgets them`, () => {
      let conn: Conn = DIALLER
      const waits: number[] = []
      for (let round = 0; round < expected.length; round++) {
        for (const event of events) conn = step(conn, event, CONFIG, AT).conn
        waits.push((conn.deadlines.connectRetry ?? 0) - NOW)
      }
      assert.deepEqual(waits, expected)
      for (const event of [RETRY, TCP_UP, TCP_DOWN]) conn = step(conn, event, CONFIG, AT).conn
      assert.equal((conn.deadlines.connectRetry ?? 0) - NOW, 2000)
    })

  test('a connect-retry time that is longer than the longest wait is kept to', () => {
    const patient = { ...CONFIG, connectRetry: millis(120_000) }
    let conn: Conn = DIALLER
    for (const event of [RETRY, TCP_DOWN, RETRY, TCP_DOWN]) conn = step(conn, event, patient, AT).conn
    assert.equal((conn.deadlines.connectRetry ?? 0) - NOW, 120_000)
  })

  test('where a NOTIFICATION is survived, an end for good is a hard reset', () => {
    const gracefulRestart = { restarting: false, notification: true, restartTime: seconds(120), families: [] }
    const open = rawOpen({ routerId: ipv4('192.0.2.1') }, { gracefulRestart })
    const config = { ...CONFIG, open }
    let conn = connIn('open-sent')
    for (const event of [{ is: 'open', open: rawOpen({}, { gracefulRestart }) }, KEEPALIVE] as const)
      conn = step(conn, event, config, AT).conn
    assert.deepEqual(step(conn, STOP, config, AT).actions.map(did), ['send 6/9', 'close', 'down'])
    assert.deepEqual(step(conn, COLLIDED, config, AT).actions.map(did), ['send 6/7', 'close', 'down'])
    assert.deepEqual(step(connIn('established'), STOP, config, AT).actions.map(did), ['send 6/2', 'close', 'down'])
  })

  test('an accepted connection never dials', () => {
    const accepted = step(ACCEPTED, TCP_UP, CONFIG, AT).conn
    for (const event of [TCP_DOWN, NOTIFICATION, FAULT, HOLD])
      assert.deepEqual(step(accepted, event, CONFIG, AT).conn.deadlines, {})
  })
})

function connIn(state: ConnState): Conn {
  const ways: Readonly<Record<ConnState, readonly ConnEvent[]>> = {
    idle: [],
    active: [LATER],
    connect: [START],
    'open-sent': [START, TCP_UP],
    'open-confirm': [START, TCP_UP, OPEN],
    established: [START, TCP_UP, OPEN, KEEPALIVE],
  }
  let conn = DIALLER
  for (const event of ways[state]) conn = step(conn, event, CONFIG, AT).conn
  assert.equal(conn.state, state)
  return conn
}

function did(action: ConnAction): string {
  if (action.is !== 'send') return action.is
  const { message } = action
  if (message.kind !== 'notification') return `send ${message.kind}`
  return `send ${message.notification.code}/${message.notification.subcode}`
}

function said(event: ConnEvent): string {
  if (event === STRANGER) return 'open of another AS'
  return event.is === 'deadline' ? `${event.which} deadline` : event.is
}
