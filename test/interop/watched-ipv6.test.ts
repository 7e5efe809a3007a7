/** Sessions over IPv6 as watchers see them: MRT that bgpdump reads and BMP that tshark decodes, with peers of global and of link-local address. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { systemClock } from '@network/base/time/clock.ts'
import { Monitor, type UpPeer } from '@network/bgp/bmp/monitor.ts'
import { MessageLog } from '@network/bgp/mrt/message-log.ts'
import { tableDump } from '@network/bgp/mrt/table-dump.ts'
import { together } from '@network/bgp/watch/observe.ts'
import { bgpdump, decodeBmp } from './decoders.ts'
import { start } from './ours.ts'
import { BirdRouter, layRouterCable, OUR_DEVICE, OURS6, THEIR_LINK, THEIRS6 } from './routers.ts'

before(layRouterCable)

for (const { name, over, address, to, shown } of [
  { name: 'a global address', over: 'ipv6', address: OURS6, to: THEIRS6, shown: THEIRS6 },
  { name: 'a link-local one', over: 'link', address: '::', to: `${THEIR_LINK}%${OUR_DEVICE}`, shown: THEIR_LINK },
] as const)
  describe(`a peer by ${name}`, () => {
    test('bgpdump reads the table, the messages and the states; tshark reads all of BMP', async () => {
      const monitor = new Monitor(systemClock, { system: 'lab', description: 'cali' })
      const records: Uint8Array[] = []
      const log = new MessageLog(systemClock, record => void records.push(record))
      const told: Uint8Array[] = []
      monitor.join({
        tell: message => void told.push(message),
        welcome: (up: UpPeer) => void told.push(...monitor.tableOf(up)),
      })
      await using us = await start({
        ...{ address, to, observer: together([monitor, log]) },
        peer: { asn: 65001, importPolicy: [], exportPolicy: [], ipv4OverIpv6: true },
      })
      monitor.follow(us.speaker)
      log.follow(us.speaker)
      {
        await using router = await new BirdRouter().play({ asn: 65001, over, ipv4OverIpv6: true })
        await router.until('routes of both families', () => us.heard().length === 3)
        monitor.reportStatistics()
        const table = await bgpdump([...tableDump(us.speaker, new Date(), 'lab')])
        for (const route of ['10.20.0.0/24', '2001:db8:20::/48'])
          assert.ok(
            table.some(line => line.includes(`|B|${shown}|65001|${route}|65001|`)),
            `${route} in ${table.join('\n')}`,
          )
        await router.kill()
        await router.until('the loss', () => us.peer().state !== 'established')
      }
      const lines = await bgpdump(records)
      assert.ok(
        lines.some(line => line.includes(`|A|${shown}|65001|2001:db8:20::/48|65001|`)),
        lines.join('\n'),
      )
      for (const states of ['5|6', '6|'])
        assert.ok(
          lines.some(line => line.includes(`|STATE|${shown}|65001|${states}`)),
          lines.join('\n'),
        )
      const decoded = await decodeBmp(Buffer.concat(told))
      assert.doesNotMatch(decoded, /[Mm]alformed|Unknown|Expert Info \((?:Warning|Error)/)
      assert.match(decoded, new RegExp(`Address: ${shown}`))
      for (const words of [/Peer Up Notification/, /Peer Down Notification/, /Statistics Report/, /2001:db8:20::\/48/])
        assert.match(decoded, words)
    })
  })
