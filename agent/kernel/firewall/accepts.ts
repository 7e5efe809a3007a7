/** Keeps one accept rule of ours in each chain of others that would stop pods. */

import type { Log } from '@network/base/run/log.ts'
import { backoff } from '@network/base/time/backoff.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { after, type Instant, millis } from '@network/base/time/units.ts'
import type { Repair } from '../reconciler.ts'
import { type ForeignChain, type Interfaces, type Mending, mendingOf, stopAt } from './foreign.ts'
import { mendingCommands, nftChains, nftHeadings, nftTranslates } from './foreign-nft.ts'
import { type Legacy, legacyChains, legacyCommands } from './legacy.ts'
import type { Json, Nft } from './nft.ts'

export interface AcceptsOptions {
  readonly nft: Nft
  readonly legacy: Legacy
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** What one look at other people's chains says. */
export interface Survey {
  /** Whether any of them would stop pods, so that packets must be marked for our rules in them. */
  readonly needed: 'yes' | 'no' | 'unknown'
  /** Whether any of them may translate sources, so that pods' must be kept from that. */
  readonly translated: 'yes' | 'no' | 'unknown'
  /** nft's chains could not be read. */
  readonly unread: boolean
  /** At the latest. */
  readonly lookAgainAt: Instant | undefined
}

/** A chain, however it is administered. */
interface Candidate {
  /** `accept rule in nft chain ip filter FORWARD` */
  readonly name: string
  readonly chain: ForeignChain
  /** Undefined: done; else why not. */
  readonly mend: (mending: Mending) => Promise<string | undefined>
}

interface Trouble {
  readonly says: string | undefined
  readonly attempts: number
  readonly retryAt: Instant
}

const RETRY = { base: millis(500), cap: millis(30_000) }
const NO_LEGACY =
  'this kernel has rules of iptables-legacy too, which may stop pods, and the command iptables-legacy is missing; install the package iptables'

export class Accepts {
  readonly #options: AcceptsOptions
  readonly #repaired: (repair: Repair) => void
  /** Where our rule was seen to stand as it should. */
  #standing: ReadonlySet<string> = new Set()
  readonly #trouble = new Map<string, Trouble>()
  #blind: string | undefined

  constructor(options: AcceptsOptions, repaired: (repair: Repair) => void) {
    this.#options = options
    this.#repaired = repaired
  }

  get problems(): readonly string[] {
    const troubles = [...this.#trouble].flatMap(([name, { says }]) => (says === undefined ? [] : [`${name}: ${says}`]))
    return this.#blind === undefined ? troubles : [...troubles, this.#blind]
  }

  /** Whatever was found wanting was seen to be right since. */
  get settled(): boolean {
    return this.#trouble.size === 0
  }

  /** One look at all chains, and what it asks for. */
  async keep(interfaces: Interfaces): Promise<Survey> {
    const { nft, legacy } = this.#options
    const headings = await nftHeadings(nft)
    const inNft = headings === undefined ? [] : await this.#inNft(headings, interfaces)
    const translates = legacy.inUse('nat') || (headings !== undefined && (await nftTranslates(nft, headings)))
    const translated = translates ? 'yes' : headings === undefined ? 'unknown' : 'no'
    const candidates = [...inNft, ...(await this.#inLegacy(interfaces))]
    const standing = new Set<string>()
    for (const candidate of candidates) {
      const mending = mendingOf(candidate.chain)
      if (mending !== undefined) await this.#mend(candidate, mending)
      else this.#trouble.delete(candidate.name)
      if (mending === undefined && stopAt(candidate.chain) !== undefined) standing.add(candidate.name)
    }
    this.#standing = standing
    const names = new Set(candidates.map(({ name }) => name))
    const unread = headings === undefined
    if (!unread) for (const name of this.#trouble.keys()) if (!names.has(name)) this.#trouble.delete(name)
    const lookAgainAt = [...this.#trouble.values()].map(({ retryAt }) => retryAt).reduce<Instant | undefined>(earlier, undefined)
    if (candidates.some(({ chain }) => stopAt(chain) !== undefined)) return { needed: 'yes', translated, unread, lookAgainAt }
    return { needed: unread || this.#blind !== undefined ? 'unknown' : 'no', translated, unread, lookAgainAt }
  }

  /** What was written counts once it is seen; what is never seen is written ever more rarely. */
  async #mend({ name, mend }: Candidate, mending: Mending): Promise<void> {
    const { clock, random, log } = this.#options
    const former = this.#trouble.get(name)
    if (former !== undefined && former.retryAt > clock.now()) return
    if (this.#standing.has(name) && mending.insert) this.#repaired({ object: name, found: 'missing' })
    const attempts = (former?.attempts ?? 0) + 1
    const retryAt = after(clock.now(), backoff(attempts, RETRY, random))
    this.#trouble.set(name, { says: former?.says, attempts, retryAt })
    const says = await mend(mending)
    this.#trouble.set(name, { says, attempts, retryAt })
    if (says === undefined) log.info(mending.insert ? 'accept rule inserted' : 'accept rule removed', { object: name })
    else if (says !== former?.says) log.warn('not as wanted', { object: name, why: says })
  }

  async #inNft(headings: readonly Json[], interfaces: Interfaces): Promise<Candidate[]> {
    const { nft } = this.#options
    const chains = await nftChains(nft, headings, interfaces)
    return chains.map(chain => ({
      name: `accept rule in nft chain ${chain.name}`,
      chain,
      mend: async mending => {
        const answer = await nft.commit(mendingCommands(chain, mending))
        return answer.is === 'refused' ? answer.says : undefined
      },
    }))
  }

  async #inLegacy(interfaces: Interfaces): Promise<Candidate[]> {
    const { legacy } = this.#options
    const listed = legacy.inUse('filter') ? await legacy.iptables(['-S']) : undefined
    this.#blind = listed?.is === 'missing' ? NO_LEGACY : listed?.is === 'refused' ? listed.says : undefined
    if (listed?.is !== 'done') return []
    return legacyChains(listed.value, interfaces).map(chain => ({
      name: `accept rule in iptables-legacy chain ${chain.name}`,
      chain,
      mend: async mending => {
        for (const argv of legacyCommands(chain, mending)) {
          const answer = await legacy.iptables(argv)
          if (answer.is !== 'done') return answer.is === 'refused' ? answer.says : 'the rule is not there'
        }
        return undefined
      },
    }))
  }
}

function earlier(a: Instant | undefined, b: Instant): Instant {
  return a !== undefined && a < b ? a : b
}
