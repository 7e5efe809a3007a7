/** The door for what agents answer: a status that can be relied upon, or why not. */

import { isRecord } from '@network/model/resources/kind.ts'
import type { AgentStatus, BgpTable } from '@network/model/status.ts'

export type ReadStatus = { readonly ok: true; readonly status: AgentStatus } | { readonly ok: false; readonly says: string }

export type ReadTable = { readonly ok: true; readonly table: BgpTable } | { readonly ok: false; readonly says: string }

/** Reads an answer; fields that a newer agent adds are passed over. */
export function statusFrom(body: string): ReadStatus {
  const answer = parsed(body)
  if (answer === undefined) return { ok: false, says: 'its answer is no JSON' }
  const missing = lacking(answer, '', SHAPE)
  if (missing !== undefined) return { ok: false, says: `its status lacks ${missing}` }
  return isStatus(answer) ? { ok: true, status: answer } : { ok: false, says: 'its answer is no status' }
}

/** Reads what an agent knows by BGP. */
export function tableFrom(body: string): ReadTable {
  const answer = parsed(body)
  if (isTable(answer)) return { ok: true, table: answer }
  return {
    ok: false,
    says: answer === undefined ? 'its answer is no JSON' : `its routes lack ${lacking(answer, '', TABLE_SHAPE)}`,
  }
}

/** Reads which revisions an agent has heard of; undefined where it says no such thing. */
export function heardOfFrom(body: string): Readonly<Record<string, string | null>> | undefined {
  const answer = parsed(body)
  if (!isRecord(answer)) return undefined
  const revisions = Object.entries(answer)
  const good = revisions.filter((one): one is [string, string | null] => one[1] === null || typeof one[1] === 'string')
  return good.length === revisions.length ? Object.fromEntries(good) : undefined
}

/** Undefined for what is no JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function isTable(answer: unknown): answer is BgpTable {
  return answer !== undefined && lacking(answer, '', TABLE_SHAPE) === undefined
}

function isStatus(answer: unknown): answer is AgentStatus {
  return lacking(answer, '', SHAPE) === undefined
}

/** What commands read without looking: a primitive's `typeof`, an object's fields, a list of such, or one of them or null. */
type Shape = 'string' | 'number' | 'boolean' | { readonly [field: string]: Shape } | readonly [Shape] | NullOr
type NullOr = (value: unknown, path: string) => string | undefined

function nullOr(shape: Shape): NullOr {
  return (value, path) => (value === null ? undefined : lacking(value, path, shape))
}

const SHAPE: Shape = {
  node: 'string',
  id: 'string',
  version: 'string',
  startedAt: 'string',
  address: 'string',
  addressFrom: 'string',
  asn: 'number',
  datastore: { url: 'string', state: 'string', since: 'string', error: nullOr('string') },
  books: { unwritten: 'number', notices: [{ at: 'string', about: 'string', says: 'string' }] },
  ipip: {
    supported: 'boolean',
    reason: nullOr('string'),
    device: nullOr({ name: 'string', address: nullOr('string'), up: 'boolean' }),
  },
  vxlan: {
    supported: 'boolean',
    reason: nullOr('string'),
    device: nullOr({ name: 'string', address: nullOr('string'), up: 'boolean' }),
  },
  pools: [{ name: 'string', ipipMode: 'string', vxlanMode: 'string', natOutgoing: 'boolean' }],
  firewall: {
    active: 'boolean',
    reason: nullOr('string'),
    dropped: { forgedIpip: 'number', forgedVxlan: 'number', spoofedSource: 'number' },
  },
  bgp: {
    originated: ['string'],
    settled: 'boolean',
    peers: [
      {
        address: 'string',
        name: 'string',
        asn: 'number',
        type: 'string',
        state: 'string',
        since: 'string',
        received: 'number',
        accepted: 'number',
        advertised: 'number',
        stale: 'number',
        flaps: 'number',
        lastError: nullOr('string'),
      },
    ],
  },
  routes: [
    {
      destination: 'string',
      kind: 'string',
      carriage: nullOr('string'),
      device: nullOr('string'),
      node: nullOr('string'),
      text: 'string',
      why: 'string',
      state: 'string',
      problem: nullOr('string'),
    },
  ],
  workloads: [{ namespace: 'string', pod: 'string', address: 'string', interfaceName: 'string', interfacePresent: 'boolean' }],
  tables: [{ name: 'string', wanted: 'number', actual: 'number', stale: 'number', repairs: 'number' }],
  repairs: { count: 'number', last: [{ at: 'string', object: 'string', found: 'string' }] },
  problems: ['string'],
  converged: 'boolean',
}

const TABLE_SHAPE: Shape = {
  node: 'string',
  paths: [
    {
      prefix: 'string',
      from: 'string',
      name: 'string',
      nextHop: nullOr('string'),
      asPath: 'string',
      origin: 'string',
      localPref: nullOr('number'),
      med: nullOr('number'),
      communities: ['string'],
      stale: 'boolean',
      best: 'boolean',
      verdict: 'string',
    },
  ],
}

/** The path of the first field that is not as the shape says; undefined when all are. */
function lacking(value: unknown, path: string, shape: Shape): string | undefined {
  if (typeof shape === 'string') return typeof value === shape ? undefined : path
  if (typeof shape === 'function') return shape(value, path)
  if (isList(shape)) {
    if (!Array.isArray(value)) return path
    return firstOf(value, (item, at) => lacking(item, `${path}[${at}]`, shape[0]))
  }
  if (!isRecord(value)) return path === '' ? 'everything' : path
  return firstOf(Object.entries(shape), ([field, inner]) =>
    lacking(value[field], path === '' ? field : `${path}.${field}`, inner),
  )
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape)
}

function firstOf<T>(items: readonly T[], find: (item: T, at: number) => string | undefined): string | undefined {
  for (const [at, item] of items.entries()) {
    const found = find(item, at)
    if (found !== undefined) return found
  }
  return undefined
}
