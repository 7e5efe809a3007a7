/** Serves the calls of the CNI plugin, those for one pod one after another, and finishes what was left half done. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { between, type Millis, millis } from '@network/base/time/units.ts'
import { Bell } from '@network/datastore/bell.ts'
import type { CniReply } from '@network/model/cni.ts'
import type { Bookkeeper } from '../away/bookkeeper.ts'
import { Attachments, type AttachOptions } from './attach.ts'
import { checkAttachment } from './check.ts'
import { addressHandle, interfaceOf } from './names.ts'
import { type Circumstances, statusReply } from './readiness.ts'
import { failureOf, resultOf, SILENT_SUCCESS } from './replies.ts'
import { type CniCall, type PodInterface, readCniRequest } from './request.ts'

/** Of one call, below the plugin's own. */
const DEADLINE_MS = 60_000
const RETRY = { base: millis(500), cap: millis(30_000) }

export interface WorkloadOptions extends Omit<AttachOptions, 'books'> {
  readonly bookkeeper: Pick<Bookkeeper, 'books' | 'share' | 'awayVerdict'>
  readonly clock: Clock
  readonly random: Random
  readonly circumstances: () => Circumstances
  /** Hears of every call: its command, the code of its answer (0 for success), and how long it took. */
  readonly answered: (call: { readonly command: string; readonly code: number; readonly took: Millis }) => void
}

type Call = Exclude<CniCall, { is: 'refused' }>

export class Workloads {
  readonly #options: WorkloadOptions
  readonly #attachments: Attachments
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Rings when something was left half done. */
  readonly #untidy = new Bell()
  /** Addresses without an endpoint were not looked for, without the datastore. */
  #orphansLeft = false

  constructor(options: WorkloadOptions) {
    this.#options = options
    this.#attachments = new Attachments({ ...options, books: () => options.bookkeeper.books() })
  }

  /** Answers one call, given as the plugin sent it; never throws: what goes wrong is a CNI error with its sentence. */
  async serve(body: string, gone: AbortSignal): Promise<CniReply> {
    const { answered, clock } = this.#options
    const began = clock.now()
    const call = readCniRequest(body)
    const reply = call.is === 'refused' ? call.reply : await this.#replyTo(call, gone)
    answered({ command: call.is, code: codeOf(reply), took: between(began, clock.now()) })
    return reply
  }

  async #replyTo(call: Call, gone: AbortSignal): Promise<CniReply> {
    try {
      return await this.#answer(call, AbortSignal.any([gone, AbortSignal.timeout(DEADLINE_MS)]))
    } catch (reason) {
      this.#options.log.error('cni call failed', { command: call.is, ...subjectOf(call), why: reasonOf(reason) })
      if (this.#options.journal.unfinished().length > 0) this.#untidy.ring()
      return failureOf(call.version, whoOf(call), reason)
    }
  }

  /** The datastore is back: what only it can tell was left for now. */
  lookAgain(): void {
    if (this.#orphansLeft) this.#untidy.ring()
  }

  /** Tidies at once, and again after every call that failed, until the signal aborts. */
  async keepTidy(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.tidy(signal)
        failures = 0
        await this.#untidy.rung(signal)
      } catch (reason) {
        if (signal.aborted) return
        this.#options.log.warn('not tidy yet; tried again soon', { why: reasonOf(reason) })
        await sleep(this.#options.clock, backoff(failures++, RETRY, this.#options.random), signal).catch(() => undefined)
      }
    }
  }

