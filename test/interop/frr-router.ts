/** A real FRR, without its zebra: it learns and tells, and no kernel hears of it. */
import { readFileSync } from 'node:fs'
import type { Attributes } from '@network/bgp/speaker.ts'
import { inWordsOfFrr, linesOfFrr } from './router-words.ts'
import {
  FOREIGN_ROUTES6,
  OURS,
  OURS6,
  type Part,
  Router,
  THEIR_DEVICE,
  THEIR_ROUTES,
  THEIR_ROUTES6,
  THEIRS,
  THEIRS6,
  THIRD,
  thirdOf,
} from './routers.ts'

export class FrrRouter extends Router {
  /** What it calls us. */
  #us: string = OURS
  /** It speaks BGP alone. */
  protected readonly zebra: readonly string[] = ['-Z']

  protected command(): readonly string[] {
    const paths = ['-f', this.file('config'), '-i', this.file('pid'), '--vty_socket', this.folder]
    const places = this.#us === THEIR_DEVICE ? [] : ['-l', THEIRS, '-l', THEIRS6]
    return ['/usr/lib/frr/bgpd', '-n', ...this.zebra, '-S', ...paths, '-A', '127.0.0.1', '-P', '0', ...places, '--log', 'stdout']
  }

  protected async answers(): Promise<boolean> {
    return (await this.#ask('show bgp summary')).includes('BGP router identifier')
  }

  route(prefix: string): Promise<string> {
    return this.#ask(`show bgp ${familyOf(prefix)} unicast ${prefix}`)
  }

  /** Its log too: what ended the last session but one is nowhere else. */
  async session(): Promise<string> {
    return `${await this.#ask(`show bgp neighbors ${this.#us}`)}\n${readFileSync(this.file('log'), 'utf8')}`
  }

  askAgain(): Promise<unknown> {
    return this.#ask(`clear bgp ${this.#us} soft in`)
  }

  tellAgain(): Promise<unknown> {
    return this.#ask(`clear bgp ${this.#us} soft out`)
  }

  async attributes(prefix: string): Promise<readonly string[]> {
    const text = await this.#ask(`show bgp ${familyOf(prefix)} unicast ${prefix} json`)
    return linesOfFrr(JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)))
  }

  inItsWords(attributes: Attributes): readonly string[] {
    return inWordsOfFrr(attributes)
  }

  #ask(words: string): Promise<string> {
    return this.tell('vtysh', '--vty_socket', this.folder, '-c', words)
  }

  protected config(part: Part): string {
    const third = thirdOf(part)
    const us = US[part.over ?? 'ipv4']
    this.#us = us
    const peers = [{ address: us, asn: 64512 }, ...(third === undefined ? [] : [{ address: THIRD, asn: third }])]
    const forEach = (line: (address: string, asn: number) => string) =>
      peers.map(({ address, asn }) => line(address, asn)).join('\n')
    const perFamily = (address: string) => `
  neighbor ${address} activate
  ${part.limit === undefined ? '' : `neighbor ${address} maximum-prefix ${part.limit}`}
  neighbor ${address} route-map out out
  ${part.addPaths === undefined ? '' : `neighbor ${address} addpath-tx-${part.addPaths === true ? 'all-paths' : 'bestpath-per-AS'}`}
  ${part.reflects ? `neighbor ${address} route-reflector-client` : ''}`
    return `
hostname frr
log file ${this.file('log')}
debug bgp neighbor-events
bgp route-map delay-timer 0
router bgp ${part.asn}
 bgp router-id ${THEIRS}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 ${part.reflects ? 'bgp cluster-id 9.9.9.9' : ''}
 ${longLivedOf(part)}
 ${part.drains ? 'bgp graceful-shutdown' : ''}
 ${part.gracefulRestart ? 'bgp graceful-restart\n bgp graceful-restart preserve-fw-state' : ''}
${forEach(
  (address, asn) => ` neighbor ${address}${address === THEIR_DEVICE ? ' interface' : ''} remote-as ${asn}
 neighbor ${address} timers 3 ${part.holdTime ?? 9}
 neighbor ${address} timers connect 1
 neighbor ${address} advertisement-interval 0
 ${address === us ? roleOf(part, us) : ''}
 ${part.ipv4OverIpv6 ? `neighbor ${address} capability extended-nexthop` : ''}
 ${address === us ? protectionOf(part, us) : ''}`,
)}
 address-family ipv4 unicast
${THEIR_ROUTES.map(route => `  network ${route}`).join('\n')}
${forEach(perFamily)}
 exit-address-family
 address-family ipv6 unicast
${THEIR_ROUTES6.map(route => `  network ${route}`).join('\n')}
${forEach(perFamily)}
 exit-address-family
${FOREIGN_ROUTES6.map(route => `ipv6 prefix-list foreign permit ${route}`).join('\n')}
${part.asn === 64512 ? 'route-map out permit 5\n match ipv6 address prefix-list foreign' : ''}
route-map out permit 10
 ${
   part.dressed
     ? `set local-preference 250
 set metric 77
 set origin incomplete
 set community 64512:7
 set large-community 64512:1:2
 set extcommunity rt 64512:5`
     : ''
 }
 ${part.over === 'link' ? '' : `set ipv6 next-hop global ${THEIRS6}`}
`
  }
}

const US = { ipv4: OURS, ipv6: OURS6, link: THEIR_DEVICE } as const

function protectionOf({ password, ttlSecurity, bfd }: Part, us: string): string {
  return `${bfd === undefined ? '' : `neighbor ${us} bfd 3 100 100${bfd === 'multihop' ? `\n neighbor ${us} ebgp-multihop 3` : ''}`}
 ${password === undefined ? '' : `neighbor ${us} password ${password}`}
 ${ttlSecurity === undefined ? '' : `neighbor ${us} ttl-security hops ${ttlSecurity}`}`
}

function roleOf({ role, strictRole }: Part, us: string): string {
  if (role === undefined) return ''
  return `neighbor ${us} local-role ${role === 'rs' ? 'rs-server' : role}${strictRole === true ? ' strict-mode' : ''}`
}

function longLivedOf({ longLived }: Part): string {
  if (longLived === undefined) return ''
  const { restartTime, staleTime } = longLived
  return `bgp graceful-restart restart-time ${restartTime}\n bgp long-lived-graceful-restart stale-time ${staleTime}`
}

function familyOf(prefix: string): 'ipv4' | 'ipv6' {
  return prefix.includes(':') ? 'ipv6' : 'ipv4'
}
