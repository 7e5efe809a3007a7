import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { type Link, toIfIndex } from '@network/netlink/link.ts'
import type { KernelEvent } from '@network/netlink/monitor.ts'
import type { Netconf } from '@network/netlink/netconf.ts'
import { type RouteSpec, toRoute } from '@network/netlink/route.ts'
import { heard } from './heard.ts'

const route = (spec: Partial<RouteSpec>): KernelEvent => ({
  is: 'route',
  change: 'gone',
  route: toRoute({ destination: prefix('0.0.0.0/0'), ...spec }),
})

const netconf = (of: Netconf['of']): KernelEvent => ({
  is: 'netconf',
  change: 'new',
  netconf: { of, forwarding: undefined, rpFilter: 1, proxyArp: undefined },
})

const LINK: Link = {
  ...{ index: toIfIndex(7), name: 'cali0123456789a', kind: 'veth', mtu: 1500, mac: 'ee:ee:ee:ee:ee:ee' },
  ...{ up: true, carrier: true, loopback: false, operState: 'up', peer: undefined, master: undefined, vxlan: undefined },
}
const link = (change: 'new' | 'gone'): KernelEvent => ({ is: 'link', change, link: LINK })

const CASES: readonly [what: string, event: KernelEvent, means: readonly string[]][] = [
  ['the default route goes', route({}), ['retry', 'ways']],
  ['rp_filter of all is set', netconf('all'), ['plan']],
  ['a setting of one link is set', netconf(toIfIndex(3)), []],
  ['a route of ours goes', route({ protocol: 80, metric: 1024 }), []],
  ['a route in a table of no interest goes', route({ table: 100 }), []],
  ['a link comes', link('new'), ['cali0123456789a there', 'retry', 'underlay']],
  ['a link goes', link('gone'), ['cali0123456789a gone', 'retry', 'underlay']],
  ['news were lost', { is: 'overrun', says: 'the buffer was full' }, ['warn', 'firewall', 'underlay', 'ways']],
]

for (const [what, event, means] of CASES)
  test(`${what}: ${means.join(', ') || 'nothing to plan'}`, () => {
    const done: string[] = []
    const controller = {
      underlayMayHaveChanged: () => done.push('underlay'),
      waysMayHaveChanged: () => done.push('ways'),
      wake: () => done.push('plan'),
    }
    const kernel = { retrySoon: () => done.push('retry') }
    const firewall = {
      interfaceHeard: (name: string, is: string) => done.push(`${name} ${is}`),
      heard: () => done.push('firewall'),
    }
    heard(event, { controller, kernel, firewall, log: { ...silentLog, warn: () => done.push('warn') } })
    assert.deepEqual(done, means)
  })
