/** Keeps nftables as wanted: reads, writes in one transaction, reads back; again on every doubt. */

import { isDeepStrictEqual } from 'node:util'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { backoff } from '@network/base/time/backoff.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { after, between, type Instant, millis } from '@network/base/time/units.ts'
import type { FirewallIntent } from '@network/model/intent.ts'
import type { FirewallStatus } from '@network/model/status.ts'
import type { RecordedRepair } from '../kernel.ts'
import { Accepts } from './accepts.ts'
import { Bell } from './bell.ts'
import { changesBetween, type ElementWriter } from './elements.ts'
import type { Interfaces } from './foreign.ts'
import { type Found, formsAfterWriting, foundIn, isRight, meddlingWith, shapeIn, type Totals, type Wrong } from './found.ts'
import type { Legacy } from './legacy.ts'
import type { Nft, Objects } from './nft.ts'
import {
  type Elements,
  elementsOf,
  FAMILIES,
  type Forms,
  POD_INTERFACE,
  podsOf,
  type Shape,
  setNames,
  TABLE_NAME,
  tableNamed,
} from './ruleset.ts'
import { transactionFor } from './transaction.ts'

export interface FirewallOptions {
  readonly nft: Nft
  readonly elements: ElementWriter
  readonly legacy: Legacy
  /** Whether there is such an interface: of one that is not there, kernels before 6.16 take no chain. */
  readonly hasInterface: (name: string) => boolean
  /** The names of all. */
  readonly interfaces: () => readonly string[]
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called when `decided` or what is admitted has changed. */
  readonly changed: () => void
}

type State =
  | { readonly is: 'starting' }
  | { readonly is: 'active' }
  /** Nothing is protected, and nothing waits for it. */
  | { readonly is: 'off'; readonly why: string }

type Look =
  | { readonly is: 'known'; readonly table: Found | undefined }
  /** `lasting`: nothing will change before somebody installs something. */
  | { readonly is: 'unknown'; readonly why: string; readonly lasting: boolean }

/** What was read back as it should be, and must be so until we change it. */
interface InForce {
  /** What was asked for, which may name interfaces that are not there. */
  readonly wish: Elements
  readonly elements: Elements
  readonly shape: Shape
}

/** Others' changes come in many pieces; whoever waits for us is served at once. */
const SETTLE = millis(500)
/** The kernel tells of changes; a look all the same. */
const AUDIT = millis(30_000)
/** Of iptables-legacy it tells nothing. */
const BLIND_AUDIT = millis(2000)
const RETRY = { base: millis(1000), cap: millis(30_000) }
/** Of counters that somebody asks for. */
const FRESH = millis(3000)
const REPAIRS_KEPT = 20
const NAMES = FAMILIES.map(tableNamed).join(' and ')

export class Firewall {
  readonly #options: FirewallOptions
  readonly #accepts: Accepts
  readonly #bell: Bell
  readonly #waiters = new Set<{ readonly address: string; readonly done: () => void }>()
  readonly #repairs: RecordedRepair[] = []
  #repairCount = 0
  /** What other people's chains ask of ours; what an agent before us left stays until those chains are known. */
  #others: Pick<Shape, 'marking' | 'natting'> | undefined
  #vxlan: Shape['vxlan']
  #wanted: Elements | undefined
  #interfaces: Interfaces = []
  /** How this machine's nft prints our rules: versions differ. */
  #printed: { readonly shape: Shape; readonly forms: Forms } | undefined
  #inForce: InForce | undefined
  /** Interfaces that are named like those of pods. */
  #present = new Set<string>()
  #admitted: ReadonlySet<string> = new Set()
  #state: State = { is: 'starting' }
  #trouble: string | undefined
  #attempts = 0
  /** After a failure; a new wish does not wait for it. */
  #retryAt: Instant | undefined
  #hears = false
  #heardAt: Instant | undefined
  #auditAt: Instant
  /** When the table was last looked at, and others' chains. */
  #lookedAt: Instant | undefined
  #surveyedAt: Instant | undefined
  #surveyAgainAt: Instant | undefined
  /** What others' chains ask of ours was looked at, and done. */
  #hasSurveyed = false
  #dropped: { readonly totals: Totals; readonly at: Instant }
  /** Of the counters, for all who ask at the same time. */
  #counting: Promise<unknown> | undefined

