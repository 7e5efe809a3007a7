/** Two connections with one peer: which lives. RFC 4271 §6.8, RFC 6286 §2.3, RFC 4724 §5. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { type Instant, millis, seconds } from '@network/base/time/units.ts'
import { rawOpen } from '../testing/raw-peer.ts'
import { IPV4_UNICAST } from '../wire/capabilities.ts'
import { COLLISION } from '../wire/notification.ts'
import { survivor } from './collision.ts'
import type { ConnEvent, Moment } from './connection.ts'
import {
  AT_REST,
  acceptConn,
  DIALLER_ID,
  type Peering,
  type PeeringConfig,
  type PeeringStep,
  startPeering,
  stateOf,
  stepPeering,
} from './peering.ts'

const AT: Moment = { now: 0 as Instant, chance: 0.5 }
const LOW = ipv4('192.0.2.1')
const HIGH = ipv4('240.0.0.1')
const GRACEFUL = {
  restarting: false,
  notification: false,
  restartTime: seconds(120),
  families: [{ ...IPV4_UNICAST, forwarding: true }],
}

describe('identifiers', () => {
  const cases: readonly { name: string; local: [string, number]; remote: [string, number]; lives: 'dialled' | 'accepted' }[] = [
    { name: 'higher', local: ['10.0.0.2', 1], remote: ['10.0.0.1', 9], lives: 'dialled' },
    { name: 'lower', local: ['10.0.0.1', 9], remote: ['10.0.0.2', 1], lives: 'accepted' },
    { name: 'as unsigned numbers', local: ['240.0.0.1', 1], remote: ['10.0.0.1', 1], lives: 'dialled' },
    { name: 'equal: the larger AS', local: ['10.0.0.1', 4200000000], remote: ['10.0.0.1', 65001], lives: 'dialled' },
  ]
  for (const { name, local, remote, lives } of cases)
    test(`${name}: the ${lives} one lives`, () => {
      const identity = ([id, asn]: [string, number]) => ({ routerId: ipv4(id), asn })
      assert.equal(survivor(identity(local), identity(remote)), lives)
    })
})

describe('collision', () => {
  for (const [ours, theirs, lives] of [
    [HIGH, LOW, 'dialled'],
    [LOW, HIGH, 'accepted'],
  ] as const)
    for (const first of ['dialled', 'accepted'] as const)
      test(`${lives} lives when OPEN comes first on the ${first} one`, () => {
        const both = twoOpenSent(ours)
        const order = first === 'dialled' ? [DIALLER_ID, both.id] : [both.id, DIALLER_ID]
        let peering = both.peering
        const said: string[] = []
        for (const id of order) {
          const stepped = stepPeering(peering, id, { is: 'open', open: rawOpen({ routerId: theirs }) }, config(ours), AT)
          peering = stepped.peering
          said.push(...notifications(stepped))
        }
        const loser = lives === 'dialled' ? both.id : DIALLER_ID
        assert.deepEqual(said, [`${loser === DIALLER_ID ? 'dialled' : 'accepted'} 6/7`])
        const states = [...peering.conns.values()].filter(({ state }) => state === 'open-confirm').map(({ origin }) => origin)
        assert.deepEqual(states, [lives])
      })

  test('a session that stands refuses a second connection', () => {
    const { peering } = established({})
    assert.equal(acceptConn(peering, config(LOW), AT).id, undefined)
  })

  test('with graceful restart the second waits beside the first, and replaces it at its KEEPALIVE', () => {
    const { peering } = established({ gracefulRestart: GRACEFUL })
    const accepted = acceptConn(peering, config(LOW), AT)
    assert.ok(accepted.id !== undefined)
    const open = feed(accepted.peering, accepted.id, {
      is: 'open',
      open: rawOpen({ routerId: HIGH }, { gracefulRestart: GRACEFUL }),
    })
    assert.deepEqual(notifications(open), [])
    const confirmed = feed(open.peering, accepted.id, { is: 'keepalive' })
    const told = confirmed.actions.flatMap(({ conn, action }) =>
      action.is === 'down' ? [`${conn} down ${action.reason.is}`] : action.is === 'up' ? [`${conn} up`] : [],
    )
    assert.deepEqual(told, ['0 down superseded', '1 up'])
    assert.deepEqual(notifications(confirmed), [])
  })

  test('a peer that gives up an established session for a new one has not lost its routes', () => {
    const { peering } = established({ gracefulRestart: GRACEFUL })
    const accepted = acceptConn(peering, config(LOW), AT)
    const ended = feed(accepted.peering, DIALLER_ID, { is: 'notification', notification: COLLISION })
    const reasons = ended.actions.flatMap(({ action }) => (action.is === 'down' ? [action.reason.is] : []))
    assert.deepEqual(reasons, ['superseded'])
  })

  test('a newer accepted connection replaces one that never said OPEN', () => {
    const first = acceptConn(started(LOW), config(LOW), AT)
    const second = acceptConn(first.peering, config(LOW), AT)
    assert.deepEqual(notifications(second), ['accepted 6/7'])
    assert.deepEqual([...second.peering.conns.keys()], [DIALLER_ID, 2])
  })

  test('the dialler rests while an accepted session stands and begins again after it', () => {
    const accepted = acceptConn(started(LOW), config(LOW), AT)
    const id = accepted.id ?? -1
    let stepped: PeeringStep = accepted
    for (const event of [{ is: 'open', open: rawOpen({ routerId: HIGH }) }, { is: 'keepalive' }] as const)
      stepped = feed(stepped.peering, id, event)
    assert.equal(stepped.peering.conns.get(DIALLER_ID)?.state, 'idle')
    stepped = feed(stepped.peering, id, { is: 'tcp-down', why: 'reset' })
    assert.equal(stateOf(stepped.peering), 'active')
    assert.notEqual(stepped.peering.conns.get(DIALLER_ID)?.deadlines.connectRetry, undefined)
  })
})

function config(routerId: Ipv4): PeeringConfig {
  return { open: rawOpen({ routerId }), remoteAsn: 64512, connectRetry: millis(2000), passive: false, dialAfter: millis(0) }
}

function started(routerId: Ipv4): Peering {
  return startPeering(AT_REST, config(routerId), AT).peering
}

function feed(peering: Peering, id: number, event: ConnEvent): PeeringStep {
  return stepPeering(peering, id, event, config(LOW), AT)
}

function twoOpenSent(routerId: Ipv4): { readonly peering: Peering; readonly id: number } {
  const accepted = acceptConn(started(routerId), config(routerId), AT)
  const dialled = stepPeering(accepted.peering, DIALLER_ID, { is: 'tcp-up' }, config(routerId), AT)
  return { peering: dialled.peering, id: accepted.id ?? -1 }
}

function established(capabilities: Parameters<typeof rawOpen>[1]): PeeringStep {
  let stepped = feed(started(LOW), DIALLER_ID, { is: 'tcp-up' })
  for (const event of [{ is: 'open', open: rawOpen({ routerId: HIGH }, capabilities) }, { is: 'keepalive' }] as const)
    stepped = feed(stepped.peering, DIALLER_ID, event)
  return stepped
}

function notifications({ actions }: PeeringStep): readonly string[] {
  return actions.flatMap(({ conn, action }) => {
    if (action.is !== 'send' || action.message.kind !== 'notification') return []
    const { code, subcode } = action.message.notification
    return [`${conn === DIALLER_ID ? 'dialled' : 'accepted'} ${code}/${subcode}`]
  })
}
