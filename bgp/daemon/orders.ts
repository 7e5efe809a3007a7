/** What `clear` and `drain` order, done by the speaker: to hear all again, to tell all again, to begin sessions anew, or to leave. */
import { millis } from '@network/base/time/units.ts'
import type { Cleared, Clearing } from '../neighbour.ts'
import { formatPeer, type PeerAddress, parsePeer } from '../peer-address.ts'
import type { Speaker } from '../speaker.ts'
import type { Answer } from './answers.ts'

export interface Order {
  readonly whom: 'all' | PeerAddress
  readonly how: readonly Clearing[]
}

const WORDS: Readonly<Record<Cleared, string>> = {
  asked: 'asked for everything again',
  'judged-again': 'judged again what it told: it cannot be asked',
  'told-again': 'told everything again',
  reset: 'session begun anew',
}

/** Reads an order off the wire; in words what is wrong with it. `how` is a list of in and out, or hard. */
export function toOrder(whom: string, how: string, words: string): Order | string {
  const address = whom === 'all' ? 'all' : parsePeer(whom)
  if (address === undefined) return `"${whom}" is neither a peer nor all`
  if (how === 'hard') return { whom: address, how: [{ is: 'hard', words }] }
  const ways = how.split(',').map(toSoft)
  const known = ways.filter(way => way !== undefined)
  return known.length === ways.length ? { whom: address, how: known } : `"${how}" is neither in, out, both of them nor hard`
}

function toSoft(way: string): Clearing | undefined {
  return way === 'in' || way === 'out' ? { is: way } : undefined
}

export function obey({ whom, how }: Order, speaker: Speaker): Answer {
  const peers = speaker.status().peers.flatMap(({ address }) => parsePeer(address) ?? [])
  const meant = whom === 'all' ? peers : peers.filter(each => each === whom)
  if (whom !== 'all' && meant.length === 0) return { is: 'unknown', says: `there is no peer ${formatPeer(whom)}` }
  const lines = meant.flatMap(peer => how.map(way => ({ peer: formatPeer(peer), ...said(speaker.clear(peer, way)) })))
  return { is: 'done', lines }
}

/** Has the speaker leave; `delay` in whole seconds. In words what is wrong with it. */
export function drain(delay: string, words: string, speaker: Speaker): Answer {
  if (!/^\d{1,6}$/.test(delay)) return { is: 'unknown', says: `"${delay}" is no number of seconds` }
  void speaker.drain({ delay: millis(Number(delay) * 1000), words })
  const peers = speaker.status().peers.filter(({ state }) => state === 'established')
  const says = `told that its routes are the last resort; 6/2 in ${delay} s`
  return { is: 'done', lines: peers.map(({ address }) => ({ peer: address, done: 'draining', says })) }
}

function said(done: Cleared | undefined): { readonly done: Cleared | null; readonly says: string } {
  return done === undefined ? { done: null, says: 'no session stands' } : { done, says: WORDS[done] }
}
