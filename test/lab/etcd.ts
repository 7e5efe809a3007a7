/** Real etcd members, one or more, as processes on one address; each can be stopped, killed and started again. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import { execa } from 'execa'
import { namespaceOf } from './command.ts'
import { until } from './until.ts'

export interface EtcdOptions {
  readonly members?: number
  /** The namespace and its address; loopback where this process is unless told. */
  readonly at?: { readonly where: string; readonly address: string }
  readonly firstPort?: number
  /** Further flags for every member. */
  readonly flags?: readonly string[]
  /** What `etcdctl` needs to be let in, and whether members speak TLS to clients. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

export interface Member {
  readonly name: string
  /** `127.0.0.1:2379` */
  readonly address: string
  signal(signal: NodeJS.Signals): void
  /** Resolves when the process is gone. */
  kill(): Promise<void>
  start(): void
}

export interface Etcd extends AsyncDisposable {
  readonly members: readonly Member[]
  /** `etcd://127.0.0.1:2379,127.0.0.1:2381/prefix` */
  url(prefix?: string): string
  /** Runs etcdctl against all members, and returns what it prints. */
  ctl(...words: readonly string[]): Promise<string>
  /** Forgets all history up to now. */
  compact(): Promise<void>
  leader(): Promise<Member>
  /** Resolves when the cluster answers. */
  ready(): Promise<void>
}

const READY_WITHIN = millis(30_000)
const FIRST_PORT = 2379

export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const { members: count = 1, firstPort = FIRST_PORT, at, flags = [], tls } = options
  const directory = mkdtempSync(join(tmpdir(), 'cali-etcd-'))
  const host = at?.address ?? '127.0.0.1'
  const plans = Array.from({ length: count }, (_, n) => ({
    name: `m${n + 1}`,
    client: firstPort + 2 * n,
    peer: firstPort + 2 * n + 1,
  }))
  const cluster = plans.map(({ name, peer }) => `${name}=http://${host}:${peer}`).join(',')
  const scheme = tls === undefined ? 'http' : 'https'
  const members = plans.map(({ name, client, peer }) =>
    memberOf(name, `${host}:${client}`, join(directory, `${name}.log`), [
      ...(at === undefined ? [] : ['nsenter', `--net=${namespaceOf(at.where)}`, '--']),
      ...['etcd', '--name', name, '--data-dir', join(directory, name), '--logger', 'zap', '--log-level', 'warn'],
      ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
      ...['--listen-client-urls', `${scheme}://${host}:${client}`, '--advertise-client-urls', `${scheme}://${host}:${client}`],
      ...['--listen-peer-urls', `http://${host}:${peer}`, '--initial-advertise-peer-urls', `http://${host}:${peer}`],
      ...['--initial-cluster', cluster, '--initial-cluster-state', 'new', ...flags],
    ]),
  )
  const endpoints = members.map(({ address }) => `${scheme}://${address}`)
  const login = tls === undefined ? [] : ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key]
  const run = (words: readonly string[]) => {
    const argv = ['etcdctl', '--endpoints', endpoints.join(','), ...login, ...words]
    const [file = '', ...rest] = at === undefined ? argv : ['nsenter', `--net=${namespaceOf(at.where)}`, '--', ...argv]
    return execa(file, rest, { env: { ETCDCTL_API: '3' }, reject: false, timeout: 10_000 })
  }
  const etcd: Etcd = {
    members,
    url: (prefix = '') => `${tls === undefined ? 'etcd' : 'etcds'}://${members.map(({ address }) => address).join(',')}${prefix}`,
    async ctl(...words) {
      const { exitCode, stdout, stderr } = await run(words)
      if (exitCode === 0) return stdout
      throw new Fault('lab.etcd', { doing: 'run', on: `etcdctl ${words.join(' ')}`, says: stderr.trim() })
    },
    async compact() {
      const answer = JSON.parse(await etcd.ctl('get', 'x', '-w', 'json'))
      await etcd.ctl('compact', String(answer.header.revision))
    },
    async leader() {
      return await until(
        async () => {
          const statuses: unknown[] = []
          for (const { stdout } of [await run(['endpoint', 'status', '-w', 'json'])])
            if (stdout !== '') statuses.push(...JSON.parse(stdout))
          return members.find(({ address }) => statuses.some(status => leads(status, address)))
        },
        wait('a leader', members),
      )
    },
    async ready() {
      await until(async () => (await run(['put', '/cali-lab-ready', '1'])).exitCode === 0, wait('etcd', members))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(member => member.kill()))
      rmSync(directory, { recursive: true, force: true })
    },
  }
  for (const member of members) member.start()
  try {
    await etcd.ready()
  } catch (reason) {
    await etcd[Symbol.asyncDispose]()
    throw reason
  }
  return etcd
}

interface LoggedMember extends Member {
  tail(): string
}

function memberOf(name: string, address: string, logFile: string, [file = '', ...argv]: readonly string[]): LoggedMember {
  let running: { readonly child: ChildProcess; readonly ended: Promise<unknown> } | undefined
  return {
    name,
    address,
    start() {
      const log = openSync(logFile, 'a')
      const child = spawn(file, argv, { stdio: ['ignore', log, log] })
      closeSync(log)
      running = { child, ended: once(child, 'exit') }
    },
    signal: signal => void running?.child.kill(signal),
    async kill() {
      running?.child.kill('SIGKILL')
      await running?.ended
      running = undefined
    },
    tail: () => readFileSync(logFile, 'utf8').split('\n').slice(-5).join('\n'),
  }
}

function wait(what: string, members: readonly LoggedMember[]) {
  const instead = () => members.map(member => `${member.name}: ${member.tail()}`).join('\n')
  return { clock: systemClock, what, within: READY_WITHIN, every: millis(100), instead }
}

function leads(status: unknown, address: string): boolean {
  if (typeof status !== 'object' || status === null || !('Endpoint' in status) || !('Status' in status)) return false
  const { Endpoint: endpoint, Status: inner } = status
  if (typeof inner !== 'object' || inner === null || !('leader' in inner) || !('header' in inner)) return false
  const { header } = inner
  const isLeader = typeof header === 'object' && header !== null && 'member_id' in header && header.member_id === inner.leader
  return isLeader && String(endpoint).endsWith(address)
}
