/** What `calictl events` prints: all that agents remember with its time, in order. */

import type { AgentStatus } from '@network/model/status.ts'
import { isUp, reasonOfPeer } from '../ailments.ts'
import { type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { ago } from '../render/ago.ts'
import { table } from '../render/table.ts'
import { completeness, reportSilences } from '../survey.ts'
import { hear, type Reported } from './reported.ts'

const TYPES = ['Agent', 'Session', 'Repair', 'Store'] as const

interface Event {
  /** RFC 3339. */
  readonly at: string
  readonly node: string
  readonly type: (typeof TYPES)[number]
  readonly about: string
  readonly says: string
}

export async function showEvents(
  context: Context,
  node: string | undefined,
  { type }: { readonly type?: string },
): Promise<ExitCode> {
  const wanted = type === undefined ? undefined : typeFrom(type)
  const { heard, elsewhere } = await hear(context, node)
  if (heard !== undefined && node === undefined) reportSilences(context, heard.survey)
  const events = [...(heard?.answers ?? []).flatMap(({ status }) => eventsOf(status)), ...elsewhere.flatMap(sessionEvents)]
    .filter(event => wanted === undefined || event.type === wanted)
    .toSorted((a, b) => a.at.localeCompare(b.at))
  const now = context.clock.wall()
  await show(context, {
    document: { kind: 'EventList', items: events },
    text:
      events.length === 0
        ? 'Nothing happened that an agent remembers.'
        : table(
            ['AGO', 'NODE', 'TYPE', 'ABOUT', 'WHAT'],
            events.map(one => [ago(one.at, now), one.node, one.type, one.about, one.says]),
          ),
  })
  return heard === undefined || node !== undefined ? EXIT.ok : completeness(heard.survey)
}

function typeFrom(typed: string): Event['type'] {
  const type = TYPES.find(one => one.toLowerCase() === typed.toLowerCase())
  if (type !== undefined) return type
  throw failure('usage', {
    doing: 'use',
    on: `--type ${typed}`,
    says: 'there is no such type of event',
    mend: `write ${TYPES.join(', ')}`,
  })
}

function eventsOf(status: AgentStatus): readonly Event[] {
  const { node, books, datastore, repairs, startedAt, version } = status
  return [
    { at: startedAt, node, type: 'Agent', about: version, says: 'started' },
    ...sessionEvents({ node, peers: status.bgp.peers }),
    ...repairs.last.map(({ at, object, found }): Event => ({ at, node, type: 'Repair', about: object, says: found })),
    ...books.notices.map(({ at, about, says }): Event => ({ at, node, type: 'Store', about, says })),
    ...(datastore.state === 'in-sync'
      ? []
      : [{ at: datastore.since, node, type: 'Store' as const, about: datastore.url, says: datastore.error ?? datastore.state }]),
  ]
}

function sessionEvents({ node, peers }: Pick<Reported, 'node' | 'peers'>): readonly Event[] {
  return peers.map(peer => {
    const why = isUp(peer) ? undefined : reasonOfPeer(peer)
    const says = `${peer.state.toLowerCase()}${why === undefined ? '' : `: ${why}`}`
    return { at: peer.since, node, type: 'Session', about: peer.name, says }
  })
}
