/** Real BIRD 2 and FRR as one kind of thing, and BIRD itself: started from a part that they play, asked in their own words. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { millis } from '@network/base/time/units.ts'
import type { Role } from '@network/bgp/attributes/only-to-customer.ts'
import type { Attributes } from '@network/bgp/speaker.ts'
import { execa } from 'execa'
import { daemonIn, execIn } from '../lab/command.ts'
import { until } from '../lab/until.ts'
import { inWordsOfBird } from './router-words.ts'

export const OURS = '10.9.0.1'
export const THEIRS = '10.9.0.2'
export const THIRD = '10.9.0.3'
export const OURS6 = 'fd00:9::1'
export const THEIRS6 = 'fd00:9::2'
/** Their link-local addresses, told by nobody but router advertisements. */
export const OUR_LINK = 'fe80::9:1'
export const THEIR_LINK = 'fe80::9:2'
/** Our end of the cable, and theirs. */
export const [OUR_DEVICE, THEIR_DEVICE] = ['to-router', 'eth0']
const NAMESPACE = 'router'

/** What a router does with us. */
export interface Part {
  readonly asn: number
  /** What its session with us is over, if not IPv4: the addresses of the cable, or link-local ones. */
  readonly over?: 'ipv6' | 'link'
  /** It reflects between us and a third speaker. */
  readonly reflects?: true
  readonly gracefulRestart?: true
  readonly extendedMessages?: true
  /** The AS of one more neighbour, at THIRD. */
  readonly third?: number
  /** So many prefixes of us and no more. */
  readonly limit?: number
  /** IPv4 routes may have IPv6 next hops. */
  readonly ipv4OverIpv6?: true
  /** Writes what it learns to the kernel of its namespace. */
  readonly forwards?: true
  /** BFD with us, three packets of 100 ms; `multihop` where we are not on its link. */
  readonly bfd?: 'single-hop' | 'multihop'
  /** Seconds; 9 when left out. */
  readonly holdTime?: number
  /** TCP MD5 with us. */
  readonly password?: string
  /** GTSM: we are at most so many hops away. */
  readonly ttlSecurity?: number
  /** It is about to leave, and says so (RFC 8326). */
  readonly drains?: true
  /** What it is to us (RFC 9234). */
  readonly role?: Role
  /** It insists on hearing what we are. */
  readonly strictRole?: true
  /** It keeps routes over a long absence, so many seconds (RFC 9494), and waits for a return only so many before. */
  readonly longLived?: { readonly staleTime: number; readonly restartTime: number }
  /** It tells us all its paths of a prefix, and hears all of ours (RFC 7911); FRR also the best of each neighbour AS alone. */
  readonly addPaths?: true | 'best-of-each-as'
  /** What it says of its own routes beside the plain attributes: local-pref, MED, communities. */
  readonly dressed?: true
}

/** Routes that every router announces, of both families. */
export const THEIR_ROUTES = ['10.20.0.0/24', '10.21.0.0/24']
export const THEIR_ROUTES6 = ['2001:db8:20::/48']

/** Routes that a third one tells it: it hands them on. */
export const FOREIGN_ROUTES = ['10.66.0.0/24']
export const FOREIGN_ROUTES6 = ['2001:db8:66::/48']

/** Lays the cable: once a test file, in fresh namespaces. */
export async function layRouterCable(): Promise<void> {
  const ip = (...words: string[]) => execa('ip', words, { env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } })
  await ip('netns', 'add', NAMESPACE)
  await ip('link', 'add', 'to-router', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAMESPACE)
  await ip('link', 'set', OUR_DEVICE, 'addrgenmode', 'none')
  await ip('-n', NAMESPACE, 'link', 'set', THEIR_DEVICE, 'addrgenmode', 'none')
  for (const address of [`${OURS}/24`, `${THIRD}/24`]) await ip('address', 'add', address, 'dev', 'to-router')
  for (const address of [OURS6, OUR_LINK]) await ip('address', 'add', `${address}/64`, 'dev', 'to-router', 'nodad')
  await ip('link', 'set', 'to-router', 'up')
  await ip('-n', NAMESPACE, 'address', 'add', `${THEIRS}/24`, 'dev', 'eth0')
  for (const address of [THEIRS6, THEIR_LINK])
    await ip('-n', NAMESPACE, 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad')
  await ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up')
  await ip('-n', NAMESPACE, 'link', 'set', 'eth0', 'up')
}

