/** Records what a real BIRD says into bgp/wire/bird.fixture: `sh test/lab/fresh.sh node test/interop/record-bird.ts`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { tcpTransport } from '@network/bgp/session/tcp.ts'
import { RawPeer } from '@network/bgp/testing/raw-peer.ts'
import { frame, type MessageKind } from '@network/bgp/wire/header.ts'
import { execa } from 'execa'
import { PROJECT } from '../lab/paths.ts'
import { until } from '../lab/until.ts'
import { BIRDS, Bird, type BirdOptions, layCable, OURS } from './bird.ts'

const DRESS = `
  bgp_med = 4294967295; bgp_local_pref = 4294967294; bgp_origin = ORIGIN_INCOMPLETE;
  bgp_path.prepend(4200000000); bgp_path.prepend(65001);
  bgp_community.add((64512, 7)); bgp_community.add((65535, 65281)); bgp_large_community.add((64512, 1, 2));
`
const OPTIONS: BirdOptions = {
  passive: true,
  gracefulRestart: true,
  routes: ['10.20.0.0/24', '10.21.128.0/17', '0.0.0.0/0'],
  dress: DRESS,
}

let count = 0
await layCable()
const bird = await Bird.start(OPTIONS)
const peer = new RawPeer()
peer.dial(tcpTransport(systemClock), ipv4(BIRDS), ipv4(OURS))
await heard(2, 'OPEN and KEEPALIVE', () => peer.greet({ routerId: ipv4(OURS) }))
await heard(2, 'routes and End-of-RIB')
await heard(1, 'the withdrawal', () => void bird.reconfigure({ ...OPTIONS, routes: ['10.20.0.0/24', '0.0.0.0/0'] }))
await heard(1, 'ROUTE-REFRESH', () => void bird.tell('reload in cali'))
await heard(1, 'NOTIFICATION', () => void bird.tell('disable cali "upgrade"'))
await bird[Symbol.asyncDispose]()

const { stderr, stdout } = await execa('/usr/sbin/bird', ['--version'])
const lines = peer.heard.map(({ kind, body }) => `${kind} ${Buffer.from(frame(kindOf(kind), body)).toString('hex')}`)
const head = `# Said by a real ${(stderr || stdout).trim()}, recorded by: sh test/lab/fresh.sh node test/interop/record-bird.ts`
writeFileSync(join(PROJECT, 'bgp/wire/bird.fixture'), `${[head, ...lines].join('\n')}\n`)

async function heard(more: number, what: string, cause: () => void = () => undefined): Promise<void> {
  count += more
  if (peer.kinds.length === 0) await until(() => peer.kinds.length > 0, { clock: systemClock, what: 'OPEN' })
  cause()
  const instead = () => `heard ${peer.kinds.join(', ')}`
  await until(() => peer.kinds.length >= count, { clock: systemClock, what, instead })
}

function kindOf(kind: string): MessageKind {
  const kinds: readonly MessageKind[] = ['open', 'update', 'notification', 'keepalive', 'routeRefresh']
  const found = kinds.find(each => each === kind)
  if (found === undefined) throw new Error(`no message is called ${kind}`)
  return found
}
