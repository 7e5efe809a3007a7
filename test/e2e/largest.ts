/** Rule P5: the largest packet goes, one octet more is refused at once, and bulk traffic flows. */
import assert from 'node:assert/strict'
import type { Lab } from '../lab/lab.ts'
import { transfer } from '../lab/transfer.ts'

export interface Path {
  readonly from: string
  readonly to: string
  /** Octets of the largest IPv4 packet that fits on the way. */
  readonly fits: number
}

/** Of IPv4 and ICMP. */
const HEADERS = 28
export const REFUSALS = /message too long, mtu[ =:](\d+)|Frag needed and DF set \(mtu = (\d+)\)/
const BULK = 10_000_000

/** What ping says of one packet of `octets` in all that may not be fragmented. */
export async function largePing(lab: Lab, from: string, to: string, octets: number): Promise<string> {
  const argv = ['ping', '-n', '-M', 'do', '-c', '1', '-W', '1', '-s', String(octets - HEADERS), to]
  const { stdout, stderr } = await lab.exec(from, argv)
  return `${stdout}\n${stderr}`
}

export async function assertLargest(lab: Lab, { from, to, fits }: Path): Promise<void> {
  const target = lab.pod(to)
  const what = `${from} to ${to}, ${fits} octets`
  assert.match(await largePing(lab, from, target.address, fits), / 0% packet loss/, `${what}: the largest packet goes`)
  const refused = await largePing(lab, from, target.address, fits + 1)
  assert.match(refused, / 100% packet loss|0 received|\+1 errors/, `${what}: one octet more does not`)
  const [, local, remote] = REFUSALS.exec(refused) ?? []
  assert.equal(Number(local ?? remote), fits, `${what}: one octet more is refused aloud, and with the MTU that fits: ${refused}`)
  assert.deepEqual(await transfer(lab, from, target, BULK), { received: BULK, complaint: '' }, `${what}: 10 MB`)
}
