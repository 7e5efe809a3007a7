/** Our speaker against a real BIRD 2: sessions either way, routes both ways, loss, and graceful restart in both roles. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { formatIpv4, type Ipv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { plainAttributes } from '@network/bgp/attributes/attributes.ts'
import { encodeAttributes } from '@network/bgp/attributes/encode.ts'
import { tcpTransport } from '@network/bgp/session/tcp.ts'
import {
  ACCEPTED,
  type Origination,
  type PeerConfig,
  type PeerStatus,
  Speaker,
  type SpeakerOptions,
} from '@network/bgp/speaker.ts'
import { RawPeer } from '@network/bgp/testing/raw-peer.ts'
import { encodeAnnouncement } from '@network/bgp/wire/update.ts'
import { BIRDS, Bird, type BirdOptions, layCable, OURS, THIRD } from './bird.ts'

const BIRD_PEER: PeerConfig = { address: ipv4(BIRDS), name: 'bird', asn: 64512, port: 179, passive: false, dialAfter: millis(0) }
const ROUTES = ['10.20.0.0/24', '10.21.0.0/24']
const GRACEFUL: BirdOptions = { gracefulRestart: true, routes: ROUTES }

before(layCable)

describe('a session', () => {
  for (const { name, birdPassive, wePassive } of [
    { name: 'BIRD dials', birdPassive: false, wePassive: true },
    { name: 'we dial', birdPassive: true, wePassive: false },
    { name: 'both dial', birdPassive: false, wePassive: false },
  ])
    test(`${name}: up, and routes both ways`, async () => {
      await using bird = await Bird.start({ passive: birdPassive, routes: ROUTES })
      await using us = await start({
        originate: ['10.244.0.0/26', '10.244.0.64/26'],
        peers: [{ ...BIRD_PEER, passive: wePassive }],
      })
      await bird.until('routes of BIRD here', () => us.speaker.learned().size === 2)
      await bird.until('routes of ours in BIRD', async () => (await bird.routes()).size === 2)
      assert.deepEqual(us.learned(), ['10.20.0.0/24 via 10.9.0.2', '10.21.0.0/24 via 10.9.0.2'])
      const route = (await bird.routes()).get('10.244.0.64/26')
      assert.ok(route !== undefined)
      for (const line of ['via 10.9.0.1 on eth0', 'BGP.origin: IGP', 'BGP.next_hop: 10.9.0.1', 'BGP.local_pref: 100'])
        assert.ok(route.lines.includes(line), `${line} in\n${route.lines.join('\n')}`)
      const { session, state, messages } = us.peer()
      assert.equal(state, 'established')
      if (name !== 'both dial') assert.equal(messages.in.notification, 0)
      if (name !== 'both dial') assert.equal(session?.dialledBy, birdPassive ? 'us' : 'peer')
      assert.deepEqual([session?.holdTimeSeconds, session?.fourOctetAs, session?.routeRefresh], [9, true, true])
      const said = await bird.session()
      for (const words of ['Established', 'Route refresh', '4-octet AS numbers', 'Graceful restart', 'Restart time: 120'])
        assert.ok(said.includes(words), `${words} in\n${said}`)
    })

  test('withdrawals both ways', async () => {
    await using bird = await Bird.start({ routes: ROUTES })
    await using us = await start({ originate: ['10.244.0.0/26', '10.244.0.64/26'] })
    await bird.until('routes both ways', async () => us.speaker.learned().size === 2 && (await bird.routes()).size === 2)
    us.originate('10.244.0.64/26')
    await bird.until('our withdrawal in BIRD', async () => [...(await bird.routes()).keys()].join() === '10.244.0.64/26')
    await bird.reconfigure({ routes: ['10.21.0.0/24'] })
    await bird.until('the withdrawal of BIRD here', () => us.learned().join() === '10.21.0.0/24 via 10.9.0.2')
    assert.equal(us.peer().flaps, 0)
  })

  test('another AS: our AS in front, no LOCAL_PREF', async () => {
    await using bird = await Bird.start({ asn: 65001, routes: ROUTES })
    await using us = await start({ originate: ['10.244.0.0/26'], peers: [{ ...BIRD_PEER, asn: 65001 }] })
    await bird.until('routes both ways', async () => us.speaker.learned().size === 2 && (await bird.routes()).size === 1)
    const lines = (await bird.routes()).get('10.244.0.0/26')?.lines ?? []
    assert.ok(lines.includes('BGP.as_path: 64512'), lines.join('\n'))
    assert.deepEqual(us.speaker.learned().get('10.20.0.0/24')?.attributes.asPath, [{ kind: 'sequence', asns: [65001] }])
    assert.equal(us.peer().kind, 'external')
  })

  test('a wrong AS is refused with a reason on both sides', async () => {
    await using bird = await Bird.start({ asn: 65001, passive: true })
    await using us = await start({ peers: [{ ...BIRD_PEER, asn: 65002 }] })
    await bird.until('2/2', () => us.peer().lastError?.code === 2)
    assert.match(us.peer().lastError?.text ?? '', /bad peer AS \(2\/2\)/)
    await bird.until('the reason in BIRD', async () => /Bad peer AS/i.test(await bird.session()))
  })

  test('a thousand routes arrive whole, and leave', async () => {
    await using bird = await Bird.start({})
    const many = Array.from({ length: 1000 }, (_, index) => `10.${100 + (index >> 8)}.${index & 255}.0/26`)
    await using us = await start({ originate: many })
    await bird.until('a thousand routes in BIRD', async () => (await bird.routes()).size === 1000)
    assert.ok(us.peer().messages.out.update <= 5, `${us.peer().messages.out.update} UPDATEs`)
    us.originate()
    await bird.until('none', async () => (await bird.routes()).size === 0)
  })

  test('unknown attributes: the transitive one is handed on with Partial, the other is not', async () => {
    await using bird = await Bird.start({})
    const third: PeerConfig = { ...BIRD_PEER, address: ipv4(THIRD), name: 'third', asn: 65003, passive: true }
    await using us = await start({ peers: [BIRD_PEER, third] })
    const peer = new RawPeer()
    peer.dial(tcpTransport(systemClock), ipv4(OURS), ipv4(THIRD))
    await bird.until('OPEN for the third', () => peer.kinds.includes('open'))
    peer.greet({ myAs: 65003, routerId: ipv4(THIRD) }, { fourOctetAs: 65003 })
    const dialect = { kind: 'external', asnOctets: 4 } as const
    const sound = encodeAttributes({ ...plainAttributes(ipv4(THIRD)), asPath: [{ kind: 'sequence', asns: [65003] }] }, dialect)
    const unknown = Uint8Array.of(0xc0, 0xf0, 3, 0xab, 0xcd, 0xef, 0x80, 0xf1, 1, 0x55)
    peer.say(encodeAnnouncement(Uint8Array.from([...sound, ...unknown]), [prefix('10.66.0.0/16')]))
    const route = await bird.until('the route in BIRD', async () => (await bird.routes()).get('10.66.0.0/16'))
    const text = route.lines.join('\n')
    assert.match(text, /BGP\.f0 \[.*\]: ab cd ef/)
    assert.doesNotMatch(text, /BGP\.f1/)
    assert.match(text, /BGP\.next_hop: 10\.9\.0\.3/)
    peer.hangUp()
    await bird.until('the withdrawal', async () => (await bird.routes()).size === 0)
    assert.equal(us.peer().flaps, 0)
  })
})

describe('loss', () => {
  test('a frozen BIRD: our hold timer ends the session; thawed, it comes back', async () => {
    await using bird = await Bird.start({ holdTime: 3, routes: ROUTES })
    await using us = await start({ originate: ['10.244.0.0/26'] })
    await bird.until('routes of BIRD here', () => us.speaker.learned().size === 2)
    bird.signal('SIGSTOP')
    await bird.until('the hold timer', () => us.peer().lastError?.code === 4)
    assert.equal(us.peer().lastError?.direction, 'sent')
    assert.deepEqual(us.learned(), [])
    bird.signal('SIGCONT')
    await bird.until('the session again', async () => us.speaker.learned().size === 2 && (await bird.routes()).size === 1)
  })

  test('a stop with a word takes our routes from BIRD at once', async () => {
    await using bird = await Bird.start(GRACEFUL)
    await using us = await start({ originate: ['10.244.0.0/26'] })
    await bird.until('our route in BIRD', async () => (await bird.routes()).size === 1)
    await us.speaker.stop({ graceful: false })
    await bird.until('no route in BIRD', async () => (await bird.routes()).size === 0)
    await bird.until('the reason in BIRD', async () => /Administrative shutdown/i.test(await bird.session()))
  })
})

describe('graceful restart', () => {
  test('BIRD is killed and comes back: its routes stay, go stale, are refreshed, and nobody hears of a change', async () => {
    await using bird = await Bird.start(GRACEFUL)
    await using us = await start({ originate: ['10.244.0.0/26'] })
    await bird.until('the whole of BIRD', () => us.peer().gracefulRestart.endOfRibReceived)
    const told = us.changes.length
    await bird.kill()
    await bird.until('stale routes', () => us.peer().prefixes.stale === 2)
    assert.deepEqual(us.learned(), ['10.20.0.0/24 via 10.9.0.2 stale', '10.21.0.0/24 via 10.9.0.2 stale'])
    await bird.launch('recover')
    await bird.until('fresh routes', () => us.peer().state === 'established' && !us.peer().gracefulRestart.helping)
    assert.deepEqual(us.learned(), ['10.20.0.0/24 via 10.9.0.2', '10.21.0.0/24 via 10.9.0.2'])
    assert.equal(us.changes.length, told)
    await bird.until('our route in BIRD', async () => (await bird.routes()).size === 1)
  })

  test('BIRD comes back without one of its routes: that one goes at End-of-RIB', async () => {
    await using bird = await Bird.start(GRACEFUL)
    await using us = await start({})
    await bird.until('the whole of BIRD', () => us.peer().gracefulRestart.endOfRibReceived)
    await bird.kill()
    bird.configure({ ...GRACEFUL, routes: ['10.21.0.0/24'] })
    await bird.launch('recover')
    await bird.until('only the repeated route', () => us.learned().join() === '10.21.0.0/24 via 10.9.0.2')
  })

  test('we stop without a word and are replaced: BIRD keeps our routes, and drops only what we do not repeat', async () => {
    await using bird = await Bird.start(GRACEFUL)
    await using first = await start({ originate: ['10.244.0.0/26', '10.244.0.64/26'] })
    await bird.until('our routes in BIRD', async () => (await bird.routes()).size === 2)
    await bird.until('our End-of-RIB', () => first.peer().gracefulRestart.endOfRibSent)
    await first.speaker.stop({ graceful: true })
    await bird.until('BIRD waiting', async () => /Neighbor graceful restart active/.test(await bird.session()))
    assert.deepEqual([...(await bird.routes()).keys()].sort(), ['10.244.0.0/26', '10.244.0.64/26'])

    await using second = await start({ originate: ['10.244.0.0/26'], restarting: true })
    await bird.until('settled', () => second.speaker.status().settled)
    assert.deepEqual(second.learned(), ['10.20.0.0/24 via 10.9.0.2', '10.21.0.0/24 via 10.9.0.2'])
    await bird.until('only the repeated route', async () => [...(await bird.routes()).keys()].join() === '10.244.0.0/26')
    assert.match(await bird.session(), /Established/)
  })
})

interface StartOptions {
  readonly originate?: readonly string[]
  readonly peers?: readonly PeerConfig[]
  readonly restarting?: boolean
}

interface Us extends AsyncDisposable {
  readonly speaker: Speaker
  /** Route changes told so far. */
  readonly changes: readonly string[]
  originate(...texts: readonly string[]): void
  peer(): PeerStatus
  learned(): readonly string[]
}

