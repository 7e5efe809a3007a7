/** What `show` asks, answered from the speaker as plain JSON. */
import { type AnyPrefix, formatAnyPrefix, parseAnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import type { AsPath, Attributes } from '../attributes/attributes.ts'
import { formatNextHop } from '../attributes/own-hops.ts'
import { formatPeer, type PeerAddress, parsePeer } from '../peer-address.ts'
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity } from '../policy/community-pattern.ts'
import type { Speaker } from '../speaker.ts'
import type { ExplainedPath, Explanation, PeerStatus, SpeakerStatus } from '../status.ts'
import type { Identified } from '../wire/nlri.ts'

export interface RouteLine {
  readonly prefix: string
  /** The peer that told it, or `local`. */
  readonly from: string
  /** What the peer, or we in what is told, call this one of several paths; null: there is but one. */
  readonly pathId: number | null
  readonly stale: boolean
  readonly nextHop: string
  readonly asPath: string
  /** Our own liking, before LOCAL_PREF. */
  readonly weight: number
  readonly origin: string
  readonly localPref: number | null
  readonly med: number | null
  readonly communities: readonly string[]
  readonly largeCommunities: readonly string[]
  readonly extendedCommunities: readonly string[]
  readonly originatorId: string | null
  readonly clusterList: readonly string[]
  readonly aggregator: string | null
  readonly atomicAggregate: boolean
  /** Attributes handed on unread: code and bytes. */
  readonly others: readonly string[]
}

export type Question =
  | { readonly ask: 'peers' }
  | { readonly ask: 'routes' }
  | { readonly ask: 'path' | 'why'; readonly about: string }
  | { readonly ask: 'peer' | 'adj-in' | 'adj-out'; readonly about: string }

export type Answer =
  | { readonly is: 'peers'; readonly speaker: SpeakerStatus; readonly peers: readonly PeerStatus[] }
  /** All that is known of one peer. */
  | { readonly is: 'peer'; readonly peer: PeerStatus }
  | { readonly is: 'routes'; readonly routes: readonly RouteLine[] }
  | { readonly is: 'why'; readonly explanation: Explanation }
  /** What was done with whom; null: no session stood. */
  | {
      readonly is: 'done'
      readonly lines: readonly { readonly peer: string; readonly done: string | null; readonly says: string }[]
    }
  | { readonly is: 'unknown'; readonly says: string }

export const QUESTIONS = ['peers', 'peer', 'routes', 'path', 'adj-in', 'adj-out', 'why'] as const

/** Reads a question off the wire; in words what is wrong with it. */
export function toQuestion(ask: string, about: string | undefined): Question | string {
  switch (ask) {
    case 'peers':
    case 'routes':
      return { ask }
    case 'path':
    case 'why':
      return about === undefined ? `${ask} wants a prefix` : { ask, about }
    case 'peer':
    case 'adj-in':
    case 'adj-out':
      return about === undefined ? `${ask} wants the address of a peer` : { ask, about }
    default:
      return `nobody knows "${ask}"; there are ${QUESTIONS.join(', ')}`
  }
}

export function answer(question: Question, speaker: Speaker): Answer {
  switch (question.ask) {
    case 'peers': {
      const status = speaker.status()
      return { is: 'peers', speaker: status, peers: status.peers }
    }
    case 'peer': {
      const named = parsePeer(question.about)
      const peer = speaker.status().peers.find(({ address }) => named !== undefined && address === formatPeer(named))
      return peer === undefined ? { is: 'unknown', says: `there is no peer ${question.about}` } : { is: 'peer', peer }
    }
    case 'routes':
      return { is: 'routes', routes: [...speaker.ways()].map(path => toLine(path.prefix, path.attributes, path)) }
    case 'path':
      return aboutPrefix(question.about, prefix => ({
        is: 'routes',
        routes: speaker.paths(prefix).map(path => toLine(path.prefix, path.attributes, path)),
      }))
    case 'why':
      return aboutPrefix(question.about, prefix => ({ is: 'why', explanation: speaker.explain(prefix) }))
    case 'adj-in':
      return aboutPeer(question.about, speaker, address =>
        [...speaker.adjIn(address)].map(path => toLine(path.prefix, path.attributes, path)),
      )
    case 'adj-out':
      return aboutPeer(question.about, speaker, address =>
        [...speaker.adjOut(address)].map(({ prefix, attributes }) => toLine(prefix, attributes, undefined)),
      )
    default:
      return question satisfies never
  }
}

