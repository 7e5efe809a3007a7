/** Which datastore to use: one answer for agent and calictl, whatever the order in which they learn of it. */

import { isRecord } from '@network/model/resources/kind.ts'
import { said } from './said.ts'

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
  if (isRecord(url)) return etcdSettings(url, from)
  if (typeof url === 'string' && /^[a-z][a-z0-9+]*:./.test(url)) return { is: 'known', url, from }
  return { is: 'nonsense', from, says: `${said(url)} is not a datastore such as ${DEFAULT_DATASTORE}` }
}

/** Calico's names of what an etcd URL holds, without their prefix. */
const SETTINGS = ['endpoints', 'prefix', 'username', 'passwordFile', 'caCertFile', 'certFile', 'keyFile']
const SHAPE =
  'a datastore is a URL, or "etcd:" with endpoints such as [https://10.0.0.1:2379], and prefix, username, passwordFile, caCertFile, certFile, keyFile where wanted'

/** The mapping of the file as a URL: `etcd: {endpoints: [https://10.0.0.1:2379], prefix: /cali}`. */
function etcdSettings(mapping: Record<string, unknown>, from: string): Whereabouts {
  const nonsense = (says: string): Whereabouts => ({ is: 'nonsense', from, says })
  const { etcd, ...others } = mapping
  if (!isRecord(etcd) || Object.keys(others).length > 0) return nonsense(SHAPE)
  const unknown = Object.keys(etcd).filter(key => !SETTINGS.includes(key))
  if (unknown.length > 0) return nonsense(`etcd has no setting ${unknown.join(', ')}; ${SHAPE}`)
  const { endpoints, prefix = '', ...parameters } = etcd
  if (!Array.isArray(endpoints) || endpoints.length === 0) return nonsense(`endpoints are missing; ${SHAPE}`)
  const members = endpoints.map(endpoint => /^(https?):\/\/([^/?#@]+)\/?$/.exec(String(endpoint)))
  const schemes = new Set(members.map(member => member?.[1]))
  if (schemes.has(undefined) || schemes.size > 1)
    return nonsense(`endpoints must all begin with http:// or all with https:// and name a host and port, not ${said(endpoints)}`)
  if (typeof prefix !== 'string' || !/^(\/[^?#]*)?$/.test(prefix)) return nonsense('the prefix must begin with a slash')
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value !== 'string' || value === '') return nonsense(`${name} must be text`)
    query.set(name, value)
  }
  const hosts = members.map(member => member?.[2]).join(',')
  const asked = query.size === 0 ? '' : `?${query}`
  return { is: 'known', url: `${schemes.has('https') ? 'etcds' : 'etcd'}://${hosts}${prefix}${asked}`, from }
}