async function start({ originate = [], peers = [BIRD_PEER], restarting = false }: StartOptions): Promise<Us> {
  const speaker = new Speaker(optionsFor(ipv4(OURS), restarting))
  const changes: string[] = []
  speaker.onChange(change => {
    if (change.is === 'routes') changes.push(...change.prefixes)
  })
  speaker.originate(routesOf(originate))
  speaker.setPeers(peers)
  await speaker.start()
  const us: Us = {
    speaker,
    changes,
    originate: (...texts) => speaker.originate(routesOf(texts)),
    peer: () => {
      const peer = speaker.status().peers.find(({ address }) => address === BIRDS)
      assert.ok(peer !== undefined)
      return peer
    },
    learned: () =>
      [...speaker.learned()]
        .map(([key, { nextHop, stale }]) => `${key} via ${formatIpv4(nextHop)}${stale ? ' stale' : ''}`)
        .sort(),
    [Symbol.asyncDispose]: () => speaker.stop({ graceful: false }),
  }
  return us
}

function optionsFor(address: Ipv4, restarting: boolean): SpeakerOptions {
  return {
    routerId: address,
    asn: 64512,
    listen: { address, port: 179 },
    holdTime: seconds(30),
    connectRetry: millis(1000),
    gracefulRestart: { restartTime: seconds(120), restarting, deferral: millis(60_000) },
    importFilter: () => ACCEPTED,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  }
}

function routesOf(texts: readonly string[]): ReadonlyMap<string, Origination> {
  return new Map(texts.map(text => [text, { prefix: prefix(text) }]))
}
