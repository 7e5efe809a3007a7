/** From a datastore's URL to a datastore. */

import { Fault } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { EmbeddedStore } from './embedded/store.ts'
import type { Datastore } from './port.ts'
import { said } from './said.ts'

export interface OpenOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log?: Log
  /** True: a store that is not there is refused as `datastore.absent`. For who only looks: a mistyped path must not become a store. */
  readonly mustExist?: boolean
}

/**
 * Opens `sqlite:/absolute/path`, making the file and its directory where they are missing, unless it must exist; or `etcd://…`, `etcds://…`,
 * which is not asked anything yet. Rejects with a `datastore.…` Fault.
 */
export async function openDatastore(url: string, options: OpenOptions): Promise<Datastore> {
  // Loaded only where it is used: it takes a fifth of a second and 16 MB.
  if (/^etcds?:\/\//.test(url)) return (await import('./etcd/open.ts')).openEtcd(url, options)
  const path = /^sqlite:(?:\/\/)?(\/.*[^/])$/.exec(url)?.[1]
  if (path === undefined) throw refused(url)
  return EmbeddedStore.open(path, options)
}

function refused(url: string): Fault {
  return new Fault('datastore.url', {
    doing: 'open datastore',
    on: said(url),
    says: url.startsWith('sqlite:')
      ? 'the path must be absolute and name a file'
      : 'it is neither of the embedded store nor of etcd',
    mend: 'write sqlite: and the absolute path of a file, such as sqlite:/var/lib/cali/cali.db, or etcd://10.0.0.1:2379/cali',
  })
}
