/** The routes that all contestants write: /26 blocks from 10.0.0.0 up, by one gateway. */

import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { formatPrefix, type Prefix, toPrefix } from '@network/base/net/prefix.ts'

export const DEVICE = 'v0'
export const OWN_ADDRESS = '172.16.0.1/24'
export const GATEWAY = '172.16.0.2'
export const MARK = ['proto', '80', 'metric', '1024'] as const

const FIRST = ipv4('10.0.0.0')
const LENGTH = 26

export function blocks(count: number): Prefix[] {
  return Array.from({ length: count }, (_, at) => toPrefix(toIpv4(FIRST + at * 2 ** (32 - LENGTH)), LENGTH))
}

/** What `ip -batch` is given. */
export function batchOf(count: number): string {
  const line = (block: Prefix) => `route add ${formatPrefix(block)} via ${GATEWAY} dev ${DEVICE} ${MARK.join(' ')}\n`
  return blocks(count).map(line).join('')
}
