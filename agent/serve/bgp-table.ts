/** Every path that the speaker knows, with why it is used or not: what `calictl bgp routes` and `why` ask for. */

import { formatAsPath, sayVerdict } from '@network/bgp/daemon/answers.ts'
import { parsePeer } from '@network/bgp/peer-address.ts'
import { formatCommunity } from '@network/bgp/policy/community-pattern.ts'
import type { Speaker } from '@network/bgp/speaker.ts'
import type { BgpPath, BgpTable } from '@network/model/status.ts'

/** What is asked of a speaker. */
export type Tables = Pick<Speaker, 'status' | 'adjIn' | 'paths' | 'explain'>

/** In order of prefixes as text, the used path of each first. */
export function bgpTable(node: string, speaker: Tables): BgpTable {
  const { originated, peers } = speaker.status()
  const heard = peers.flatMap(({ address }) => {
    const peer = parsePeer(address)
    return peer === undefined ? [] : [...speaker.adjIn(peer)].map(({ key }) => key)
  })
  const prefixes = [...new Set([...originated, ...heard])].sort()
  return { node, paths: prefixes.flatMap(prefix => pathsTo(prefix, speaker)) }
}

function pathsTo(prefix: string, speaker: Tables): readonly BgpPath[] {
  const attributes = new Map(speaker.paths(prefix).map(path => [path.source.id, path.attributes]))
  return speaker.explain(prefix).paths.map(({ from, name, nextHop, stale, verdict, used }) => {
    const said = attributes.get(from)
    return {
      prefix,
      from,
      name,
      nextHop,
      asPath: said === undefined ? '' : formatAsPath(said.asPath),
      origin: said?.origin ?? 'incomplete',
      localPref: said?.localPref ?? null,
      med: said?.med ?? null,
      communities: said?.communities.map(formatCommunity) ?? [],
      stale,
      best: verdict.is === 'best',
      verdict: sayVerdict({ verdict, used }),
    }
  })
}
