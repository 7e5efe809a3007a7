/**
 * A BGP peer with much to say: `node announcer.ts <own address> <peer address> <AS number> <how many /26 blocks> <first address>`.
 * Prints a line when it listens, and stays until it is killed.
 */

import { formatIpv4, ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, toPrefix } from '@network/base/net/prefix.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, type Origination, Speaker } from '@network/bgp/speaker.ts'

const [own = '', peer = '', asNumber, count, first = ''] = process.argv.slice(2)
const asn = Number(asNumber)
const speaker = new Speaker({
  routerId: ipv4(own),
  asn,
  listen: { address: ipv4(own), port: 179 },
  holdTime: seconds(30),
  connectRetry: millis(2000),
  gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(1000) },
  importFilter: () => ACCEPTED,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
})
const blocks = Array.from({ length: Number(count) }, (_, at) => toPrefix(toIpv4(ipv4(first) + at * 64), 26))
speaker.originate(new Map(blocks.map((prefix): [string, Origination] => [formatPrefix(prefix), { prefix }])))
speaker.setPeers([{ address: ipv4(peer), name: 'agent', asn, port: 179, passive: true, dialAfter: millis(0) }])
await speaker.start()
process.stdout.write(`listening on ${formatIpv4(ipv4(own))}\n`)
