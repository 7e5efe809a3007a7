/** The real transport on loopback: delivery, loss, refusal, and nothing left behind. */
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { Server } from 'node:net'
import { describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { type Cancel, type Clock, systemClock } from '@network/base/time/clock.ts'
import type { Instant } from '@network/base/time/units.ts'
import { tcpTransport } from './tcp.ts'
import type { Endpoint, Listening, Wire, WireListener } from './transport.ts'

const LOOPBACK = ipv4('127.0.0.1')
const ANY_PORT: Endpoint = { address: LOOPBACK, port: 0 }
const KEEPALIVE_TIMER = '02'
let pendingWakes = 0
const clock: Clock = { ...systemClock, wakeAt: countedWake }
const transport = tcpTransport(clock)

describe('TCP', () => {
  test('what was sent before close arrives, then the loss is told', async () => {
    const { near, far, listening } = await connect()
    near.wire.send(Uint8Array.of(1, 2, 3))
    await near.wire.close()
    assert.equal(await far.ended, 'the peer closed the connection')
    assert.deepEqual(far.octets, [1, 2, 3])
    await far.wire.close()
    await listening.close()
  })

  test('the last word gets through although the other end was still talking', async () => {
    const { near, far, listening } = await connect()
    near.wire.send(new Uint8Array(100_000))
    far.wire.send(Uint8Array.of(9))
    await far.wire.close()
    await near.ended
    assert.deepEqual(near.octets, [9])
    await near.wire.close()
    await listening.close()
  })

  test('the kernel watches both ends of a silent stream: without a hold time nobody else does', async () => {
    const { near, far, listening } = await connect()
    assert.deepEqual(
      [near, far].map(({ wire }) => timerOf(wire.local.port, wire.remote.port)),
      [KEEPALIVE_TIMER, KEEPALIVE_TIMER],
    )
    await Promise.all([near.wire.close(), far.wire.close()])
    await listening.close()
  })

  test('a port where nobody listens: refused, with its address', async () => {
    const { listening, near, far } = await connect()
    const gone = listening.endpoint
    await Promise.all([near.wire.close(), far.wire.close()])
    await listening.close()
    const failure = await new Promise<{ code: string; says: string }>((failed, wrong) => {
      transport.dial(gone, undefined, { opened: () => wrong(new Error('opened')) ?? listenerOf(), failed })
    })
    assert.equal(failure.code, 'ECONNREFUSED')
    assert.match(failure.says, /127\.0\.0\.1 port \d+/)
  })

  test('an address that is taken: a fault that names it', async () => {
    const listening = await transport.listen(ANY_PORT, () => undefined)
    await assert.rejects(
      transport.listen(listening.endpoint, () => undefined),
      (reason: unknown) =>
        reason instanceof Fault &&
        reason.code === 'bgp.listen' &&
        /127\.0\.0\.1 port \d+.*EADDRINUSE.*stop the other/.test(reason.message),
    )
    await listening.close()
  })

  test('a refused connection is closed', async () => {
    const listening = await transport.listen(ANY_PORT, () => undefined)
    const near = await new Promise<End>((resolve, reject) => {
      transport.dial(listening.endpoint, LOOPBACK, {
        opened: wire => recorded(wire, resolve),
        failed: ({ says }) => reject(new Error(says)),
      })
    })
    assert.notEqual(await near.ended, '')
    await near.wire.close()
    await listening.close()
  })

  test('a listener survives what goes wrong while it accepts', async () => {
    const servers: unknown[] = []
    const note = (message: unknown) => void servers.push(message)
    subscribe('tracing:net.server.listen:asyncStart', note)
    const { near, far, listening } = await connect().finally(() => unsubscribe('tracing:net.server.listen:asyncStart', note))
    await Promise.all([near.wire.close(), far.wire.close()])
    const [message] = servers
    assert.ok(typeof message === 'object' && message !== null && 'server' in message && message.server instanceof Server)
    message.server.emit('error', new Error('accept ENOBUFS'))
    const pair = await join(listening)
    await Promise.all([pair.near.wire.close(), pair.far.wire.close()])
    await listening.close()
  })

  test('a hundred connections opened and closed leave nothing open', async () => {
    const before = openSockets()
    const { near, far, listening } = await connect()
    await Promise.all([near.wire.close(), far.wire.close()])
    for (let round = 0; round < 100; round++) {
      const pair = await join(listening)
      await Promise.all(
        round % 2 === 0
          ? [pair.near.wire.close(), pair.far.ended.then(() => pair.far.wire.close())]
          : [pair.far.wire.close(), pair.near.wire.close()],
      )
    }
    await listening.close()
    assert.equal(openSockets(), before)
    assert.equal(pendingWakes, 0)
  })
})

interface End {
  readonly wire: Wire
  readonly octets: readonly number[]
  readonly ended: Promise<string>
}

interface Pair {
  readonly near: End
  readonly far: End
  readonly listening: Listening
}

const waiting: ((end: Wire) => WireListener)[] = []

async function connect(): Promise<Pair> {
  return join(await transport.listen(ANY_PORT, wire => waiting.shift()?.(wire)))
}

async function join(listening: Listening): Promise<Pair> {
  const [near, far] = await Promise.all([
    new Promise<End>((resolve, reject) => {
      transport.dial(listening.endpoint, LOOPBACK, {
        opened: wire => recorded(wire, resolve),
        failed: ({ says }) => reject(new Error(says)),
      })
    }),
    new Promise<End>(resolve => waiting.push(wire => recorded(wire, resolve))),
  ])
  return { near, far, listening }
}

function recorded(wire: Wire, tell: (end: End) => void): WireListener {
  const octets: number[] = []
  const { promise, resolve } = Promise.withResolvers<string>()
  tell({ wire, octets, ended: promise })
  return { ...listenerOf(), data: bytes => octets.push(...bytes.subarray(0, 10)), lost: resolve }
}

function listenerOf(): WireListener {
  const nothing = () => undefined
  return { data: nothing, drained: nothing, lost: nothing }
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter(kind => kind.startsWith('TCP')).length
}

function countedWake(at: Instant, wake: () => void): Cancel {
  pendingWakes++
  let over = false
  const done = () => {
    if (!over) pendingWakes--
    over = true
  }
  const cancel = systemClock.wakeAt(at, () => {
    done()
    wake()
  })
  return () => {
    done()
    cancel()
  }
}

/** Which timer of a stream runs, as /proc/net/tcp numbers them. */
function timerOf(localPort: number, remotePort: number): string | undefined {
  const hex = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
  const row = rows.find(([, local = '', remote = '']) => local.endsWith(hex(localPort)) && remote.endsWith(hex(remotePort)))
  return row?.[5]?.split(':')[0]
}
