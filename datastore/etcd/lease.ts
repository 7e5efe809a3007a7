/** A document that lives as long as its writer: kept under a lease, made anew when that is lost. */

import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import { type Clock, sleep } from '@network/base/time/clock.ts'
import { millis, type Seconds } from '@network/base/time/units.ts'
import { type Etcd3, EtcdLeaseInvalidError } from 'etcd3'
import type { Connection } from './connection.ts'

export interface Living {
  readonly key: Buffer
  /** Asked at every beat; written when it became different. */
  readonly document: () => unknown
  /** The document is gone so long after the last beat. */
  readonly ttl: Seconds
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly log: Log
}

const BEATS_PER_LIFE = 3

/** Keeps the document there until the signal aborts, and then takes it away, or until the store is closed; what the store does in between is only told to the log. */
export async function keepAlive(connection: Connection, living: Living): Promise<void> {
  const { signal, clock, ttl, log } = living
  // Who closed the store wants nothing of it any more.
  const ending = AbortSignal.any([signal, connection.closed])
  const pause = millis((ttl * 1000) / BEATS_PER_LIFE)
  let lease: string | undefined
  let told: string | undefined
  while (!ending.aborted) {
    try {
      if (lease !== undefined && !(await beats(connection, lease, signal))) lease = told = undefined
      lease ??= await grant(connection, ttl, signal)
      const text = JSON.stringify(living.document())
      if (text !== told) await put(connection, living, lease, text)
      told = text
    } catch (reason) {
      if (ending.aborted) break
      if (!(reason instanceof Fault)) throw reason
      if (reason.cause instanceof EtcdLeaseInvalidError) lease = undefined
      told = undefined
      log.debug('sign of life could not be given', { why: reasonOf(reason) })
    }
    await sleep(clock, pause, ending).catch(() => undefined)
  }
  if (lease !== undefined && !connection.closed.aborted)
    await revoke(connection, lease).catch(reason => log.debug('lease runs out by itself', { why: reasonOf(reason) }))
}

/** False when the lease is no more. */
function beats(connection: Connection, lease: string, signal: AbortSignal): Promise<boolean> {
  return connection.ask({ doing: 'keep a lease in', signal, repeatable: true }, client => beatOnce(client, lease))
}

async function beatOnce(client: Etcd3, lease: string): Promise<boolean> {
  const stream = await client.leaseClient.leaseKeepAlive()
  try {
    return await new Promise((resolve, reject) => {
      stream
        .on('data', ({ TTL }) => resolve(TTL !== '0'))
        .on('error', reject)
        .on('end', () => reject(new Error('the stream was ended')))
      stream.write({ ID: lease })
    })
  } finally {
    stream.cancel()
  }
}

/** A lease that nobody heard of runs out by itself, so asking twice does no harm. */
async function grant(connection: Connection, ttl: Seconds, signal: AbortSignal): Promise<string> {
  const ask = { doing: 'get a lease from', signal, repeatable: true }
  const { ID } = await connection.ask(ask, client => client.leaseClient.leaseGrant({ TTL: ttl }))
  return ID
}

async function put(connection: Connection, { key, signal }: Living, lease: string, text: string): Promise<void> {
  const ask = { doing: `write ${key} to`, signal, repeatable: true }
  await connection.ask(ask, client => client.kv.put({ key, lease, value: Buffer.from(text) }))
}

async function revoke(connection: Connection, lease: string): Promise<void> {
  const ask = { doing: 'give back a lease to', signal: AbortSignal.timeout(2000), repeatable: true }
  await connection.ask(ask, client => client.leaseClient.leaseRevoke({ ID: lease }))
}
