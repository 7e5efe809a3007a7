/** Proves how a packet travelled: what the wire carried, and nothing beside it. */
import { capture } from './capture.ts'
import { type Frame, ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST, type Ipv4Packet, innermost } from './frame.ts'
import type { Lab } from './lab.ts'
import { type FloodResult, ping } from './ping.ts'

export interface Path {
  readonly ping: FloodResult
  /** The first echo request and reply between the two, as the link carried them; undefined when none passed. */
  readonly request: Frame | undefined
  readonly reply: Frame | undefined
  /** Every distinct way in which packets between the two passed the link. */
  readonly forms: readonly Form[]
}

/** How the two pods' packets were carried: IP alone, in IPIP, in VXLAN. */
export type Form = 'plain' | 'ipip' | 'vxlan'

/** Pings three times while `link` (`router:rack-a`, `b1:eth0`) is captured. */
export async function tracePath(
  lab: Lab,
  from: { name: string; address: string },
  to: { address: string },
  link: string,
): Promise<Path> {
  const isOurs = (packet: Ipv4Packet) => {
    const { source, destination, payload } = innermost(packet)
    const ends = [source, destination]
    return payload.is === 'icmp' && ends.includes(from.address) && ends.includes(to.address)
  }
  await using wire = await capture(lab, link, { filter: frame => frame.ip !== undefined && isOurs(frame.ip) })
  const result = await ping(lab, from.name, to.address)
  const frames = await wire.stop()
  const ofType = (type: number) => frames.find(({ ip }) => ip !== undefined && icmpType(ip) === type)
  return {
    ping: result,
    request: ofType(ICMP_ECHO_REQUEST),
    reply: ofType(ICMP_ECHO_REPLY),
    forms: [...new Set(frames.flatMap(({ ip }) => (ip === undefined ? [] : formOf(ip))))],
  }
}

function icmpType(packet: Ipv4Packet): number | undefined {
  const { payload } = innermost(packet)
  return payload.is === 'icmp' ? payload.type : undefined
}

function formOf({ payload }: Ipv4Packet): Form {
  return payload.is === 'ipip' || payload.is === 'vxlan' ? payload.is : 'plain'
}