  constructor(options: FirewallOptions) {
    const { clock } = options
    this.#options = options
    this.#accepts = new Accepts(options, repair => this.#repaired(repair.object, repair.found))
    this.#bell = new Bell(clock)
    this.#auditAt = clock.now()
    this.#dropped = { totals: { forgedIpip: 0, forgedVxlan: 0, spoofedSource: 0 }, at: clock.now() }
  }

  /** Says what should be true from here on, whole. */
  desire(intent: FirewallIntent): void {
    const wanted = elementsOf(intent)
    const interfaces = [intent.underlay, ...intent.tunnels]
    const known = isDeepStrictEqual(interfaces, this.#interfaces)
    const same = this.#wanted !== undefined && sameElements(wanted, this.#wanted)
    if (same && known && isDeepStrictEqual(intent.vxlan, this.#vxlan)) return
    this.#wanted = wanted
    this.#vxlan = intent.vxlan
    this.#retryAt = undefined
    if (!known) this.#surveyedAt = undefined
    this.#interfaces = interfaces
    this.#bell.by(this.#options.clock.now())
  }

  /** Somebody changed something: look soon. */
  heard(): void {
    this.#heardAt = this.#options.clock.now()
    this.#bell.by(after(this.#options.clock.now(), SETTLE))
  }

  /** An interface came or went: one that is nobody's may send nothing, and of one that went the kernel may have taken the chain with it. */
  interfaceHeard(name: string, is: 'there' | 'gone'): void {
    if (!POD_INTERFACE.test(name) || this.#present.has(name) === (is === 'there')) return
    if (is === 'there') this.#present.add(name)
    else this.#present.delete(name)
    const isOf = (element: string) => element.split(' ', 1).join() === name
    if (is === 'gone' && [...(this.#wanted?.sources ?? [])].some(isOf)) this.heard()
    if (this.#inForce === undefined || [...this.#inForce.elements.sources].some(isOf) === (is === 'there')) return
    this.#inForce = { ...this.#inForce, wish: this.#inForce.elements }
    this.#bell.by(this.#options.clock.now())
  }

  /** Whether the kernel's changes are heard at all; else it is looked at more often. */
  hears(yes: boolean): void {
    this.#hears = yes
  }

  /** True once it is known whether there is protection, and of whom. */
  get decided(): boolean {
    return this.#state.is !== 'starting'
  }

  /** Whether packets of a peer, in IPIP or of BGP, are let in: once admitted, it stays so until nobody wants it. */
  admits(address: Ipv4): boolean {
    return this.#state.is === 'off' || this.#admitted.has(formatIpv4(address))
  }

  /** Resolves once the pod that has the address may send from it (`installed`); nobody need wait until it no more may. */
  reached(address: Ipv4, until: 'installed' | 'absent', signal: AbortSignal): Promise<void> {
    if (until === 'absent') return Promise.resolve()
    return new Promise((resolve, reject) => {
      const abandon = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      const waiter = {
        address: formatIpv4(address),
        done: () => {
          this.#waiters.delete(waiter)
          signal.removeEventListener('abort', abandon)
          resolve()
        },
      }
      if (signal.aborted) return reject(signal.reason)
      signal.addEventListener('abort', abandon, { once: true })
      this.#waiters.add(waiter)
      this.#answer()
    })
  }

  /** Works until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (await this.#bell.rings(signal)) {
      const { clock, legacy } = this.#options
      const now = clock.now()
      if (this.#auditAt <= now) {
        this.#lookedAt = undefined
        this.#surveyedAt = undefined
        this.#auditAt = after(now, this.#hears ? AUDIT : BLIND_AUDIT)
      }
      if (legacy.inUse('filter') || legacy.inUse('nat')) this.#surveyedAt = undefined
      this.#bell.by(after(now, BLIND_AUDIT))
      await this.#pass().catch((reason: unknown) => {
        if (!(reason instanceof Fault)) throw reason
        this.#surveyedAt = undefined
        this.#doubt(reason.message)
      })
    }
  }

  /** As of the last look, which is made anew where it is older than three seconds. */
  async status(): Promise<FirewallStatus> {
    const { clock } = this.#options
    if (this.#state.is === 'active' && between(this.#dropped.at, clock.now()) > FRESH) {
      // What it sees besides the counters nobody compares: it must not pass for a look at the table.
      this.#counting ??= this.#read('any-time', this.#inForce?.shape ?? NO_SHAPE).finally(() => {
        this.#counting = undefined
      })
      await this.#counting
    }
    const reason = this.#state.is === 'off' ? this.#state.why : this.#state.is === 'starting' ? 'not yet written' : null
    return { active: this.#state.is === 'active', reason, dropped: this.#dropped.totals }
  }

  /** Nothing that is wanted is missing; without protection nothing is. */
  get converged(): boolean {
    if (this.#trouble !== undefined || this.#state.is === 'starting') return false
    return (
      this.#state.is === 'off' ||
      (this.#hasSurveyed && this.#inForce !== undefined && this.#inForce.wish === this.#wanted && this.#accepts.settled)
    )
  }

  /** What somebody should look at, one sentence each. */
  get problems(): readonly string[] {
    return [
      ...(this.#state.is === 'off'
        ? [
            `the firewall is off, so anybody may send IPIP and VXLAN to this node, nobody gets natOutgoing, pods may use any source address, and a policy that drops forwarded packets stops them: ${this.#state.why}`,
          ]
        : []),
      ...(this.#trouble === undefined || this.#state.is === 'off' ? [] : [`${NAMES}: ${this.#trouble}`]),
      ...this.#accepts.problems,
    ]
  }

  get repairs(): { readonly count: number; readonly last: readonly RecordedRepair[] } {
    return { count: this.#repairCount, last: this.#repairs }
  }

  async #pass(): Promise<void> {
    const wanted = this.#wanted
    if (wanted === undefined) return
    await this.#keepTable(wanted)
    this.#answer()
    // Accepting in other people's chains relies on the marks that our own table sets.
    if (this.#state.is === 'active') await this.#survey(wanted)
  }

  async #survey(wanted: Elements): Promise<void> {
    const now = this.#options.clock.now()
    const due = this.#surveyAgainAt !== undefined && this.#surveyAgainAt <= now
    if (!due && this.#isSure(this.#surveyedAt)) return
    this.#surveyedAt = now
    const { needed, translated, unread, lookAgainAt } = await this.#accepts.keep(this.#interfaces)
    if (unread) {
      this.#surveyedAt = undefined
      this.#bell.by(after(this.#options.clock.now(), RETRY.base))
    }
    this.#surveyAgainAt = lookAgainAt
    if (lookAgainAt !== undefined) this.#bell.by(lookAgainAt)
    const { marking = false, natting = false } = this.#others ?? {}
    const others = {
      marking: needed === 'unknown' ? marking : needed === 'yes',
      natting: translated === 'unknown' ? natting : translated === 'yes',
    }
    if (!isDeepStrictEqual(others, this.#others)) {
      this.#others = others
      await this.#keepTable(wanted)
    }
    this.#hasSurveyed ||= !unread
  }

  #shapeFor(wanted: Elements): Shape {
    const { marking = false, natting = false } = this.#others ?? {}
    return { marking, natting: natting || wanted['nat-pools'].size > 0, vxlan: this.#vxlan }
  }

  /** Nobody has changed anything since then, as far as is heard. */
  #isSure(seenAt: Instant | undefined): boolean {
    return seenAt !== undefined && (this.#heardAt === undefined || this.#heardAt < seenAt)
  }

  async #keepTable(wish: Elements, tries = 2): Promise<void> {
    if (this.#retryAt !== undefined && this.#retryAt > this.#options.clock.now()) return
    // One for the whole pass: another may be wished for while nft works.
    const shape = this.#shapeFor(wish)
    // Another shape is our own wish, no meddling: the tables are written anew, in one transaction.
    if (!isDeepStrictEqual(this.#inForce?.shape, shape)) this.#inForce = undefined
    const known = this.#isSure(this.#lookedAt) ? this.#inForce : undefined
    if (known !== undefined && (known.wish === wish || this.#goShort(known, wish))) return
    const found: Look =
      known === undefined
        ? await this.#look('any-time', shape)
        : { is: 'known', table: asWritten(known.elements, this.#dropped.totals) }
    if (found.is === 'unknown') return this.#doubt(found.why, found.lasting)
    if (this.#inForce !== undefined)
      this.#tellOf(meddlingWith(this.#lasting(this.#inForce.elements, found.table?.elements), found.table))
    this.#inForce = undefined
    const wanted = this.#possible(wish, found.table?.elements)
    const commands = transactionFor(wanted, found.table, { shape, counted: this.#dropped.totals })
    if (commands.length === 0) return this.#succeed(wish, wanted, shape)
    const answer = await this.#options.nft.commit(commands)
    if (answer.is === 'absent' && tries > 1) {
      // Somebody was faster than the news of it, or an interface went meanwhile.
      this.#lookedAt = undefined
      return this.#keepTable(wish, tries - 1)
    }
    if (answer.is === 'absent') return this.#doubt('interfaces went while the tables were written')
    if (answer.is !== 'done') return this.#give(found.table, answer.is === 'refused' ? answer.says : 'nft cannot be run')
    const now = await this.#look(found.table !== undefined && isRight(found.table) ? 'any-time' : 'written', shape)
    if (now.is === 'unknown') return this.#doubt(now.why)
    const wrong = meddlingWith(wanted, now.table)
    if (wrong.length > 0)
      return this.#give(now.table, `nft shows something else than was written: ${wrong.map(({ says }) => says).join(', ')}`)
    this.#succeed(wish, wanted, shape)
    // An interface came while nft worked.
    if (sameElements(this.#possible(wish, wanted), wanted)) return
    this.#inForce = { wish: wanted, elements: wanted, shape }
    this.#bell.by(this.#options.clock.now())
  }

  /** Pods and nodes come and go by single elements and chains. */
  #goShort({ elements, shape }: InForce, wish: Elements): boolean {
    const wanted = this.#possible(wish, elements)
    const changes = changesBetween(elements, wanted)
    if (changes === undefined || !this.#options.elements.change(changes)) return false
    this.#succeed(wish, wanted, shape)
    return true
  }

  /** Without pods whose interfaces are not there, and with interfaces that are no pod's. */
  #possible(wish: Elements, present: Elements | undefined): Elements {
    const lasting = this.#lasting(wish, present)
    const pods = podsOf(lasting)
    return { ...lasting, sources: new Set([...lasting.sources, ...[...this.#present].filter(name => !pods.has(name))]) }
  }

  /** Without interfaces that are not there. */
  #lasting(elements: Elements, present: Elements | undefined): Elements {
    const { hasInterface } = this.#options
    const isThere = (element: string) => present?.sources.has(element) === true || hasInterface(element.split(' ', 1).join())
    return { ...elements, sources: new Set([...elements.sources].filter(isThere)) }
  }

  #tellOf(meddling: readonly Wrong[]): void {
    for (const family of FAMILIES) {
      const says = meddling.filter(wrong => wrong.family === family).map(wrong => wrong.says)
      if (says.length > 0) this.#repaired(tableNamed(family), says.join(', '))
    }
  }

  #look(when: 'any-time' | 'written', shape: Shape): Promise<Look> {
    this.#lookedAt = this.#options.clock.now()
    this.#present = new Set(this.#options.interfaces().filter(name => POD_INTERFACE.test(name)))
    return this.#read(when, shape)
  }

  async #read(when: 'any-time' | 'written', wanted: Shape): Promise<Look> {
    const listed = await this.#list()
    switch (listed.is) {
      case 'done': {
        const isFirst = this.#others === undefined
        this.#others ??= shapeIn(listed.value)
        // What an agent before us left stays until others' chains are known.
        const shape = isFirst && this.#wanted !== undefined ? this.#shapeFor(this.#wanted) : wanted
        if (when === 'written') this.#learn(listed.value, shape)
        const forms = isDeepStrictEqual(this.#printed?.shape, shape) ? this.#printed?.forms : undefined
        const table = foundIn(listed.value, shape, forms)
        this.#dropped = { totals: table.dropped, at: this.#options.clock.now() }
        return { is: 'known', table }
      }
      case 'garbled':
        // It is there, and not as we left it.
        return { is: 'known', table: { ...foundIn([], NO_SHAPE), dropped: this.#dropped.totals } }
      case 'absent':
        return { is: 'known', table: undefined }
      case 'missing':
        return { is: 'unknown', why: 'the command nft is missing; install the package nftables', lasting: true }
      case 'refused':
        return { is: 'unknown', why: listed.says, lasting: false }
      default:
        return listed satisfies never
    }
  }

  /** Both tables; absent when neither is there. */
  async #list(): ReturnType<Nft['list']> {
    const objects: Objects[] = []
    for (const family of FAMILIES) {
      const listed = await this.#options.nft.list(['table', family, TABLE_NAME])
      if (listed.is === 'done') objects.push(listed.value)
      else if (listed.is !== 'absent') return listed
    }
    return objects.length === 0 ? { is: 'absent' } : { is: 'done', value: objects.flat() }
  }

  #learn(objects: Objects, shape: Shape): void {
    const forms = formsAfterWriting(objects, shape)
    if (forms !== undefined) this.#printed = { shape, forms }
  }

  #succeed(wish: Elements, wanted: Elements, shape: Shape): void {
    const news = this.#state.is !== 'active' || [...wanted.peers].some(peer => !this.#admitted.has(peer))
    if (this.#state.is !== 'active') this.#options.log.info('firewall in force', { tables: NAMES })
    else if (this.#trouble !== undefined) this.#options.log.info('firewall no longer in trouble', { problem: this.#trouble })
    this.#inForce = { wish, elements: wanted, shape }
    this.#admitted = wanted.peers
    this.#state = { is: 'active' }
    this.#trouble = undefined
    this.#attempts = 0
    this.#retryAt = undefined
    if (news) this.#options.changed()
  }

  /** What stands could not be seen: what was active is taken to be so, and is looked at again. */
  #doubt(why: string, lasting = false): void {
    this.#lookedAt = undefined
    if (this.#state.is !== 'active') {
      this.#give(undefined, why, lasting)
      return
    }
    const { clock, random, log } = this.#options
    if (why !== this.#trouble) log.warn('firewall cannot be looked at', { why })
    this.#trouble = why
    this.#attempts++
    this.#retryAt = after(clock.now(), backoff(this.#attempts, RETRY, random))
    this.#bell.by(this.#retryAt)
  }

  /** A table that stands protects, even when it could not be brought up to date; without one we go on unprotected. */
  #give(table: Found | undefined, why: string, lasting = false): void {
    const { clock, random, log, changed } = this.#options
    const former = this.#state.is
    if (why !== this.#trouble && (this.#state.is !== 'off' || why !== this.#state.why))
      log.warn('firewall not as wanted', { why })
    this.#state = table !== undefined && isRight(table) ? { is: 'active' } : { is: 'off', why }
    this.#trouble = lasting ? undefined : why
    this.#attempts++
    this.#retryAt = lasting ? undefined : after(clock.now(), backoff(this.#attempts, RETRY, random))
    if (this.#retryAt !== undefined) this.#bell.by(this.#retryAt)
    if (this.#state.is !== former) changed()
  }

  #answer(): void {
    for (const waiter of this.#waiters) if (this.#state.is === 'off' || this.#mayBeSource(waiter.address)) waiter.done()
  }

  /** Whichever interface has the address now: one that had it before does not count. */
  #mayBeSource(address: string): boolean {
    const elements = [...(this.#wanted?.sources ?? [])].filter(element => element.endsWith(` ${address}`))
    return elements.length > 0 && elements.every(element => this.#inForce?.elements.sources.has(element))
  }

  #repaired(object: string, found: string): void {
    const { clock, log } = this.#options
    this.#repairCount++
    this.#repairs.unshift({ object, found, at: clock.wall().toISOString() })
    this.#repairs.length = Math.min(this.#repairs.length, REPAIRS_KEPT)
    log.warn('repairing', { object, found })
  }
}

const NO_SHAPE: Shape = { marking: false, natting: false, vxlan: undefined }

function sameElements(a: Elements, b: Elements): boolean {
  return [...setNames(), 'sources' as const].every(
    name => a[name].size === b[name].size && [...a[name]].every(element => b[name].has(element)),
  )
}

function asWritten(elements: Elements, dropped: Totals): Found {
  return { wrongs: [], elements, dropped }
}
