/** A speaker that is reached in several places, on real TCP over loopback. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { tcpTransport } from './session/tcp.ts'
import { simpleSpeaker } from './simple.ts'
import type { Speaker } from './speaker.ts'

const ASN = 64512

test('peers reach it at each of its addresses, dialling from the one that they are told to', async () => {
  const port = await freePort()
  const places = ['127.0.0.1', '127.0.0.3'] as const
  const guests = ['127.0.0.12', '127.0.0.13'] as const
  const us = simpleSpeaker({
    routerId: '10.0.0.1',
    asn: ASN,
    listen: { address: ipv4(places[0]), port },
    alsoListen: [{ address: ipv4(places[1]), port }],
    peers: guests.map(address => ({ address, asn: ASN, passive: true })),
  })
  await us.start()
  const others = guests.map((localAddress, index) =>
    simpleSpeaker({
      routerId: localAddress,
      asn: ASN,
      peers: [{ address: places[index] ?? '', asn: ASN, port, localAddress: ipv4(localAddress) }],
    }),
  )
  const up = Promise.all(others.map(established))
  await Promise.all(others.map(each => each.start()))
  await up
  const ends = us.status().peers.map(({ address, session }) => `${address} at ${session?.localAddress}`)
  assert.deepEqual(ends, ['127.0.0.12 at 127.0.0.1', '127.0.0.13 at 127.0.0.3'])
  await Promise.all([us, ...others].map(each => each.stop({ graceful: false })))
})

test('when one address cannot be had, none stays taken', async () => {
  const transport = tcpTransport(systemClock)
  const taken = await transport.listen({ address: ipv4('127.0.0.3'), port: 0 }, () => undefined)
  const { port } = taken.endpoint
  const listen = { address: ipv4('127.0.0.1'), port }
  const us = simpleSpeaker({ routerId: '10.0.0.1', asn: ASN, listen, alsoListen: [taken.endpoint], peers: [] })
  await assert.rejects(us.start(), (reason: unknown) => reason instanceof Fault && /127\.0\.0\.3 port/.test(reason.message))
  const again = await transport.listen(listen, () => undefined)
  await Promise.all([again.close(), taken.close()])
})

async function freePort(): Promise<number> {
  const listening = await tcpTransport(systemClock).listen({ address: ipv4('127.0.0.1'), port: 0 }, () => undefined)
  await listening.close()
  return listening.endpoint.port
}

function established(speaker: Speaker): Promise<void> {
  return new Promise(resolve => {
    speaker.onChange(change => {
      if (change.is === 'peer' && change.state === 'established') resolve()
    })
  })
}
