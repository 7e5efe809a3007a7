/**
 * Makes bgp/record/conversations anew, each the recording of a talk with a real router: `sh test/lab/fresh.sh node test/interop/record-conversations.ts`.
 * A change of what our speaker says, draws or waits for makes the old ones another story.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { plainAttributes } from '@network/bgp/attributes/attributes.ts'
import type { PeerStatus } from '@network/bgp/speaker.ts'
import { execa } from 'execa'
import { PROJECT } from '../lab/paths.ts'
import { FrrRouter } from './frr-router.ts'
import { start, type Us } from './ours.ts'
import { BirdRouter, FOREIGN_ROUTES, layRouterCable, OURS, type Router, THEIRS, THIRD } from './routers.ts'
import { Third } from './third.ts'

/** A router that can be made to change its mind. */
type Talker = Router & {
  /** It takes one of its routes back. */
  withdraw(): Promise<unknown>
  /** It ends the session with words. */
  leave(): Promise<unknown>
}

class TalkingBird extends BirdRouter implements Talker {
  withdraw(): Promise<unknown> {
    return this.tell('birdc', '-s', this.file('control'), 'disable', 'static1')
  }

  leave(): Promise<unknown> {
    return this.tell('birdc', '-s', this.file('control'), 'disable', 'cali', '"upgrade"')
  }
}

class TalkingFrr extends FrrRouter implements Talker {
  withdraw(): Promise<unknown> {
    return this.#configure('address-family ipv4 unicast', 'no network 10.20.0.0/24', 'no network 10.21.0.0/24')
  }

  leave(): Promise<unknown> {
    return this.#configure(`neighbor ${OURS} shutdown message upgrade`)
  }

  #configure(...lines: readonly string[]): Promise<unknown> {
    const words = ['configure terminal', 'router bgp 64512', ...lines].flatMap(line => ['-c', line])
    return this.tell('vtysh', '--vty_socket', this.folder, ...words)
  }
}

const FOREIGN = FOREIGN_ROUTES[0] ?? ''
/** What the third one tells the router in front of us, an attribute among it that nobody knows. */
const DRESSED = {
  ...plainAttributes(ipv4(THIRD)),
  asPath: [{ kind: 'sequence', asns: [65003, 4_200_000_000, 65004] }],
  med: 4_294_967_295,
  communities: [0xfc00_0007, 0xffff_0000],
  aggregator: { asn: 4_200_000_000, address: ipv4(THIRD) },
  atomicAggregate: true,
  largeCommunities: [{ global: 4_200_000_000, local1: 1, local2: 2 }],
  opaque: [{ code: 99, body: Uint8Array.of(1, 2, 3), partial: true }],
} as const

const folder = join(PROJECT, 'bgp/record/conversations')
mkdirSync(folder, { recursive: true })
await layRouterCable()
await keep('bird', new TalkingBird(), '/usr/sbin/bird')
await keep('frr', new TalkingFrr(), '/usr/lib/frr/bgpd')

async function keep(name: string, router: Talker, program: string): Promise<void> {
  const { stdout, stderr } = await execa(program, ['--version'])
  const lines = await converse(router)
  const [heading = '{}', ...events] = lines
  const of = `a talk with ${(stdout || stderr).split('\n')[0]}, recorded by test/interop/record-conversations.ts`
  writeFileSync(join(folder, `${name}.jsonl`), `${[JSON.stringify({ of, ...JSON.parse(heading) }), ...events].join('\n')}\n`)
}

/** All that a session may see: routes of both families, refreshes both ways, withdrawals, a restart, an end from either side. */
async function converse(router: Talker): Promise<readonly string[]> {
  const lines: string[] = []
  await using _router = await router.play({ asn: 64512, dressed: true, gracefulRestart: true, third: 65003 })
  const us = await start({ record: line => void lines.push(line), third: { client: true } })
  using _behind = await Third.meet(OURS, 'internal', router)
  using before = await Third.meet(THEIRS, 'external', router)
  await router.until('all of it', () => us.peer().gracefulRestart.endOfRibReceived && us.heard().length === 3)
  before.say(DRESSED)
  await router.until('the foreign route here', () => us.speaker.paths(FOREIGN).length > 0)
  await refresh(router, us)
  await router.withdraw()
  await router.until('its withdrawal', () => !us.heard().some(line => line.startsWith('10.2')))
  us.originate('10.244.0.64/26')
  await router.until('our other route there', async () => (await router.route('10.244.0.64/26')).includes(OURS))
  await restart(router, us)
  us.speaker.clear(ipv4(THEIRS), { is: 'hard', words: 'new line card' })
  await router.until('the next session', () => us.peer().flaps === 2 && us.peer().gracefulRestart.endOfRibReceived)
  await router.leave()
  await router.until('its last words', () => us.peer().lastError?.direction === 'received')
  await us.speaker.stop({ graceful: false, words: 'all is said' })
  await new Promise(resolve => setImmediate(resolve))
  return lines
}

async function refresh(router: Talker, us: Us): Promise<void> {
  const asked = us.peer().messages.in.routeRefresh
  await router.askAgain()
  await router.until('its request', () => us.peer().messages.in.routeRefresh > asked)
  const before = us.peer().messages.in.routeRefresh
  us.speaker.clear(ipv4(THEIRS), { is: 'in' })
  await router.until('begin and end of both families', () => us.peer().messages.in.routeRefresh >= before + 4)
  await router.until('nothing stale', () => us.peer().prefixes.stale === 0)
}

async function restart(router: Talker, us: Us): Promise<void> {
  const isStale = ({ stale, received }: PeerStatus['prefixes']) => stale === received && received > 0
  await router.kill()
  await router.until('stale routes', () => isStale(us.peer().prefixes))
  await router.launch()
  const isBack = () => us.peer().state === 'established' && !us.peer().gracefulRestart.helping
  await router.until('fresh routes', () => isBack() && us.peer().prefixes.stale === 0)
}
