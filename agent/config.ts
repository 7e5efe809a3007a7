/** The agent's settings: flags over environment over file over defaults, checked whole before anything starts. */

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { type Seconds, seconds } from '@network/base/time/units.ts'
import { CONFIG_FILE, datastoreAt } from '@network/datastore/where.ts'
import { addressField, asnField, nameField } from '@network/model/resources/fields.ts'
import * as v from 'valibot'

export const DEFAULT_RUN_DIR = '/run/cali'
/** First of the private range, and Calico's default. */
export const DEFAULT_ASN = 64512
const HOLD_TIME = { default: 30, min: 3, max: 65535 }

export interface BgpPeerConfig {
  readonly name: string
  readonly address: Ipv4
  readonly asn: number
}

export interface Config {
  readonly nodeName: string
  readonly nodeId: string
  /** Undefined: the source address of the default route. */
  readonly nodeIp: Ipv4 | undefined
  readonly datastore: string
  readonly runDir: string
  readonly asn: number
  /** Of BGP sessions; a dead peer is noticed after so long. */
  readonly holdTime: Seconds
  /** Peers besides the mesh. */
  readonly peers: readonly BgpPeerConfig[]
}

/** What the agent keeps in its run directory; all of it is gone after a boot, like the kernel's state that it belongs to. */
export function filesOf({ runDir, nodeName }: Pick<Config, 'runDir' | 'nodeName'>) {
  const base = `${runDir}/${nodeName}`
  return {
    socket: `${base}.sock`,
    /** How settings were before the agent changed them. */
    former: `${base}.former.json`,
    /** Directory: attachments begun and not finished. */
    unfinished: `${base}.unfinished`,
  }
}

/** As given on the command line; undefined where it was not. */
export interface Flags {
  readonly nodeName?: string
  readonly nodeId?: string
  readonly nodeIp?: string
  readonly datastore?: string
  readonly runDir?: string
  readonly config?: string
}

const fileSchema = v.strictObject(
  {
    datastore: v.optional(v.string('must be text')),
    nodeName: v.optional(nameField),
    nodeId: v.optional(v.string('must be text')),
    nodeIP: v.optional(addressField),
    runDir: v.optional(v.string('must be text')),
    bgp: v.optional(
      v.strictObject({
        asNumber: v.optional(asnField),
        holdTime: v.optional(
          v.pipe(
            v.number('must be a number of seconds'),
            v.integer('must be a whole number of seconds'),
            v.minValue(HOLD_TIME.min, `must be at least ${HOLD_TIME.min} seconds`),
            v.maxValue(HOLD_TIME.max, `must be at most ${HOLD_TIME.max} seconds`),
          ),
        ),
        peers: v.optional(
          v.array(v.strictObject({ address: addressField, asNumber: asnField, name: v.optional(nameField) }), 'must be a list'),
        ),
      }),
    ),
  },
  'must be a mapping',
)
type File = v.InferOutput<typeof fileSchema>

/** Reads and joins all sources; every fault names the setting and the mend. */
export async function loadConfig(flags: Flags, environment: Readonly<Record<string, string | undefined>>): Promise<Config> {
  const path = flags.config ?? CONFIG_FILE
  const text = readConfigFile(path, flags.config !== undefined)
  const file = await parseConfigFile(path, text)
  const nodeName = flags.nodeName ?? file.nodeName ?? hostname().toLowerCase()
  const named = v.safeParse(nameField, nodeName)
  if (!named.success) throw refused('--node-name', `"${nodeName}" ${named.issues[0].message}`)
  const datastore = datastoreAt({ flag: flags.datastore, env: environment.CALI_DATASTORE, config: file })
  if (datastore.is === 'nonsense') throw refused(datastore.from, datastore.says)
  return {
    nodeName,
    nodeId: flags.nodeId ?? file.nodeId ?? machineId(),
    nodeIp: flags.nodeIp === undefined ? file.nodeIP : addressFlag(flags.nodeIp),
    datastore: datastore.url,
    runDir: flags.runDir ?? file.runDir ?? DEFAULT_RUN_DIR,
    asn: file.bgp?.asNumber ?? DEFAULT_ASN,
    holdTime: seconds(file.bgp?.holdTime ?? HOLD_TIME.default),
    peers: (file.bgp?.peers ?? []).map(peer => ({
      name: peer.name ?? `peer-${peer.asNumber}`,
      address: peer.address,
      asn: peer.asNumber,
    })),
  }
}

function readConfigFile(path: string, mustExist: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (reason) {
    if (!mustExist && reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return undefined
    throw refused(path, reasonOf(reason))
  }
}

async function parseConfigFile(path: string, text: string | undefined): Promise<File> {
  if (text === undefined) return {}
  const { parse } = await import('yaml')
  let document: unknown
  try {
    document = parse(text) ?? {}
  } catch (reason) {
    throw refused(path, reasonOf(reason))
  }
  const result = v.safeParse(fileSchema, document)
  if (result.success) return result.output
  throw refused(
    path,
    result.issues
      .map(issue => `${issue.path?.map(item => String(item.key)).join('.') ?? 'document'}: ${sentenceOf(issue)}`)
      .join('; '),
  )
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') return 'no such setting'
  return issue.received === 'undefined' ? 'is missing' : issue.message
}

function addressFlag(text: string): Ipv4 {
  const parsed = v.safeParse(addressField, text)
  if (!parsed.success) throw refused('--node-ip', parsed.issues[0].message)
  return parsed.output
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch (reason) {
    throw refused(
      '--node-id',
      `/etc/machine-id cannot be read (${reasonOf(reason)}), and nothing else tells this machine from another`,
    )
  }
}

function refused(setting: string, says: string): Fault {
  return new Fault('config.refused', { doing: 'use the setting', on: setting, says })
}