export abstract class Router implements AsyncDisposable {
  readonly folder = mkdtempSync('/run/router-')
  #process: ChildProcess | undefined
  #lives = 0

  protected abstract command(): readonly string[]
  protected abstract config(part: Part): string
  protected abstract answers(): Promise<boolean>
  /** All that it prints of one route that it heard. */
  abstract route(prefix: string): Promise<string>
  /** All that it prints of its session with us. */
  abstract session(): Promise<string>
  /** Has it ask us for everything again. */
  abstract askAgain(): Promise<unknown>
  /** Has it tell us everything again without being asked. */
  abstract tellAgain(): Promise<unknown>
  /** The attributes of the route that it heard from us or the third, a line each, sorted: as it prints them. */
  abstract attributes(prefix: string): Promise<readonly string[]>
  /** How it would print these. */
  abstract inItsWords(attributes: Attributes): readonly string[]

  /** Starts it in its part; resolves when it can be asked. */
  async play(part: Part): Promise<this> {
    writeFileSync(this.file('config'), this.config(part))
    await this.launch()
    return this
  }

  async launch(): Promise<void> {
    this.#lives++
    const log = openSync(this.file('output'), 'a')
    this.#process = daemonIn(NAMESPACE, this.command(), log)
    await this.until('its control socket', () => this.answers())
  }

  /** It has lived before. */
  protected get isReborn(): boolean {
    return this.#lives > 1
  }

  /** It stops as a whole, BFD included, or goes on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name)
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    running.ref()
    const gone = new Promise(resolve => running.once('exit', resolve))
    running.kill('SIGKILL')
    await gone
  }

  /** Where the kernel of its namespace sends packets to this address. */
  async kernelRoute(to: string): Promise<string> {
    return (await this.tell('ip', 'route', 'get', to)).trim()
  }

  /** Waits for a condition; past the deadline the fault shows the router's own log. */
  until<T>(what: string, look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
    const logged = () => ['log', 'output'].map(name => this.#tail(name)).join('\n')
    return until(look, { clock: systemClock, what, every: millis(50), instead: logged })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true })
  }

  protected file(name: string): string {
    return join(this.folder, name)
  }

  protected async tell(...words: readonly string[]): Promise<string> {
    const { stdout, stderr } = await execIn(NAMESPACE, words)
    return `${stdout}\n${stderr}`
  }

  #tail(name: string): string {
    return existsSync(this.file(name)) ? readFileSync(this.file(name), 'utf8').split('\n').slice(-25).join('\n') : ''
  }
}

export class BirdRouter extends Router {
  protected command(): readonly string[] {
    const recover = this.isReborn ? ['-R'] : []
    return ['bird', ...recover, '-f', '-c', this.file('config'), '-s', this.file('control'), '-P', this.file('pid')]
  }

  protected async answers(): Promise<boolean> {
    return (await this.#ask('show', 'status')).includes('up and running')
  }

  async route(prefix: string): Promise<string> {
    return this.#ask('show', 'route', 'all', 'for', prefix)
  }

  async session(): Promise<string> {
    return this.#ask('show', 'protocols', 'all', 'cali')
  }

  askAgain(): Promise<unknown> {
    return this.#ask('reload', 'in', 'cali')
  }

  tellAgain(): Promise<unknown> {
    return this.#ask('reload', 'out', 'cali')
  }

  async attributes(prefix: string): Promise<readonly string[]> {
    const lines = (await this.route(prefix)).split('\n').map(line => line.trim())
    return lines.filter(line => line.startsWith('BGP.')).sort()
  }

  inItsWords(attributes: Attributes): readonly string[] {
    return inWordsOfBird(attributes)
  }

  #ask(...words: readonly string[]): Promise<string> {
    return this.tell('birdc', '-s', this.file('control'), ...words)
  }

