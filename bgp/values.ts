/** How to say addresses, prefixes, durations, time and logs to a speaker. */

export { type AnyAddress, anyAddress, formatAddress, parseAddress } from '@network/base/net/any-address.ts'
export { type AnyPrefix, anyPrefix, formatAnyPrefix } from '@network/base/net/any-prefix.ts'
export { formatIpv4, type Ipv4, ipv4, parseIpv4 } from '@network/base/net/ipv4.ts'
export { formatIpv6, type Ipv6, ipv6, type Prefix6, parseIpv6, prefix6 } from '@network/base/net/ipv6.ts'
export { formatPrefix, type Prefix, parsePrefix, prefix } from '@network/base/net/prefix.ts'
export { type Log, silentLog } from '@network/base/run/log.ts'
export { type Clock, type Random, systemClock, systemRandom } from '@network/base/time/clock.ts'
export { type Instant, type Millis, millis, type Seconds, seconds } from '@network/base/time/units.ts'
export { formatPeer, type OnLink, onLink, type PeerAddress, parsePeer } from './peer-address.ts'
