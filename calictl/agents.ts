/** Asks the agents of this machine, one unix socket each, for their status. */

// Not the promises: they bring much of Node along, and commands are to start fast.
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { basename, join } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Clock } from '@network/base/time/clock.ts'
import { after, seconds, toMillis } from '@network/base/time/units.ts'
import type { AgentStatus, BgpTable } from '@network/model/status.ts'
import { heardOfFrom, statusFrom, tableFrom } from './agent-status.ts'

/** An agent that did not answer, and what mends that. */
export interface Silence {
  readonly is: 'silent'
  /** As its socket is called; the agent itself could not be asked. */
  readonly node: string
  readonly socket: string
  /** `gone`: nobody listens. `denied`: this user may not ask. `late`: connected, no answer in time. `garbled`: an answer, and no status. */
  readonly why: 'gone' | 'denied' | 'late' | 'garbled'
  readonly says: string
  readonly mend: string
}

export interface Answer {
  readonly is: 'answered'
  readonly node: string
  readonly socket: string
  readonly status: AgentStatus
}

/** What an agent knows by BGP. */
export interface TableAnswer {
  readonly is: 'answered'
  readonly node: string
  readonly socket: string
  readonly table: BgpTable
}

/** What all sockets of a directory said, both lists in order of their names. */
export interface Survey<A = Answer> {
  readonly answers: readonly A[]
  readonly silences: readonly Silence[]
  /** Why no socket could be looked for; undefined when the directory could be read. */
  readonly unreadable: Unreadable | undefined
}

export interface Unreadable {
  readonly why: 'absent' | 'denied' | 'broken'
  readonly says: string
}

export interface Agents {
  readonly runDir: string
  /** Asks every agent at once; of those with a socket named in `only`, where it is given. */
  survey(signal: AbortSignal, only?: readonly string[]): Promise<Survey>
  /** By socket, the revision that the agent acts upon of each key, null where nothing is there; agents that cannot tell are left out. */
  heardOf(signal: AbortSignal, sockets: readonly string[], keys: readonly string[]): Promise<ReadonlyMap<string, HeardOf>>
  /** Asks every agent what it knows by BGP. */
  tables(signal: AbortSignal, only?: readonly string[]): Promise<Survey<TableAnswer>>
}

export type HeardOf = Readonly<Record<string, string | null>>

/** Long enough for a loaded machine, short enough for somebody who waits. */
const PATIENCE = toMillis(seconds(5))
/** A status is a few hundred octets a route; more than this is no status. */
const MAX_ANSWER = 256 << 20

/** The agents whose sockets lie in `runDir`. */
export function agentsIn(runDir: string, clock: Clock): Agents {
  return {
    runDir,
    survey: (signal, only) => askAll(runDir, only, socket => ask(socket, '/status', readStatus, { clock, signal })),
    heardOf: (signal, sockets, keys) => askHeardOf(sockets, keys, { clock, signal }),
    tables: (signal, only) => askAll(runDir, only, socket => ask(socket, '/bgp', readTable, { clock, signal })),
  }
}

async function askAll<A extends { readonly is: 'answered'; readonly node: string }>(
  runDir: string,
  only: readonly string[] | undefined,
  askOne: (socket: string) => Promise<A | Silence>,
): Promise<Survey<A>> {
  const { sockets, unreadable } = await socketsIn(runDir)
  const asked = only === undefined ? sockets : sockets.filter(socket => only.includes(socket))
  const all = await Promise.all(asked.map(askOne))
  return {
    answers: all.flatMap(one => (one.is === 'answered' ? [one] : [])).toSorted(byNode),
    silences: all.flatMap(one => (one.is === 'silent' ? [one] : [])).toSorted(byNode),
    unreadable,
  }
}

type Read<A> = (body: string, socket: string) => A | { readonly is: 'unread'; readonly says: string }

const readStatus: Read<Answer> = (body, socket) => {
  const read = statusFrom(body)
  return read.ok ? { is: 'answered', node: read.status.node, socket, status: read.status } : { is: 'unread', says: read.says }
}

const readTable: Read<TableAnswer> = (body, socket) => {
  const read = tableFrom(body)
  return read.ok ? { is: 'answered', node: read.table.node, socket, table: read.table } : { is: 'unread', says: read.says }
}