  protected config(part: Part): string {
    const third = thirdOf(part)
    const dress = part.dressed
      ? `bgp_local_pref = 250; bgp_med = 77; bgp_community.add((64512, 7)); bgp_large_community.add((64512, 1, 2));
         bgp_ext_community.add((rt, 64512, 5)); bgp_origin = ORIGIN_INCOMPLETE;`
      : ''
    const parting = part.drains ? 'bgp_community.add((65535, 0));' : ''
    const limit = part.limit === undefined ? '' : `import limit ${part.limit} action restart;`
    const wide = part.ipv4OverIpv6 ? 'extended next hop on;' : ''
    const paths = part.addPaths !== undefined ? 'add paths on;' : ''
    const { local, remote } = ENDS[part.over ?? 'ipv4']
    const peer = (name: string, address: string, asn: number) => `
      protocol bgp ${name} {
        local ${name === 'cali' ? local : THEIRS} as ${part.asn};
        neighbor ${address} as ${asn};
        ${part.bfd === 'multihop' ? 'multihop' : part.ttlSecurity === undefined || part.ttlSecurity === 1 ? 'direct' : `multihop ${part.ttlSecurity}`};
        hold time ${part.holdTime ?? 9};
        connect delay time 1;
        connect retry time 1;
        error wait time 1, 2;
        ${part.reflects ? 'rr client; rr cluster id 9.9.9.9;' : ''}
        ${part.gracefulRestart ? 'graceful restart on;' : ''}
        ${longLivedOf(part)}
        ${name === 'cali' ? roleOf(part) : ''}
        ${part.extendedMessages ? 'enable extended messages on;' : ''}
        ${name === 'cali' ? protectionOf(part) : ''}
        debug { states, events };
        ipv4 { import all; export filter own; ${limit} ${wide} ${paths} };
        ipv6 { import all; export filter own; ${limit} ${paths} };
      }`
    return `
      log "${this.file('log')}" all;
      router id ${THEIRS};
      # It does not wait long for a third one that never comes.
      graceful restart wait 2;
      filter own {
        if source != RTS_STATIC && source != RTS_BGP then reject;
        if source = RTS_STATIC then { ${dress} ${parting} }
        accept;
      }
      protocol device {}
      ${part.bfd === undefined ? '' : `protocol bfd { ${BFD_OF_BIRD} }`}
      protocol static { ipv4; ${THEIR_ROUTES.map(route => `route ${route} blackhole;`).join(' ')} }
      protocol static { ipv6; ${THEIR_ROUTES6.map(route => `route ${route} blackhole;`).join(' ')} }
      ${part.forwards ? 'protocol kernel { ipv4 { export where source = RTS_BGP; }; persist; graceful restart on; }' : ''}
      ${peer('cali', remote, 64512)}
      ${third === undefined ? '' : peer('third', THIRD, third)}
    `
  }
}

/** Both ends of BIRD's session with us. */
const ENDS = {
  ipv4: { local: THEIRS, remote: OURS },
  ipv6: { local: THEIRS6, remote: OURS6 },
  link: { local: THEIR_LINK, remote: `${OUR_LINK}%${THEIR_DEVICE}` },
} as const

/** A reflector has two clients. */
export function thirdOf({ reflects, third }: Part): number | undefined {
  return third ?? (reflects ? 64512 : undefined)
}

const BFD_OF_BIRD = ['interface "eth0"', 'multihop'].map(where => `${where} { interval 100 ms; multiplier 3; };`).join(' ')

function protectionOf({ password, ttlSecurity, bfd }: Part): string {
  return `${bfd === undefined ? '' : 'bfd on;'} ${password === undefined ? '' : `password "${password}";`} ${ttlSecurity === undefined ? '' : 'ttl security on;'}`
}

function roleOf({ role, strictRole }: Part): string {
  const strict = strictRole === true ? 'require roles on;' : ''
  return role === undefined ? strict : `local role ${role.replace('-', '_').replace(/^rs$/, 'rs_server')}; ${strict}`
}

function longLivedOf({ longLived }: Part): string {
  if (longLived === undefined) return ''
  const { restartTime, staleTime } = longLived
  return `graceful restart time ${restartTime}; long lived graceful restart on; long lived stale time ${staleTime};`
}
