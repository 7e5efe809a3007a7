/** The datastore's side of an agent, in a process of its own: follows everything, and reports what it took. */

import { silentLog } from '@network/base/run/log.ts'
import { systemClock, systemRandom } from '@network/base/time/clock.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { sync } from '@network/datastore/sync.ts'
import { isRecord, KEY_ROOT } from '@network/model/resources/kind.ts'
import { SnapshotBuilder } from '@network/model/snapshot.ts'
import { type FollowerReport, wall } from './follower-report.ts'

const chance = { clock: systemClock, random: systemRandom }
const signal = new AbortController().signal
const store = await openDatastore(process.argv[2] ?? '', { ...chance, log: silentLog })
const builder = new SnapshotBuilder()
const late: number[] = []
const arrived: string[] = []
const ended = Promise.withResolvers<void>()
process.on('message', () => {
  void report()
})

for await (const event of sync(store, { prefix: KEY_ROOT, signal, ...chance })) {
  if (event.is === 'in-sync') process.send?.('in sync')
  if (event.is === 'changes') for (const change of event.changes) take(change)
}

function take(change: { readonly key: string; readonly document: unknown }): void {
  if (change.key === '/cali/v1/bench/end') ended.resolve()
  else if (change.key.startsWith('/cali/v1/bench/') && isRecord(change.document)) {
    late.push(wall() - Number(change.document['at']))
    arrived.push(change.key)
  } else builder.apply(change)
}

async function report(): Promise<void> {
  if (arrived.length > 0) await ended.promise
  process.send?.({ late, disorder: await disorder() } satisfies FollowerReport)
}

/** Against the revisions, as the store has them. */
async function disorder(): Promise<number> {
  const { entries } = await store.list('/cali/v1/bench/', { signal })
  const revisions = new Map(entries.map(({ key, revision }) => [key, Number(revision)]))
  const order = arrived.map(key => revisions.get(key) ?? 0)
  return order.filter((revision, at) => revision <= (order[at - 1] ?? 0)).length
}
