/** Our own messages read again: what somebody holds who has read them. */
import type { AnyPrefix } from '@network/base/net/any-prefix.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Identified } from '../wire/nlri.ts'
import { decodeUpdate } from '../wire/update.ts'
import type { Held } from './naming.ts'
import type { Parcel } from './parcel.ts'

/** Takes into a table what these messages announce, and out of it what they withdraw. */
export function takeSaid(held: Held, parcels: readonly Parcel[], dialect: Dialect): void {
  for (const { withdrawn, announced } of saidIn(parcels, dialect)) {
    for (const prefix of withdrawn) forgetIn(held, prefix)
    for (const prefix of announced) held.take(prefix)
  }
}

interface Said {
  readonly withdrawn: readonly Identified<AnyPrefix>[]
  readonly announced: readonly Identified<AnyPrefix>[]
}

/** What our own messages say, one after the other. */
function* saidIn(parcels: readonly Parcel[], dialect: Dialect): Generator<Said, void, void> {
  for (const { chunk, from, to } of parcels)
    for (let at = from; at < to; ) {
      const octets = ((chunk[at + 16] ?? 0) << 8) | (chunk[at + 17] ?? 0)
      const said = decodeUpdate(chunk.subarray(at + 19, at + octets), dialect)
      if (said.is === 'routes')
        yield {
          withdrawn: [...said.withdrawn, ...said.ipv6.withdrawn],
          announced: [...said.announced, ...said.ipv6.announced].flatMap(
            ({ prefixes }): readonly Identified<AnyPrefix>[] => prefixes,
          ),
        }
      at += octets
    }
}

function forgetIn(held: Held, prefix: Identified<AnyPrefix>): void {
  const id = held.find(prefix)
  if (id >= 0) held.free(id)
}
