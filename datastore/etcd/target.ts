/** Where an etcd is and how to be let in: `etcd://host:2379,host2:2379/prefix`, or `etcds://` for TLS; pure. */

import { Fault } from '@network/base/run/fault.ts'
import { said } from '../said.ts'

export interface EtcdTarget {
  /** `host:port`, at least one. */
  readonly members: readonly string[]
  readonly tls: boolean
  /** What every key begins with there; begins with a slash and does not end with one, or is empty. */
  readonly prefix: string
  readonly username: string | undefined
  readonly files: Files
}

/** Paths; undefined where not given. */
export interface Files {
  readonly password: string | undefined
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

const EXAMPLE = 'etcd://10.0.0.1:2379,10.0.0.2:2379/cali'
const DEFAULT_PORT = 2379
const PARAMETERS = ['username', 'passwordFile', 'caCertFile', 'certFile', 'keyFile']
const SHAPE = /^(etcds?):\/\/([^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?$/
const MEMBER = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/

/** Reads a URL; one that cannot be is a Fault `datastore.url`. */
export function etcdTarget(url: string): EtcdTarget {
  const [, scheme, hosts = '', path = '', query = ''] = SHAPE.exec(url) ?? []
  if (scheme === undefined) throw refused(url, 'it must name at least one member and may name a prefix')
  if (hosts.includes('@'))
    throw refused(url, 'a password does not belong into a URL, which everybody sees: use username and passwordFile')
  const parameters = readParameters(url, query)
  const target: EtcdTarget = {
    members: hosts.split(',').map(host => memberOf(url, host)),
    tls: scheme === 'etcds',
    prefix: path.replace(/\/+$/, ''),
    username: parameters.get('username'),
    files: {
      password: parameters.get('passwordFile'),
      ca: parameters.get('caCertFile'),
      cert: parameters.get('certFile'),
      key: parameters.get('keyFile'),
    },
  }
  mustAgree(url, target)
  return target
}

/** Without credentials: how the store is called in messages. */
export function nameOf({ members, tls, prefix }: EtcdTarget): string {
  return `${tls ? 'etcds' : 'etcd'}://${members.join(',')}${prefix}`
}

function readParameters(url: string, query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (!PARAMETERS.includes(name)) throw refused(url, `it has no parameter "${name}", only ${PARAMETERS.join(', ')}`)
    if (value === '' || parameters.has(name)) throw refused(url, `the parameter ${name} must be given once and not be empty`)
    parameters.set(name, value)
  }
  return parameters
}

function memberOf(url: string, text: string): string {
  const [, host, , port = String(DEFAULT_PORT)] = MEMBER.exec(text) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw refused(url, `"${text}" is not a member such as 10.0.0.1:2379`)
  return `${host}:${port}`
}

function mustAgree(url: string, { tls, username, files }: EtcdTarget): void {
  const { password, ca, cert, key } = files
  if (!tls && [ca, cert, key].some(file => file !== undefined)) throw refused(url, 'certificates need etcds://')
  if ((cert === undefined) !== (key === undefined)) throw refused(url, 'certFile and keyFile go together')
  if (cert !== undefined && ca === undefined) throw refused(url, 'certFile needs caCertFile too')
  if ((username === undefined) !== (password === undefined)) throw refused(url, 'username and passwordFile go together')
}

function refused(url: string, says: string): Fault {
  return new Fault('datastore.url', {
    doing: 'open datastore',
    on: said(url),
    says,
    mend: `write for example ${EXAMPLE}`,
  })
}
