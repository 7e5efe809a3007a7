/** The same instructions, one after another, for any kernel: what came of each, and what stood in the tables after it. */
import { formatIpv4, ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { addAddress, deleteAddress, formatAddress, toLinkAddress } from '@network/netlink/address.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { addLink, addVeth, deleteLink, type IfIndex, setLink, toIfIndex } from '@network/netlink/link.ts'
import { formatRoute, type Route, type RouteSpec, SCOPE, TABLE, toRoute } from '@network/netlink/route.ts'
import { addRoute, deleteRoute, replaceRoute } from '@network/netlink/route-message.ts'
import type { Instruction } from '@network/netlink/wire.ts'

export interface Told {
  readonly step: string
  /** `done`, or the errno of the refusal. */
  readonly outcome: string
  readonly links: readonly string[]
  readonly addresses: readonly string[]
  readonly routes: readonly string[]
}

/** Says a step in words and makes its instruction; `index` finds a link by name, and is 9999 for one that is not there. */
type Step = readonly [words: string, make: (index: (name: string) => IfIndex) => Instruction]

const ABSENT = toIfIndex(9999)
const OURS = { protocol: 80, metric: 1024 }

/** Runs the steps and tells each outcome. */
export function runScript(client: NetlinkClient, steps: readonly Step[]): Told[] {
  return steps.map(([step, make]) => {
    const [outcome] = client.performAll([make(name => client.link(name)?.index ?? ABSENT)])
    return {
      step,
      outcome: outcome?.is === 'refused' ? (outcome.fault.detail.errno ?? outcome.fault.message) : 'done',
      ...tablesOf(client),
    }
  })
}

/** Links and addresses as their owner sees them, routes of every table but local, each list sorted. */
function tablesOf(client: NetlinkClient): Pick<Told, 'links' | 'addresses' | 'routes'> {
  const links = client.links()
  const nameOf = (index: IfIndex) => links.find(link => link.index === index)?.name
  return {
    links: links
      .map(({ name, kind, mtu, up, carrier }) => `${name} ${kind} mtu ${mtu}${up ? ' up' : ''}${carrier ? ' carrier' : ''}`)
      .sort(),
    addresses: client
      .addresses()
      .map(row => formatAddress(row).replace(/#\d+/, nameOf(row.link) ?? '?'))
      .filter(text => !text.startsWith('127.'))
      .sort(),
    routes: client
      .routes()
      .filter(({ table }) => table !== TABLE.local)
      .map(row => describeRoute(row, nameOf))
      .sort(),
  }
}

function describeRoute(row: Route, nameOf: (index: IfIndex) => string | undefined): string {
  const source = row.source === undefined ? '' : ` src ${formatIpv4(row.source)}`
  return `${formatRoute(row, nameOf)} scope ${row.scope}${source}`
}

/** Where a route of the script goes; ours unless the text says another protocol or metric. */
interface Way extends Omit<RouteSpec, 'destination' | 'gateway' | 'device' | 'source'> {
  readonly via?: string
  readonly dev?: string
  readonly src?: string
}

const ADD = { add: addRoute, replace: replaceRoute, delete: deleteRoute }

function route(verb: keyof typeof ADD, destination: string, way: Way): Step {
  const { via, dev, src, ...rest } = way
  return [
    `${verb} ${destination} ${JSON.stringify(way)}`,
    index =>
      ADD[verb](
        toRoute({
          ...OURS,
          ...rest,
          destination: prefix(destination),
          gateway: via === undefined ? undefined : ipv4(via),
          device: dev === undefined ? undefined : index(dev),
          source: src === undefined ? undefined : ipv4(src),
        }),
      ),
  ]
}

function address(verb: 'add' | 'delete', text: string, dev: string): Step {
  const [host = '', length] = text.split('/')
  return [
    `${verb} ${text} dev ${dev}`,
    index =>
      (verb === 'add' ? addAddress : deleteAddress)(
        toLinkAddress({ link: index(dev), address: ipv4(host), length: Number(length) }),
      ),
  ]
}

function link(words: string, instruction: Instruction): Step {
  return [words, () => instruction]
}

const DEVICE: Way = { dev: 'm0', scope: SCOPE.link }

/** What every kernel can do: links of our kinds, addresses, routes and each way in which one is refused. */
export const PLAIN_SCRIPT: readonly Step[] = [
  link('veth', addVeth({ name: 'm0', mtu: 1400 }, { name: 'm1', born: 'here' })),
  link('veth again', addVeth({ name: 'm0' }, { name: 'm2', born: 'here' })),
  link('veth whose other end is taken', addVeth({ name: 'm3' }, { name: 'm1', born: 'here' })),
  link('a link that is not there', setLink('m9', { up: true })),
  route('add', '10.0.1.0/26', DEVICE),
  address('add', '192.168.7.1/24', 'm0'),
  address('add', '192.168.7.1/24', 'm0'),
  address('add', '192.168.7.1/24', 'm9'),
  route('add', '10.0.1.0/26', { via: '192.168.7.2', dev: 'm0' }),
  link('m0 up, the other end down', setLink('m0', { up: true })),
  link('m1 up', setLink('m1', { up: true })),
  route('add', '10.0.1.0/26', { via: '192.168.7.2', dev: 'm0' }),
  route('add', '10.0.1.0/26', { via: '192.168.7.3', dev: 'm0' }),
  route('replace', '10.0.1.0/26', { via: '192.168.7.3', dev: 'm0' }),
  route('replace', '10.0.1.0/26', { via: '192.168.7.3', dev: 'm0' }),
  route('replace', '10.0.1.0/26', { type: 'blackhole' }),
  route('add', '10.0.1.0/26', { via: '192.168.7.2', dev: 'm0', metric: 7 }),
  route('add', '10.0.1.0/26', { via: '192.168.7.2', dev: 'm0', protocol: 4, metric: 0 }),
  route('add', '10.0.1.0/26', { via: '192.168.7.2', dev: 'm0', table: 100 }),
  route('add', '10.0.2.0/26', { via: '192.168.9.2', dev: 'm0' }),
  route('add', '10.0.2.0/26', { via: '192.168.7.2', dev: 'm9' }),
  route('add', '10.0.2.0/26', { via: '192.168.7.1', dev: 'm0' }),
  route('add', '10.0.2.0/26', { via: '192.168.7.2', dev: 'm1' }),
  route('add', '10.0.2.0/26', { via: '192.168.7.2' }),
  route('add', '10.0.3.0/26', { via: '192.168.9.2', dev: 'm0', onlink: true }),
  route('add', '10.0.4.0/26', { via: '192.168.7.1', dev: 'm0', onlink: true }),
  route('add', '10.0.4.0/26', { via: '192.168.9.2', dev: 'm9', onlink: true }),
  route('add', '10.0.4.0/26', { dev: 'm9', scope: SCOPE.link }),
  route('add', '10.0.5.5/32', DEVICE),
  route('add', '10.0.6.0/26', { via: '10.0.5.5' }),
  route('add', '10.0.7.0/26', { via: '10.0.6.1' }),
  route('add', '10.0.8.0/26', { ...DEVICE, src: '192.168.7.1' }),
  route('add', '10.0.8.64/26', { ...DEVICE, src: '192.168.7.77' }),
  route('add', '10.0.9.0/26', { type: 'unreachable' }),
  route('delete', '10.0.9.0/26', { type: 'blackhole' }),
  route('delete', '10.0.9.0/26', { type: 'unreachable', metric: 7 }),
  route('delete', '10.0.9.0/26', { type: 'unreachable', protocol: 4 }),
  route('delete', '10.0.9.0/26', { type: 'unreachable' }),
  route('delete', '10.0.9.0/26', { type: 'unreachable' }),
  route('delete', '10.0.5.5/32', { via: '192.168.7.9', dev: 'm0' }),
  route('delete', '10.0.1.0/26', { via: '192.168.7.2', metric: 0, protocol: 0 }),
  link('mtu 1280', setLink('m0', { mtu: 1280 })),
  link('mtu 67', setLink('m0', { mtu: 67 })),
  link('m1 down', setLink('m1', { up: false })),
  route('add', '10.0.10.0/26', DEVICE),
  link('m1 up again', setLink('m1', { up: true })),
  link('m0 down', setLink('m0', { up: false })),
  link('m0 up again', setLink('m0', { up: true })),
  route('add', '10.0.10.0/26', { via: '192.168.7.2', dev: 'm0' }),
  route('add', '10.0.11.0/26', { type: 'blackhole' }),
  route('add', '10.0.12.0/26', { ...DEVICE, src: '192.168.7.1' }),
  address('add', '10.99.0.1/32', 'm0'),
  address('delete', '192.168.7.1/24', 'm0'),
  address('delete', '192.168.7.1/24', 'm0'),
  route('add', '10.0.12.0/26', DEVICE),
  address('delete', '10.99.0.1/32', 'm0'),
  route('add', '10.0.12.0/26', DEVICE),
  link('delete m1', deleteLink('m1')),
  link('delete m1 again', deleteLink('m1')),
  link('delete lo', deleteLink('lo')),
]

/** What a kernel with the module ipip does with tunl0. */
export const TUNNEL_SCRIPT: readonly Step[] = [
  link('tunl0 is there', addLink({ name: 'tunl0', kind: 'ipip' })),
  route('add', '10.1.0.0/26', { via: '172.16.0.1', dev: 'tunl0', onlink: true }),
  address('add', '10.1.9.1/32', 'tunl0'),
  link('tunl0 up', setLink('tunl0', { up: true, mtu: 1380 })),
  route('add', '10.1.0.0/26', { via: '172.16.0.1', dev: 'tunl0', onlink: true }),
  route('add', '10.1.1.0/26', { via: '172.16.0.1', dev: 'tunl0' }),
  route('replace', '10.1.0.0/26', { via: '172.16.0.2', dev: 'tunl0', onlink: true }),
  link('tunl0 down', setLink('tunl0', { up: false })),
  link('tunl0 up again', setLink('tunl0', { up: true })),
  route('add', '10.1.0.0/26', { via: '172.16.0.1', dev: 'tunl0', onlink: true }),
  address('delete', '10.1.9.1/32', 'tunl0'),
  link('delete tunl0', deleteLink('tunl0')),
  link('mtu 60', setLink('tunl0', { mtu: 60 })),
]