function byNode(a: { readonly node: string }, b: { readonly node: string }): number {
  return a.node.localeCompare(b.node, 'en', { numeric: true })
}

async function socketsIn(runDir: string): Promise<{ sockets: string[]; unreadable: Unreadable | undefined }> {
  try {
    const names = readdirSync(runDir)
    return { sockets: names.filter(name => name.endsWith('.sock')).map(name => join(runDir, name)), unreadable: undefined }
  } catch (reason) {
    return { sockets: [], unreadable: unreadableBecause(runDir, reason) }
  }
}

function unreadableBecause(runDir: string, reason: unknown): Unreadable {
  switch (codeOf(reason)) {
    case 'ENOENT':
      return { why: 'absent', says: `${runDir} does not exist` }
    case 'EACCES':
    case 'EPERM':
      return { why: 'denied', says: `this user may not read ${runDir}` }
    case 'ENOTDIR':
      return { why: 'broken', says: `${runDir} is not a directory` }
    default:
      return { why: 'broken', says: `${runDir} cannot be read: ${reasonOf(reason)}` }
  }
}

async function askHeardOf(
  sockets: readonly string[],
  keys: readonly string[],
  how: Asking,
): Promise<ReadonlyMap<string, HeardOf>> {
  const body = JSON.stringify(keys)
  const all = await Promise.all(
    sockets.map(async socket => {
      const answer = await fetchBody({ socket, path: '/heard-of', body }, how.clock, how.signal).catch(() => undefined)
      how.signal.throwIfAborted()
      const heard = answer?.code === 200 ? heardOfFrom(answer.body) : undefined
      return heard === undefined ? [] : [[socket, heard] as const]
    }),
  )
  return new Map(all.flat())
}

interface Asking {
  readonly clock: Clock
  readonly signal: AbortSignal
}

async function ask<A extends { readonly is: 'answered' }>(
  socket: string,
  path: string,
  read: Read<A>,
  { clock, signal }: Asking,
): Promise<A | Silence> {
  const silent = { is: 'silent', node: basename(socket, '.sock'), socket } as const
  try {
    const { code, body } = await fetchBody({ socket, path }, clock, signal)
    const answer = code === 200 ? read(body, socket) : { is: 'unread' as const, says: `it answered HTTP ${code}` }
    if (answer.is === 'answered') return answer
    return { ...silent, why: 'garbled', says: answer.says, mend: 'see that agent and calictl are of the same version' }
  } catch (reason) {
    if (signal.aborted) throw reason
    return { ...silent, ...explain(reason) }
  }
}

function fetchBody(
  { socket, path, body }: { readonly socket: string; readonly path: string; readonly body?: string },
  clock: Clock,
  signal: AbortSignal,
): Promise<{ code: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const patience = new AbortController()
    const cancel = clock.wakeAt(after(clock.now(), PATIENCE), () => patience.abort(new Late()))
    const fail = (reason: unknown) => {
      cancel()
      reject(patience.signal.aborted ? patience.signal.reason : reason)
    }
    const abandon = AbortSignal.any([signal, patience.signal])
    const method = body === undefined ? 'GET' : 'POST'
    const sent = request({ socketPath: socket, path, method, agent: false, signal: abandon }, response => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_ANSWER) response.destroy(new Error('its answer has no end'))
        chunks.push(chunk)
      })
      response.on('error', fail)
      response.on('end', () => {
        cancel()
        resolve({ code: response.statusCode, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
    sent.on('error', fail)
    sent.end(body)
  })
}

class Late extends Error {}

function explain(reason: unknown): Pick<Silence, 'why' | 'says' | 'mend'> {
  if (reason instanceof Late)
    return {
      why: 'late',
      says: `it did not answer within ${PATIENCE / 1000} s`,
      mend: 'see the log of cali-agent on that node; it is stopped or overloaded',
    }
  switch (codeOf(reason)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return {
        why: 'gone',
        says: 'nobody listens on its socket',
        mend: 'start cali-agent there; its routes stay in the kernel meanwhile',
      }
    case 'EACCES':
    case 'EPERM':
      return { why: 'denied', says: 'this user may not ask it', mend: 'run calictl as root' }
    default:
      return { why: 'garbled', says: reasonOf(reason), mend: 'see that agent and calictl are of the same version' }
  }
}

function codeOf(reason: unknown): unknown {
  return reason instanceof Error && 'code' in reason ? reason.code : undefined
}
