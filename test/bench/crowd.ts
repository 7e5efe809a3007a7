/**
 * Many BGP peers that listen and take what they are told: `node crowd.ts <first own address> <how many> <peer address> <AS number>`. Prints a
 * line when all of them listen, and stays until it is killed.
 */

import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, Speaker } from '@network/bgp/speaker.ts'

const [first = '', count, peer = '', asNumber] = process.argv.slice(2)
const asn = Number(asNumber)
for (let at = 0; at < Number(count); at++) {
  const own = toIpv4(ipv4(first) + at)
  const speaker = new Speaker({
    routerId: own,
    asn,
    listen: { address: own, port: 179 },
    holdTime: seconds(90),
    connectRetry: millis(2000),
    gracefulRestart: { restartTime: seconds(120), restarting: false, deferral: millis(1000) },
    importFilter: () => ACCEPTED,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  speaker.setPeers([{ address: ipv4(peer), name: 'agent', asn, port: 179, passive: true, dialAfter: millis(0) }])
  await speaker.start()
}
process.stdout.write('listening\n')
