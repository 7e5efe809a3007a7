/** Peers that nobody gave an address, with a real FRR: found by router advertisements on a cable, IPv4 by link-local next hops, and back after a bounce. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { ipv6 } from '@network/base/net/ipv6.ts'
import { Secret } from '@network/base/run/secret.ts'
import { inNamespace } from '@network/base/sys/namespace.ts'
import { AF_INET6, sockaddr } from '@network/base/sys/sockaddr.ts'
import {
  bindSocket,
  closeDescriptor,
  indexOfDevice,
  openSocket,
  SOCK_CLOEXEC,
  sendTo,
  setsockoptInt,
} from '@network/base/sys/socket.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { PeerConfig } from '@network/bgp/options.ts'
import { encodeAdvertisement } from '@network/bgp/unnumbered/advertisement.ts'
import { execa } from 'execa'
import { ENVIRONMENT, mustIn } from '../lab/command.ts'
import { until } from '../lab/until.ts'
import { FrrRouter } from './frr-router.ts'
import { FrrWithBfd, joinTerminals } from './frr-with-bfd.ts'
import { start, type Us } from './ours.ts'
import { BirdRouter, layRouterCable, OUR_DEVICE, OUR_LINK, type Part, type Router, THEIR_DEVICE, THEIR_LINK } from './routers.ts'

const BGPD = join(import.meta.dirname, '..', '..', 'bgp', 'cali-bgpd')
const ON_LINK: Part = { asn: 65001, over: 'link' }
const BFD = { minTx: millis(100), minRx: millis(100), multiplier: 3, multihop: false }

const ipThere = (...words: readonly string[]) => mustIn('router', ['ip', ...words])
const ipHere = (...words: readonly string[]) => execa('ip', words, { env: ENVIRONMENT })
const ENDS = [
  { end: 'its', ip: ipThere, device: THEIR_DEVICE, address: THEIR_LINK },
  { end: 'our', ip: ipHere, device: OUR_DEVICE, address: OUR_LINK },
]

/** A cable without an address but the link-local ones. */
before(async () => {
  await layRouterCable()
  for (const family of ['-4', '-6']) {
    await ipHere(family, 'address', 'flush', 'dev', OUR_DEVICE, 'scope', 'global')
    await ipThere(family, 'address', 'flush', 'dev', THEIR_DEVICE, 'scope', 'global')
  }
  await joinTerminals()
})

describe('FRR', () => {
  test('without its zebra, which advertises for it: nobody is seen and nobody dials, the control', async () => {
    await using router = await new FrrRouter().play(ON_LINK)
    await using us = await start(onLink({ asn: 'external' }))
    await router.until('word of it', () => /no router has advertised itself on to-router/.test(us.peer().lastError?.text ?? ''))
    assert.deepEqual([us.peer().unnumbered, us.peer().state], [{ device: OUR_DEVICE, seen: null }, 'idle'])
  })

  for (const { kind, asn, path } of [
    { kind: 'external', asn: 65001, path: ' path 65001' },
    { kind: 'internal', asn: 64512, path: '' },
  ] as const)
    for (const passive of [false, true])
      test(`${kind}, ${passive ? 'it dials' : 'whoever dials'}: both find each other, and routes of both families have link-local next hops`, async () => {
        await using router = await new FrrWithBfd().play({ ...ON_LINK, asn })
        await using us = await start(onLink({ asn: kind, passive }))
        await heardAll(router, us, path)
        assert.deepEqual(us.peer().unnumbered, { device: OUR_DEVICE, seen: THEIR_LINK })
        assert.deepEqual([us.peer().address, us.peer().remoteAsn, us.peer().kind], [OUR_DEVICE, asn, kind])
        assert.equal(us.peer().session?.remoteAddress, `${THEIR_LINK}%${OUR_DEVICE}`)
        const theirs = us.heard().map(line => line.split(' ')[0] ?? '')
        const shown = theirs.map(key => us.speaker.explain(key).paths[0]?.nextHop)
        assert.deepEqual([...new Set(shown)], [`${THEIR_LINK}%${OUR_DEVICE}`])
        for (const prefix of ['10.244.0.0/26', '2001:db8:244::/48'])
          await router.until(`${prefix} there`, async () => (await router.route(prefix)).includes(OUR_LINK))
      })

  for (const { end, ip, device, address } of ENDS)
    test(`the cable is taken down at ${end} end and comes back: so does the session`, async () => {
      await using router = await new FrrWithBfd().play({ ...ON_LINK, bfd: 'single-hop' })
      await using us = await start(onLink({ asn: 'external', bfd: BFD }))
      await heardAll(router, us, ' path 65001')
      await router.until('BFD', () => us.peer().bfd?.state === 'up')
      const { flaps } = us.peer()
      await ip('link', 'set', device, 'down')
      await router.until('the loss', () => us.peer().flaps > flaps)
      assert.match(us.peer().lastError?.text ?? '', /BFD down|ENETUNREACH/)
      await ip('link', 'set', device, 'up')
      await ip('address', 'replace', `${address}/64`, 'dev', device, 'nodad')
      await heardAll(router, us, ' path 65001')
    })

  test('it dies and another life of it comes: the session does too', async () => {
    await using us = await start(onLink({ asn: 'external' }))
    {
      await using router = await new FrrWithBfd().play(ON_LINK)
      await heardAll(router, us, ' path 65001')
    }
    await using router = await new FrrWithBfd().play(ON_LINK)
    await heardAll(router, us, ' path 65001')
    assert.ok(us.peer().flaps > 0)
  })

  test('MD5 on the link: the right key, and not another', async () => {
    await using router = await new FrrWithBfd().play({ ...ON_LINK, password: 'correct-horse' })
    await using us = await start(onLink({ asn: 'external', password: new Secret('another-horse') }))
    await router.until('the doubt', () => /a password is set here/.test(us.peer().lastError?.text ?? ''))
    assert.notEqual(us.peer().state, 'established')
    us.reconfigure(onLink({ asn: 'external', password: new Secret('correct-horse') }).peer)
    await heardAll(router, us, ' path 65001')
  })
})

