/** Several paths of a prefix between our speaker and real BIRD 2 and FRR, both ways. RFC 7911. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { ipv4 } from '@network/base/net/ipv4.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { Monitor } from '@network/bgp/bmp/monitor.ts'
import { MessageLog } from '@network/bgp/mrt/message-log.ts'
import { tableDump } from '@network/bgp/mrt/table-dump.ts'
import type { PeerConfig } from '@network/bgp/speaker.ts'
import { together } from '@network/bgp/watch/observe.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from '@network/bgp/wire/capabilities.ts'
import { bgpdump, decodeBmp } from './decoders.ts'
import { OUR_ROUTES, start, type Us } from './ours.ts'
import { KINDS } from './roles.ts'
import { layRouterCable, OURS, type Part, type Router, THEIR_ROUTES, THEIR_ROUTES6, THEIRS, THIRD } from './routers.ts'

const OFFER: Partial<PeerConfig> = {
  addPath: [
    { family: IPV4_UNICAST, send: 'all', receive: true },
    { family: IPV6_UNICAST, send: 'all', receive: true },
  ],
}
const [THEIR_ROUTE = ''] = THEIR_ROUTES
const [THEIR_ROUTE6 = ''] = THEIR_ROUTES6
const REFLECTOR: Part = { asn: 64512, reflects: true }

before(layRouterCable)

for (const { name, make } of KINDS)
  describe(name, () => {
    for (const route of [THEIR_ROUTE, THEIR_ROUTE6])
      test(`it tells two paths of ${route}; one goes, and the other keeps its id`, async () => {
        await using router = await make().play({ ...REFLECTOR, addPaths: true })
        await using us = await start({ peer: OFFER })
        await using other = await start({ address: THIRD, originate: [route] })
        await router.until('both paths', () => pathsOf(us, route).length === 2)
        const paths = pathsOf(us, route)
        assert.equal(new Set(paths.map(({ pathId }) => pathId)).size, 2)
        assert.ok(paths.every(({ pathId }) => pathId !== undefined))
        const verdicts = us.speaker.explain(route).paths.map(({ verdict }) => verdict.is)
        assert.deepEqual(verdicts, ['best', 'lost'])
        other.originate()
        await router.until('one of them', () => pathsOf(us, route).length === 1)
        const [left] = pathsOf(us, route)
        assert.ok(paths.some(({ pathId }) => pathId === left?.pathId))
        assert.equal(left?.attributes.originatorId, undefined)
      })

    if (name === 'FRR')
      test('it tells the best of each neighbour AS alone: one path, with an id', async () => {
        await using router = await make().play({ ...REFLECTOR, addPaths: 'best-of-each-as' })
        await using us = await start({ peer: OFFER })
        await using other = await start({ address: THIRD, originate: [THEIR_ROUTE] })
        await router.until('the other path there', async () => countOf(await router.route(THEIR_ROUTE), THIRD) > 0)
        assert.equal(other.peer().state, 'established')
        await router.until('all of it', () => us.heard().length === 3)
        const [path, ...others] = pathsOf(us, THEIR_ROUTE)
        assert.ok(path?.pathId !== undefined && others.length === 0)
      })

    test('P0: without the capability on our side it tells one path, without an id', async () => {
      await using router = await make().play({ ...REFLECTOR, addPaths: true })
      await using us = await start({})
      await using other = await start({ address: THIRD, originate: [THEIR_ROUTE] })
      await router.until('the other path there', async () => countOf(await router.route(THEIR_ROUTE), THIRD) > 0)
      assert.equal(other.peer().state, 'established')
      await router.until('all of it', () => us.heard().length === 3)
      assert.deepEqual(
        pathsOf(us, THEIR_ROUTE).map(({ pathId }) => pathId),
        [undefined],
      )
    })

    test('watched: bgpdump reads tables and messages with their ids, tshark the monitoring of them', async () => {
      await using router = await make().play({ ...REFLECTOR, addPaths: true })
      const records: Uint8Array[] = []
      const log = new MessageLog(systemClock, record => void records.push(record))
      const monitor = new Monitor(systemClock, { system: 'lab', description: 'cali' })
      await using us = await start({ peer: OFFER, observer: together([log, monitor]) })
      monitor.follow(us.speaker)
      await using other = await start({ address: THIRD, originate: [THEIR_ROUTE] })
      await router.until('both paths', () => pathsOf(us, THEIR_ROUTE).length === 2)
      assert.equal(other.peer().state, 'established')
      const table = await bgpdump([...tableDump(us.speaker, new Date(), 'lab')])
      assert.equal(table.filter(line => line.includes(`|${THEIRS}|64512|${THEIR_ROUTE}|`)).length, 2, table.join('\n'))
      const messages = await bgpdump(records)
      assert.equal(messages.filter(line => line.includes(`|A|${THEIRS}|64512|${THEIR_ROUTE}|`)).length, 2, messages.join('\n'))
      const told: Uint8Array[] = []
      const leave = monitor.join({
        tell: message => void told.push(message),
        welcome: up => void told.push(...monitor.tableOf(up)),
      })
      leave()
      const decoded = await decodeBmp(Buffer.concat(told))
      const monitored = decoded.slice(decoded.indexOf('Type: Route Monitoring'))
      assert.doesNotMatch(monitored, /[Mm]alformed|Unknown|Expert Info \((?:Warning|Error)/)
      const ids = pathsOf(us, THEIR_ROUTE).map(({ pathId }) => pathId)
      for (const id of ids) assert.match(monitored, new RegExp(`${THEIR_ROUTE} PathId ${id}\\b`))
    })

    test('it hears all of our paths, the best ones, or the best one; one goes, and the others stay', async () => {
      const [route = ''] = OUR_ROUTES
      for (const { send, holds } of [
        { send: 'all', holds: 2 },
        { send: 2, holds: 2 },
        { send: 1, holds: 1 },
      ] as const) {
        await using router = await make().play({ asn: 64512, addPaths: true })
        const addPath = [{ family: IPV4_UNICAST, send }]
        await using us = await start({ peer: { client: true, addPath }, third: { client: true } })
        await using other = await start({ address: THIRD, to: OURS, originate: [route] })
        await router.until('both paths here', () => us.speaker.paths(route).length === 2)
        await router.until('them there', async () => (await heardOf(router, route)) === holds)
        const ids = [...us.speaker.adjOut(ipv4(THEIRS))].filter(({ prefix }) => 'pathId' in prefix)
        assert.equal(ids.length, holds)
        other.originate()
        await router.until(
          'one of them',
          async () => us.speaker.paths(route).length === 1 && (await heardOf(router, route)) === 1,
        )
        assert.match(await router.session(), /established/i)
      }
    })
  })

function pathsOf(us: Us, route: string) {
  return us.speaker.paths(route).filter(({ source }) => source.id === THEIRS)
}

/** Paths of a prefix that the router heard from us. */
async function heardOf(router: Router, route: string): Promise<number> {
  return countOf(await router.route(route), OURS)
}

/** Paths that it prints as told by this address: one line each. */
function countOf(printed: string, from: string): number {
  const marks = [from === OURS ? '[cali ' : '[third ', ` from ${from} (`]
  return printed.split('\n').filter(line => marks.some(mark => line.includes(mark))).length
}
