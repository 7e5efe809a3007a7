/** From an etcd URL to an etcd store; loaded only where it is wanted, for its libraries are heavy. */

import { readFile } from 'node:fs/promises'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { type Log, silentLog } from '@network/base/run/log.ts'
import type { Clock, Random } from '@network/base/time/clock.ts'
import { EtcdStore } from './store.ts'
import { etcdTarget, nameOf } from './target.ts'

/** Reads what the URL names, and asks nothing yet: an etcd that is away is told by the first call. */
export async function openEtcd(
  url: string,
  { clock, random, log = silentLog }: { readonly clock: Clock; readonly random: Random; readonly log?: Log },
): Promise<EtcdStore> {
  const target = etcdTarget(url)
  const { members, tls, prefix, username, files } = target
  const [password, ca, cert, key] = await Promise.all([files.password, files.ca, files.cert, files.key].map(contentOf))
  return new EtcdStore({
    name: nameOf(target),
    members,
    tls,
    prefix,
    credentials:
      ca === undefined ? undefined : { rootCertificate: ca, ...(key && cert ? { privateKey: key, certChain: cert } : {}) },
    auth: username === undefined ? undefined : { username, password: password?.toString().replace(/\r?\n$/, '') ?? '' },
    clock,
    random,
    log,
  })
}

async function contentOf(path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (cause) {
    const mend = 'see that the file is there and may be read by this user'
    throw new Fault('datastore.credentials', { doing: 'read', on: path, says: reasonOf(cause), mend }, { cause })
  }
}