test('an advertisement that has lost a hop is not believed; one with all of them is, the control (RFC 4861 §6.1.2)', async () => {
  const stranger = 'fe80::9:66'
  await ipThere('address', 'add', `${stranger}/64`, 'dev', THEIR_DEVICE, 'nodad')
  await using us = await start(onLink({ asn: 'external' }))
  // Whoever is believed first is not given up for another so soon.
  forgeAdvertisement(stranger, 254)
  forgeAdvertisement(THEIR_LINK, 255)
  await untilSeen('somebody', () => us.peer().unnumbered?.seen !== null)
  assert.equal(us.peer().unnumbered?.seen, THEIR_LINK)
  await ipThere('address', 'delete', `${stranger}/64`, 'dev', THEIR_DEVICE)
})

/** From the router's end of the cable, without any daemon. */
function forgeAdvertisement(from: string, hops: number): void {
  inNamespace('/run/netns/router', () => {
    const device = indexOfDevice(THEIR_DEVICE)
    const fd = openSocket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6)
    setsockoptInt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
    bindSocket(fd, sockaddr(ipv6(from), 0, device))
    sendTo(fd, encodeAdvertisement(), sockaddr(ipv6('ff02::1'), 0, device))
    closeDescriptor(fd)
  })
}

function untilSeen(what: string, look: () => boolean): Promise<unknown> {
  return until(look, { clock: systemClock, what, within: millis(20_000), every: millis(50) })
}

const [SOCK_RAW, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, IPPROTO_ICMPV6] = [3, 41, 18, 58]

test('cali-bgpd by its configuration file: FRR at the other end of an interface, asked for by its name', async () => {
  const folder = mkdtempSync('/run/unnumbered-')
  const at = (name: string) => join(folder, name)
  const control = ['--socket', at('control')]
  writeFileSync(
    at('bgpd.yaml'),
    `routerId: 10.9.0.1
asn: 64512
listen: {address: "::"}
control: ${at('control')}
externalWithoutPolicy: accept
neighbours: [{interface: ${OUR_DEVICE}, asn: external, families: [ipv4-unicast, ipv6-unicast]}]
originate: [10.244.0.0/26]
`,
  )
  await using router = await new FrrWithBfd().play(ON_LINK)
  const daemon = execa(BGPD, ['--config', at('bgpd.yaml'), '--log-level', 'warn'])
  try {
    await router.until('our route', async () => (await router.route('10.244.0.0/26')).includes(OUR_LINK))
    const shown = async (...words: readonly string[]) => (await execa(BGPD, ['show', ...words, ...control])).stdout
    assert.match(await shown('peer', OUR_DEVICE), new RegExp(`session.remoteAddress +${THEIR_LINK}%${OUR_DEVICE}`))
    await router.until('its routes', async () => (await shown('routes')).includes('10.20.0.0/24'))
    assert.match(await shown('why', '10.20.0.0/24'), new RegExp(`^${OUR_DEVICE} .* ${THEIR_LINK}%${OUR_DEVICE} +best`, 'm'))
  } finally {
    daemon.kill('SIGTERM')
    await daemon.catch(() => undefined)
    rmSync(folder, { recursive: true })
  }
})

test('BIRD by its link-local address: both families with link-local next hops', async () => {
  await using router = await new BirdRouter().play({ ...ON_LINK, ipv4OverIpv6: true })
  await using us = await start({ ...onLink({ asn: 65001 }), to: `${THEIR_LINK}%${OUR_DEVICE}` })
  await heardAll(router, us, ' path 65001')
  for (const prefix of ['10.244.0.0/26', '2001:db8:244::/48'])
    await router.until(`${prefix} there`, async () => (await router.route(prefix)).includes(OUR_LINK))
})

interface OnLink {
  readonly address: string
  readonly to: string
  readonly peer: Partial<PeerConfig>
}

function onLink(peer: Partial<PeerConfig>): OnLink {
  return { address: '::', to: OUR_DEVICE, peer: { importPolicy: [], exportPolicy: [], ...peer } }
}

async function heardAll(router: Router, us: Us, path: string): Promise<void> {
  const wanted = ['10.20.0.0/24', '10.21.0.0/24', '2001:db8:20::/48'].map(prefix => new RegExp(`^${prefix} via \\S+${path}$`))
  await router.until('routes of both families', () => {
    const heard = us.heard()
    return wanted.every(each => heard.some(line => each.test(line)))
  })
}
