import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { toIfIndex } from '@network/netlink/link.ts'
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

const CASES: readonly [what: string, event: KernelEvent, means: readonly string[]][] = [
  ['the default route goes', route({}), ['retry', 'ways']],
  ['rp_filter of all is set', netconf('all'), ['plan']],
  ['a setting of one link is set', netconf(toIfIndex(3)), []],
  ['a route of ours goes', route({ protocol: 80, metric: 1024 }), []],
  ['a route in a table of no interest goes', route({ table: 100 }), []],
  ['news were lost', { is: 'overrun', says: 'the buffer was full' }, ['warn', 'underlay', 'ways']],
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
    heard(event, { controller, kernel, log: { ...silentLog, warn: () => done.push('warn') } })
    assert.deepEqual(done, means)
  })
