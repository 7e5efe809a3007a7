/** npm run scale:bgp: a million IPv4 and 200,000 IPv6 routes with 250 peers, then a mesh of 200 that starts at once. */
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { meshAtOnce, tellMany } from './scale.ts'

const LOAD = { ipv4: 1_000_000, ipv6: 200_000, peers: 250, perSet: 10 }
const MESH = 200
const LONGEST_LOSS_MS = 10_000
const MOST_HELD = 1.5 * 2 ** 30
/** Connections that cross may cost a session that one end took for standing, and again when it is tried anew. */
const MOST_FLAPS = 3

const many = await tellMany(LOAD, systemClock)
print(
  `${many.told} routes told to ${many.alike} peers in ${seconds(many.tellingMs)}, ${Math.round(many.heldBytes / 2 ** 20)} MiB held`,
)
print(`the loss of their source told in ${seconds(many.losingMs)}, ${many.left} left`)
const began = systemClock.now()
const mesh = await meshAtOnce(MESH, 30)
print(
  `mesh of ${MESH}: ${mesh.streams} streams, ${mesh.established} ends of sessions, at most ${mesh.mostOpens} OPENs each, ` +
    `${mesh.mostFlaps} flaps, ${mesh.lateFlaps} of all late, ${mesh.smallestTable} routes at least, simulated in ${seconds(between(began, systemClock.now()))}`,
)
const isRight =
  many.told === LOAD.ipv4 + LOAD.ipv6 &&
  many.left === 0 &&
  many.alike === LOAD.peers - 1 &&
  many.losingMs < LONGEST_LOSS_MS &&
  many.heldBytes < MOST_HELD &&
  mesh.streams === (MESH * (MESH - 1)) / 2 &&
  mesh.established === MESH * (MESH - 1) &&
  mesh.mostOpens <= 6 &&
  mesh.mostFlaps <= MOST_FLAPS &&
  mesh.lateFlaps === 0 &&
  mesh.smallestTable === MESH - 1
print(isRight ? 'right' : 'wrong')
process.exitCode = isRight ? 0 : 1

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
