/** What etcd, gRPC and the network say when something is wrong, and what that means for the call. */

import { Fault, type FaultDetail, reasonOf } from '@network/base/run/fault.ts'
import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCCancelledError,
  GRPCInvalidArgumentError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
} from 'etcd3'

export type Meaning =
  /** The member cannot answer, another one may. */
  | 'away'
  /** The same, and the request surely did not reach it. */
  | 'not-sent'
  /** The token is too old; a new client gets a new one. */
  | 'token'
  | 'forbidden'
  | 'compacted'
  /** The answer does not fit. */
  | 'too-much'
  /** The document does not fit. */
  | 'too-large'
  | 'full'

/** A call that had no answer in time. */
export class Late extends Error {
  override readonly name = 'Late'
}

/** Sorts a failure that came as gRPC's or etcd3's; anything unknown counts as an absent member. */
export function meaningOf(thrown: unknown): Meaning {
  const text = reasonOf(thrown)
  if (thrown instanceof EtcdInvalidAuthTokenError || /invalid auth token|auth: revision in header is old/.test(text))
    return 'token'
  if (thrown instanceof EtcdPermissionDeniedError || thrown instanceof EtcdAuthenticationFailedError) return 'forbidden'
  if (/permission denied|authentication failed|user name (is empty|not found)/.test(text)) return 'forbidden'
  if (thrown instanceof GRPCOutOfRangeError || /revision has been compacted/.test(text)) return 'compacted'
  if (/database space exceeded/.test(text)) return 'full'
  if (/request is too large|grpc: received message larger/.test(text) || thrown instanceof GRPCInvalidArgumentError)
    return 'too-large'
  if (/[Rr]eceived message larger|larger than max/.test(text) || thrown instanceof GRPCResourceExhastedError) return 'too-much'
  if (/No connection established|Name resolution failed|etcdserver: no leader/.test(text)) return 'not-sent'
  if (thrown instanceof ClientClosedError && !(thrown instanceof GRPCCancelledError)) return 'not-sent'
  return 'away'
}

const TOLD: Readonly<Record<Meaning, readonly [code: string, detail: Omit<FaultDetail, 'doing' | 'on' | 'says'>]>> = {
  away: ['datastore.unreachable', { mend: 'see that etcd runs, has a leader and can be reached from here' }],
  'not-sent': ['datastore.unreachable', { mend: 'see that etcd runs, has a leader and can be reached from here' }],
  token: ['datastore.forbidden', { mend: 'see username and passwordFile' }],
  forbidden: ['datastore.forbidden', { mend: 'see username, passwordFile and the roles in etcd' }],
  compacted: ['datastore.compacted', { mend: 'list again' }],
  'too-much': ['datastore.too-much', { mend: 'ask for less at once' }],
  'too-large': ['datastore.too-large', { mend: 'make the document smaller, or raise --max-request-bytes of etcd' }],
  full: ['datastore.full', { mend: 'compact, defragment and disarm the alarm with etcdctl, or raise --quota-backend-bytes' }],
}

/** The Fault for a failure. */
export function troubleOf(thrown: unknown, { doing, on }: { readonly doing: string; readonly on: string }): Fault {
  if (thrown instanceof Fault) return thrown
  const [code, rest] = TOLD[meaningOf(thrown)]
  return new Fault(code, { doing, on, says: plain(reasonOf(thrown)), ...rest }, { cause: thrown })
}

/** Without the names of codes and classes in front. */
function plain(text: string): string {
  return text.replace(/^(\w+Error: )?(\d+ [A-Z_]+: )?(etcdserver: )?/, '') || 'it gave no reason'
}
