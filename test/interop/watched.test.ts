/** What cali's speaker tells watchers: MRT that bgpdump reads, BMP that tshark decodes; both beside a real BIRD. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { Monitor } from '@network/bgp/bmp/monitor.ts'
import { Station } from '@network/bgp/bmp/station.ts'
import { MessageLog } from '@network/bgp/mrt/message-log.ts'
import { tableDump } from '@network/bgp/mrt/table-dump.ts'
import { ACCEPTED, type PeerConfig, type SpeakerOptions } from '@network/bgp/options.ts'
import { tcpTransport } from '@network/bgp/session/tcp.ts'
import { Speaker } from '@network/bgp/speaker.ts'
import { observed, together } from '@network/bgp/watch/observe.ts'
import { execa } from 'execa'
import { until } from '../lab/until.ts'
import { BIRDS, Bird, layCable, OURS } from './bird.ts'
import { BMP_PORT, bgpdump, decodeBmp } from './decoders.ts'

const GLASS_PORT = 29184
const BGPD = join(import.meta.dirname, '..', '..', 'bgp', 'cali-bgpd')
const ROUTES = ['10.20.0.0/24', '10.21.0.0/24']

const folder = mkdtempSync('/run/watched-')
before(layCable)
after(() => rmSync(folder, { recursive: true }))

class Watched implements AsyncDisposable {
  readonly monitor = new Monitor(systemClock, { system: 'lab', description: 'cali' })
  readonly records: Uint8Array[] = []
  readonly log = new MessageLog(systemClock, record => void this.records.push(record))
  readonly speaker: Speaker

  constructor() {
    const options: SpeakerOptions = {
      routerId: ipv4(OURS),
      asn: 64512,
      listen: { address: ipv4(OURS), port: 179 },
      holdTime: seconds(30),
      connectRetry: millis(1000),
      gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(1000) },
      importFilter: () => ACCEPTED,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      transport: observed(tcpTransport(systemClock), together([this.monitor, this.log])),
    }
    this.speaker = new Speaker(options)
    this.monitor.follow(this.speaker)
    this.log.follow(this.speaker)
  }

  async start(): Promise<void> {
    const peer: PeerConfig = { address: ipv4(BIRDS), name: 'bird', asn: 64513, port: 179, passive: false, dialAfter: millis(0) }
    this.speaker.originate(new Map([['10.30.0.0/24', { prefix: prefix('10.30.0.0/24') }]]))
    this.speaker.setPeers([peer])
    await this.speaker.start()
    await waitFor('routes from BIRD', () => this.speaker.learned().size === ROUTES.length)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.speaker.stop({ graceful: false })
  }
}

/** Collects what a speaker's station sends. */
class Collector implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  bytes = Buffer.alloc(0)

  constructor() {
    this.#server = createServer(socket => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('data', chunk => {
        this.bytes = Buffer.concat([this.bytes, chunk])
      })
    }).listen(BMP_PORT, '127.0.0.1')
  }

  /** Types of the whole messages so far. */
  types(): readonly number[] {
    const types: number[] = []
    for (let at = 0; at + 6 <= this.bytes.length; at += this.bytes.readUInt32BE(at + 1)) types.push(this.bytes.readUInt8(at + 5))
    return types
  }

  /** Breaks the connection, as a station does that is started anew. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
    this.bytes = Buffer.alloc(0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

const ROUTE_MONITORING = 0
const STATISTICS = 1
const PEER_DOWN = 2
const PEER_UP = 3
const INITIATION = 4
const TERMINATION = 5

describe('BMP', () => {
  test('a station hears initiation, peers with both OPENs, routes before the policy, statistics, and the end; tshark reads all of it', async () => {
    await using bird = await Bird.start({ asn: 64513, routes: ROUTES })
    await using collector = new Collector()
    await using watched = new Watched()
    await watched.start()
    const tools = { clock: systemClock, random: systemRandom, log: silentLog }
    const config = { host: '127.0.0.1', port: BMP_PORT, statisticsEvery: millis(200) }
    const station = new Station(config, watched.monitor, tools)
    station.start()
    await waitFor('statistics', () => collector.types().includes(STATISTICS))
    assert.deepEqual(collector.types().slice(0, 2), [INITIATION, PEER_UP], 'a late station is told who is up')
    assert.ok(collector.types().filter(type => type === ROUTE_MONITORING).length >= 2, 'and what it has told')
    await bird.kill()
    await waitFor('the peer to be down', () => collector.types().includes(PEER_DOWN))
    await bird.launch()
    await waitFor('the peer to be up again', () => collector.types().lastIndexOf(PEER_UP) > collector.types().indexOf(PEER_DOWN))
    await waitFor('its routes', () => collector.types().lastIndexOf(ROUTE_MONITORING) > collector.types().lastIndexOf(PEER_UP))
    await station.stop()
    await waitFor('the farewell', () => collector.types().at(-1) === TERMINATION)

    const decoded = await decodeBmp(collector.bytes)
    assert.doesNotMatch(decoded, /[Mm]alformed|Unknown|Expert Info \((?:Warning|Error)/)
    assert.match(decoded, /Type: Initiation Message \(4\)/)
    assert.match(decoded, /Type: Peer Up Notification \(3\)/)
    assert.match(decoded, new RegExp(`Address: ${BIRDS.replaceAll('.', '\\.')}`))
    assert.match(decoded, /ASN: 64513/)
    for (const route of ROUTES) assert.match(decoded, new RegExp(`${route.replace('/', '\\/')}`))
    assert.match(decoded, /Number of routes in Adj-RIBs-In/)
  })

  test('a station that hung up is connected again and told everything anew', async () => {
    await using _bird = await Bird.start({ asn: 64513, routes: ROUTES })
    await using collector = new Collector()
    await using watched = new Watched()
    await watched.start()
    const config = { host: '127.0.0.1', port: BMP_PORT, statisticsEvery: undefined }
    const station = new Station(config, watched.monitor, { clock: systemClock, random: systemRandom, log: silentLog })
    station.start()
    await waitFor('the first telling', () => collector.types().includes(ROUTE_MONITORING))
    collector.hangUp()
    await waitFor('the second', () => collector.types().includes(ROUTE_MONITORING))
    assert.deepEqual(collector.types().slice(0, 2), [INITIATION, PEER_UP])
    await station.stop()
  })
})

describe('MRT', () => {
  test('bgpdump reads a dump of the table', async () => {
    await using _bird = await Bird.start({ asn: 64513, routes: ROUTES, dress: 'bgp_med = 7; bgp_community.add((64513,5));' })
    await using watched = new Watched()
    await watched.start()
    const lines = await bgpdump([...tableDump(watched.speaker, new Date(), 'lab')])
    for (const route of ROUTES)
      assert.ok(
        lines.some(
          line =>
            line.startsWith('TABLE_DUMP2|') && line.includes(`|B|${BIRDS}|64513|${route}|64513|IGP|${BIRDS}|0|7|64513:5|NAG|`),
        ),
        `${route} in ${lines.join('\n')}`,
      )
    assert.ok(
      lines.some(line => line.includes('|10.30.0.0/24|')),
      'a route of our own',
    )
    assert.equal(lines.length, 3)
  })

  test('bgpdump reads every message and every change of state', async () => {
    await using bird = await Bird.start({ asn: 64513, routes: ROUTES })
    await using watched = new Watched()
    await watched.start()
    await bird.kill()
    await waitFor(
      'the session to end',
      () => watched.speaker.learned().size === 0 || watched.speaker.status().peers[0]?.state !== 'established',
    )
    const lines = await bgpdump(watched.records)
    for (const route of ROUTES)
      assert.ok(
        lines.some(line => line.includes(`|A|${BIRDS}|64513|${route}|64513|`)),
        lines.join('\n'),
      )
    assert.ok(
      lines.some(line => /\|STATE\|10\.9\.0\.2\|64513\|5\|6/.test(line)),
      'open-confirm to established',
    )
    assert.ok(
      lines.some(line => /\|STATE\|10\.9\.0\.2\|64513\|6\|[123]\b/.test(line)),
      'and down again',
    )
  })
})

describe('cali-bgpd', () => {
  test('watched from everywhere at once: a station, both kinds of MRT, a looking glass, and a recording that replays', async () => {
    await using bird = await Bird.start({ asn: 64513, routes: ROUTES })
    await using collector = new Collector()
    const at = (name: string) => join(folder, name)
    writeFileSync(
      at('bgpd.yaml'),
      `routerId: ${OURS}
asn: 64512
listen: {address: ${OURS}}
control: ${at('control')}
externalWithoutPolicy: accept
neighbours: [{address: ${BIRDS}, asn: 64513}]
originate: [10.30.0.0/24]
bmp: [{host: 127.0.0.1, port: ${BMP_PORT}, statistics: 1}]
mrt: {messages: ${at('daemon.mrt')}}
lookingGlass: {port: ${GLASS_PORT}}
`,
    )
    const daemon = execa(BGPD, ['--config', at('bgpd.yaml'), '--log-level', 'warn', '--record', at('recording.jsonl')])
    await bird.until('our route', async () => (await bird.routes()).has('10.30.0.0/24'))
    await waitFor('routes at the station', () => collector.types().includes(ROUTE_MONITORING))

    const glass = async (path: string) => asObject(await (await fetch(`http://127.0.0.1:${GLASS_PORT}${path}`)).json())
    const { protocols } = await glass('/protocols/bgp')
    const [name = ''] = Object.keys(asObject(protocols))
    const { routes } = await glass(`/routes/protocol/${name}`)
    assert.ok(Array.isArray(routes))
    assert.deepEqual(routes.map(route => asObject(route)['network']).sort(), ROUTES)
    assert.deepEqual(asObject(asObject(routes[0])['bgp'])['as_path'], [64513])
    assert.equal((await fetch(`http://127.0.0.1:${GLASS_PORT}/secrets`)).status, 404)

    await execa(BGPD, ['dump', at('daemon-table.mrt'), '--socket', at('control')])
    const { stdout: table } = await execa('bgpdump', ['-m', at('daemon-table.mrt')])
    for (const route of [...ROUTES, '10.30.0.0/24']) assert.match(table, new RegExp(`\\|${route}\\|`))

    daemon.kill('SIGTERM')
    await daemon
    const { stdout: messages } = await execa('bgpdump', ['-m', at('daemon.mrt')])
    for (const route of ROUTES) assert.match(messages, new RegExp(`\\|A\\|${BIRDS}\\|64513\\|${route}\\|`))
    const { stdout: verdict } = await execa(BGPD, ['replay', at('recording.jsonl')])
    assert.match(verdict, /^\d+ events, \d+ things done: the same again$/)
  })
})

function asObject(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null)
  return { ...value }
}

function waitFor<T>(what: string, look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  return until(look, { clock: systemClock, what })
}