  /** Removes what was begun and not finished, and frees addresses that no endpoint answers for. */
  tidy(signal: AbortSignal): Promise<void> {
    return this.#options.bookkeeper.share(signal, () => this.#tidy(signal))
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const { journal, log } = this.#options
    const unfinished = journal.unfinished().map(pod =>
      this.#inTurn(pod, async () => {
        if (!journal.isOpen(pod)) return
        log.warn('finishing what was left half done', { ...pod })
        await this.#attachments.remove(pod)
      }),
    )
    for (const outcome of await Promise.allSettled(unfinished)) if (outcome.status === 'rejected') throw outcome.reason
    this.#orphansLeft = this.#options.bookkeeper.awayVerdict !== undefined
    await this.#attachments.sparing(spared => this.#attachments.releaseOrphans(spared, signal))
  }

  #answer(call: Call, signal: AbortSignal): Promise<CniReply> {
    if (call.is !== 'status') return this.#options.bookkeeper.share(signal, () => this.#act(call, signal))
    const { bookkeeper, circumstances } = this.#options
    return Promise.resolve(statusReply(call.version, circumstances(), bookkeeper.awayVerdict))
  }

  async #act(call: Exclude<Call, { is: 'status' }>, signal: AbortSignal): Promise<CniReply> {
    const attachments = this.#attachments
    switch (call.is) {
      case 'add':
        mustBeRegistered(this.#options.circumstances())
        return resultOf(call.version, await this.#inTurn(call.pod, () => attachments.make(call.pod, call.netns, signal)))
      case 'del':
        await this.#inTurn(call.pod, () => attachments.remove(call.pod))
        return SILENT_SUCCESS
      case 'check':
        await this.#inTurn(call.pod, async () => {
          const { wiring, bookkeeper } = this.#options
          const endpoint = await attachments.find(call.pod, signal)
          await checkAttachment({ ...call, endpoint }, { wiring, books: () => bookkeeper.books() }, signal)
        })
        return SILENT_SUCCESS
      case 'gc':
        await this.#collect(call, signal)
        return SILENT_SUCCESS
      default:
        return call satisfies never
    }
  }

  /** Removes what the network has on this node and the runtime does not name; goes on past what fails, and tells it all at the end. */
  #collect({ network, valid }: Extract<Call, { is: 'gc' }>, signal: AbortSignal): Promise<void> {
    const attachments = this.#attachments
    return attachments.sparing(async spared => {
      const { endpoints } = await this.#options.bookkeeper.books().all(signal)
      const isGarbage = (pod: PodInterface) => !valid.has(addressHandle(pod)) && !spared.has(addressHandle(pod))
      const garbage = endpoints.map(interfaceOf).filter(pod => pod.network === network && isGarbage(pod))
      const removals = garbage.map(pod =>
        this.#inTurn(pod, async () => {
          if (isGarbage(pod)) await attachments.remove(pod)
        }),
      )
      const failed = (await Promise.allSettled(removals)).filter(({ status }) => status === 'rejected')
      await attachments.releaseOrphans(spared, signal)
      if (failed.length > 0) throw leftOver(network, failed)
    })
  }

  async #inTurn<T>({ namespace, pod, ifName }: PodInterface, work: () => Promise<T>): Promise<T> {
    const key = `${namespace}/${pod}/${ifName}`
    const before = this.#turns.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(key, settled)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === settled) this.#turns.delete(key)
    }
  }
}

function codeOf({ exitCode, body }: CniReply): number {
  const code = body?.['code']
  return exitCode !== 0 && typeof code === 'number' ? code : exitCode
}

/** Addresses of a node that was deleted, or is not yet known, are free for others: it must not hand them out. */
function mustBeRegistered({ node, registered, datastore }: Circumstances): void {
  // While it is away, what was last seen of it is judged with the addresses.
  if (registered || datastore.state === 'stale') return
  throw new Fault('node.unregistered', {
    doing: 'attach a pod to',
    on: `node ${node}`,
    says: 'it is not in the datastore: it was deleted there, or is not registered yet',
    mend: 'try again; where somebody deleted it, restart the agent to register it again',
  })
}

function subjectOf(call: Call): Readonly<Record<string, unknown>> {
  if (call.is === 'gc') return { network: call.network }
  return call.is === 'status' ? {} : { ...call.pod }
}

function whoOf(call: Call): string {
  if (call.is === 'gc') return `network ${call.network}`
  return call.is === 'status' ? 'this node' : `pod ${call.pod.namespace}/${call.pod.pod}`
}

function leftOver(network: string, failed: readonly PromiseSettledResult<void>[]): Fault {
  const reasons = failed.flatMap(outcome => (outcome.status === 'rejected' ? [reasonOf(outcome.reason)] : []))
  return new Fault('pod.left-over', { doing: 'collect the garbage of', on: `network ${network}`, says: reasons.join('; ') })
}
