/** The speakers that are measured: each a route reflector for whoever connects from the clients' range, and nothing else. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { ENVIRONMENT } from '../../lab/command.ts'
import { PROJECT } from '../../lab/paths.ts'

export const PEER_NAMES = ['cali', 'bird', 'frr', 'gobgp'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** The network in which every run takes place. */
export const PLACE = { network: '10.98.0.0/16', speaker: '10.98.0.1', port: 179, firstClient: '10.98.1.1', asn: 64512 }

export interface Speaker {
  readonly name: PeerName
  readonly title: string
  /** Undefined when it is not installed. */
  readonly program: () => string | undefined
  readonly version: (program: string) => string
  readonly config: (folder: string, program: string) => string
  /** Its command line, the configuration being in `config` in its folder. */
  readonly command: (program: string, folder: string) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const HOLD_TIME = 240
const LIMIT = 5000

const cali: Speaker = {
  name: 'cali',
  title: 'cali-bgpd',
  program: () => join(PROJECT, 'bgp', 'cali-bgpd'),
  version: () => `of this tree, Node ${process.version}`,
  config: folder =>
    JSON.stringify({
      routerId: PLACE.speaker,
      asn: PLACE.asn,
      listen: { address: PLACE.speaker, port: PLACE.port },
      control: join(folder, 'control'),
      holdTime: HOLD_TIME,
      families: ['ipv4-unicast'],
      routeReflector: { clusterId: PLACE.speaker },
      dynamicNeighbours: [{ prefix: PLACE.network, asn: PLACE.asn, routeReflectorClient: true, limit: LIMIT }],
    }),
  command: (program, folder) => [program, '--config', join(folder, 'config'), '--log-level', 'error'],
}

const bird: Speaker = {
  name: 'bird',
  title: 'BIRD',
  program: () => inPath('bird'),
  version: program => said(program, '--version').replace(/^BIRD version /, ''),
  config: folder => `
    log "${join(folder, 'log')}" { warning, error, fatal, bug };
    router id ${PLACE.speaker};
    protocol device { scan time 3600; }
    protocol bgp clients {
      local ${PLACE.speaker} port ${PLACE.port} as ${PLACE.asn};
      neighbor range ${PLACE.network} as ${PLACE.asn};
      dynamic name "client";
      hold time ${HOLD_TIME};
      rr client;
      rr cluster id ${PLACE.speaker};
      ipv4 { import all; export all; };
    }`,
  command: (program, folder) => {
    const file = (name: string) => join(folder, name)
    return [program, '-f', '-c', file('config'), '-s', file('control'), '-P', file('pid')]
  },
}

/** Its default limit of queued input leaves messages lying until the next one comes; a version that knows the limit gets a high one. */
const INPUT_QUEUE = 'bgp input-queue-limit 1000000'

const frr: Speaker = {
  name: 'frr',
  title: 'FRR',
  program: () => ['/usr/lib/frr/bgpd', inPath('bgpd')].find(path => path !== undefined && existsSync(path)),
  version: program => /version (\S+)/.exec(said(program, '--version'))?.[1] ?? 'unknown',
  config: (folder, program) => {
    const plain = frrConfig('')
    const file = join(folder, 'trial')
    writeFileSync(file, frrConfig(INPUT_QUEUE))
    const { status } = spawnSync(program, ['--dryrun', '-n', '-Z', '-S', '-f', file], { env: { ...process.env, ...ENVIRONMENT } })
    return status === 0 ? frrConfig(INPUT_QUEUE) : plain
  },
  command: (program, folder) => {
    const paths = ['-f', join(folder, 'config'), '-i', join(folder, 'pid'), '--vty_socket', folder]
    const place = ['-A', '127.0.0.1', '-P', '0', '-p', String(PLACE.port), '-l', PLACE.speaker]
    return [program, '-n', '-Z', '-S', ...paths, ...place, '--log', 'stdout', '--log-level', 'critical']
  },
}

/** One peer group, so one update group; nothing waits longer than it must. */
function frrConfig(first: string): string {
  return `
hostname bench
${first}
router bgp ${PLACE.asn}
 bgp router-id ${PLACE.speaker}
 bgp cluster-id ${PLACE.speaker}
 no bgp default ipv4-unicast
 coalesce-time 100
 neighbor CLIENTS peer-group
 neighbor CLIENTS remote-as ${PLACE.asn}
 neighbor CLIENTS timers ${HOLD_TIME / 3} ${HOLD_TIME}
 neighbor CLIENTS advertisement-interval 0
 bgp listen limit ${LIMIT}
 bgp listen range ${PLACE.network} peer-group CLIENTS
 address-family ipv4 unicast
  neighbor CLIENTS activate
  neighbor CLIENTS route-reflector-client
 exit-address-family
`
}

const gobgp: Speaker = {
  name: 'gobgp',
  title: 'GoBGP',
  program: () => inPath('gobgpd'),
  version: program => said(program, '--version').replace(/^gobgpd version /, ''),
  config: () =>
    JSON.stringify({
      global: { config: { as: PLACE.asn, 'router-id': PLACE.speaker, port: PLACE.port, 'local-address-list': [PLACE.speaker] } },
      'peer-groups': [
        {
          config: { 'peer-group-name': 'clients', 'peer-as': PLACE.asn },
          timers: { config: { 'hold-time': HOLD_TIME, 'keepalive-interval': HOLD_TIME / 3 } },
          'route-reflector': { config: { 'route-reflector-client': true, 'route-reflector-cluster-id': PLACE.speaker } },
          'afi-safis': [{ config: { 'afi-safi-name': 'ipv4-unicast' } }],
        },
      ],
      'dynamic-neighbors': [{ config: { prefix: PLACE.network, 'peer-group': 'clients' } }],
    }),
  command: (program, folder) => [program, '-t', 'json', '-f', join(folder, 'config'), '-l', 'warn', '--pprof-disable'],
}

export const SPEAKERS: Readonly<Record<PeerName, Speaker>> = { cali, bird, frr, gobgp }

function inPath(name: string): string | undefined {
  return ENVIRONMENT.PATH.split(delimiter)
    .map(folder => join(folder, name))
    .find(existsSync)
}

/** The first line that a program says, on either stream. */
function said(program: string, ...words: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' })
  if (error !== undefined) throw new Fault('bench.version', { doing: 'ask the version of', on: program, says: error.message })
  return `${stdout}${stderr}`.trim().split('\n', 1)[0] ?? ''
}

/** A folder for one run, gone with it. */
export function folderOf(name: PeerName): Disposable & { readonly path: string } {
  const path = mkdtempSync(`/run/bgp-${name}-`)
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
