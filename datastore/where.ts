/** Which datastore to use: one answer for agent and calictl, whatever the order in which they learn of it. */

import { isRecord } from '@network/model/resources/kind.ts'

export const CONFIG_FILE = '/etc/cali/cali.yaml'
export const DEFAULT_DATASTORE = 'sqlite:/var/lib/cali/cali.db'

/** Where an answer may come from; undefined is "does not say". */
export interface Sayings {
  /** `--datastore`. */
  readonly flag: string | undefined
  /** `CALI_DATASTORE`. */
  readonly env: string | undefined
  /** The parsed configuration file; undefined when there is none. */
  readonly config: unknown
}

export type Whereabouts =
  | { readonly is: 'known'; readonly url: string; readonly from: string }
  /** Something was said, and it cannot be a datastore: falling back to another store would hide it. */
  | { readonly is: 'nonsense'; readonly from: string; readonly says: string }

/** The flag wins over the environment, that over the file, that over the default. An empty variable counts as unset. */
export function datastoreAt({ flag, env, config }: Sayings): Whereabouts {
  if (flag !== undefined) return named(flag, '--datastore')
  if (env !== undefined && env !== '') return named(env, 'CALI_DATASTORE')
  if (config !== undefined && config !== null && !isRecord(config))
    return {
      is: 'nonsense',
      from: CONFIG_FILE,
      says: 'the file must hold settings such as "datastore: sqlite:/var/lib/cali/cali.db"',
    }
  const setting = isRecord(config) ? config.datastore : undefined
  if (setting !== undefined) return named(setting, `${CONFIG_FILE}, datastore`)
  return { is: 'known', url: DEFAULT_DATASTORE, from: 'default' }
}

function named(url: unknown, from: string): Whereabouts {
  if (typeof url === 'string' && /^[a-z][a-z0-9+]*:./.test(url)) return { is: 'known', url, from }
  return { is: 'nonsense', from, says: `${JSON.stringify(url)} is not a datastore such as ${DEFAULT_DATASTORE}` }
}
