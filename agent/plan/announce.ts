/** What this node announces: its blocks, with the communities that BGPConfiguration gives them. */

import { coversAny } from '@network/base/net/any-prefix.ts'
import { formatPrefix, type Prefix } from '@network/base/net/prefix.ts'
import type { Origination } from '@network/bgp/speaker.ts'
import type { Snapshot } from '@network/model/snapshot.ts'
import { communitiesOf } from './filters.ts'
import { ownBgp } from './identity.ts'
import { poolOf } from './routes.ts'

/** By prefix, as text; pools with disableBGPExport are left out. */
export function announcements(self: string, prefixes: readonly Prefix[], snapshot: Snapshot): ReadonlyMap<string, Origination> {
  const told = prefixes.filter(prefix => poolOf(snapshot, prefix)?.disableBgpExport !== true)
  return new Map(told.map(prefix => [formatPrefix(prefix), originationOf(self, prefix, snapshot)]))
}

function originationOf(self: string, prefix: Prefix, snapshot: Snapshot): Origination {
  const config = ownBgp(self, snapshot)
  if (config === undefined) return { prefix }
  const named = new Map(config.communities.toReversed().map(({ name, value }) => [name, value]))
  const texts = config.prefixAdvertisements
    .filter(({ cidr }) => coversAny(cidr, prefix))
    .flatMap(({ communities }) => communities.map(value => named.get(value) ?? value))
  const { communities, largeCommunities } = communitiesOf([...new Set(texts)])
  return {
    prefix,
    ...(communities.length > 0 ? { communities } : {}),
    ...(largeCommunities.length > 0 ? { largeCommunities } : {}),
  }
}