function aboutPrefix(text: string, tell: (prefix: string) => Answer): Answer {
  const parsed = parseAnyPrefix(text)
  return parsed.ok ? tell(formatAnyPrefix(parsed.value)) : { is: 'unknown', says: parsed.says }
}

function aboutPeer(text: string, speaker: Speaker, tell: (peer: PeerAddress) => readonly RouteLine[]): Answer {
  const peer = parsePeer(text)
  if (peer === undefined) return { is: 'unknown', says: `"${text}" is neither an address such as 192.0.2.1 nor an interface` }
  const isPeer = speaker.status().peers.some(({ address }) => address === formatPeer(peer))
  return isPeer ? { is: 'routes', routes: tell(peer) } : { is: 'unknown', says: `there is no peer ${text}` }
}

type Told = {
  readonly pathId?: number
  readonly source: { readonly id: string; readonly zone?: string }
  readonly stale: boolean
}

/** A route as `show` prints it. */
export function toLine(prefix: Identified<AnyPrefix>, attributes: Attributes, told: Told | undefined): RouteLine {
  const { aggregator, nextHop, nextHop6, originatorId } = attributes
  return {
    prefix: formatAnyPrefix(prefix),
    from: told?.source.id ?? 'us',
    pathId: told?.pathId ?? prefix.pathId ?? null,
    stale: told?.stale ?? false,
    nextHop: formatNextHop({ nextHop, nextHop6 }, told?.source.zone),
    asPath: formatAsPath(attributes.asPath),
    weight: attributes.weight ?? 0,
    origin: attributes.origin,
    localPref: attributes.localPref ?? null,
    med: attributes.med ?? null,
    communities: attributes.communities.map(formatCommunity),
    largeCommunities: attributes.largeCommunities.map(formatLargeCommunity),
    extendedCommunities: attributes.extendedCommunities.map(formatExtendedCommunity),
    originatorId: originatorId === undefined ? null : formatIpv4(originatorId),
    clusterList: attributes.clusterList.map(formatIpv4),
    aggregator: aggregator === undefined ? null : `${aggregator.asn} ${formatIpv4(aggregator.address)}`,
    atomicAggregate: attributes.atomicAggregate,
    others: attributes.opaque.map(({ code, body }) => `${code}:${Buffer.from(body).toString('hex')}`),
  }
}

const BRACKETS = { sequence: ['', ''], set: ['{', '}'], 'confed-sequence': ['(', ')'], 'confed-set': ['[', ']'] } as const

export function formatAsPath(path: AsPath): string {
  return path.map(({ kind, asns }) => `${BRACKETS[kind][0]}${asns.join(' ')}${BRACKETS[kind][1]}`).join(' ')
}

/** `best`, `lost by local-pref`, `lost by router-id, used along with it`, `refused: policy x, rule 1`. */
export function sayVerdict({ verdict, used }: Pick<ExplainedPath, 'verdict' | 'used'>): string {
  switch (verdict.is) {
    case 'best':
      return 'best'
    case 'lost':
      return `lost by ${verdict.by}${used ? ', used along with the best' : ''}`
    case 'refused':
      return `refused: ${verdict.why}`
    case 'ineligible':
      return `not eligible: ${verdict.why}`
    default:
      return verdict satisfies never
  }
}
