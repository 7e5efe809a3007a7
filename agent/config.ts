/** The agent's settings: flags over environment over file over defaults, checked whole before anything starts. */

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import { type Seconds, seconds } from '@network/base/time/units.ts'
import { CONFIG_FILE, datastoreAt } from '@network/datastore/where.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { addressField, asnField, nameField, unicastMacField } from '@network/model/resources/fields.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import { VXLAN_DEFAULTS, type VxlanSettings } from '@network/vxlan/settings.ts'
import * as v from 'valibot'
import { type AddressMethod, parseMethod } from './address-method.ts'

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
  /** The source address of the default route unless told. */
  readonly nodeIp: AddressMethod
  readonly datastore: string
  /** TCP; undefined offers no metrics but on the socket. */
  readonly metricsPort: number | undefined
  readonly runDir: string
  readonly asn: number
  /** Of BGP sessions; a dead peer is noticed after so long. */
  readonly holdTime: Seconds
  /** Peers besides the mesh. */
  readonly peers: readonly BgpPeerConfig[]
  readonly vxlan: VxlanSettings
  /** Of the VXLAN device; undefined: made from the node's name and id. */
  readonly vxlanMac: string | undefined
  /** Octets that fit on the way to the other nodes; undefined: as the routes to them say. */
  readonly mtu: number | undefined
}

/** What the agent keeps in its run directory; all of it is gone after a boot, like the kernel's state that it belongs to. */
export function filesOf({ runDir, nodeName }: Pick<Config, 'runDir' | 'nodeName'>) {
  const base = `${runDir}/${nodeName}`
  return {
    socket: `${base}.sock`,
    /** How settings were before the agent changed them. */
    former: `${base}.former.json`,
    /** What was last seen of the datastore. */
    copy: `${base}.copy.json`,
    /** What this node's pods have. */
    ledger: `${base}.ledger`,
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
  readonly metricsPort?: string
  readonly runDir?: string
  readonly config?: string
}

const someText = v.pipe(v.string('must be text'), v.minLength(1, 'must not be empty'))
const nodeAddress = v.pipe(
  v.string('must be text'),
  v.rawTransform(({ dataset, addIssue, NEVER }): AddressMethod => {
    const parsed = parseMethod(dataset.value)
    if (parsed.ok) return parsed.value
    addIssue({ message: parsed.says })
    return NEVER
  }),
)

const VNI = { min: 0, max: 16_777_215 }
/** Names of pods' interfaces begin so. */
const POD_PREFIX = 'cali'
const PORT = { min: 1, max: 65535 }
/** RFC 791: the least that every link carries; what an IPv4 packet can be at most. */
const MTU = { min: 576, max: 65535 }

function numberWithin({ min, max }: { readonly min: number; readonly max: number }, unit = '') {
  const of = unit === '' ? '' : ` ${unit}`
  return v.pipe(
    v.number('must be a number'),
    v.integer('must be a whole number'),
    v.minValue(min, `must be ${min} to ${max}${of}`),
    v.maxValue(max, `must be ${min} to ${max}${of}`),
  )
}

const portText = v.pipe(
  v.string('must be text'),
  v.regex(/^\d{1,5}$/, 'must be a number'),
  v.transform(Number),
  numberWithin(PORT),
)

const fileSchema = v.strictObject(
  {
    // Judged by `datastoreAt`.
    datastore: v.optional(v.union([v.string(), v.record(v.string(), v.unknown())], 'must be a URL or a mapping')),
    nodeName: v.optional(nameField),
    nodeId: v.optional(someText),
    nodeIP: v.optional(nodeAddress),
    metricsPort: v.optional(numberWithin(PORT)),
    runDir: v.optional(someText),
    mtu: v.optional(numberWithin(MTU, 'octets')),
    vxlan: v.optional(
      v.strictObject(
        {
          vni: v.optional(numberWithin(VNI)),
          port: v.optional(numberWithin(PORT)),
          device: v.optional(
            v.pipe(
              v.string('must be text'),
              v.regex(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}$/, 'must be a name of at most 15 letters, digits, "_", "." and "-"'),
              v.check(
                name => name !== 'lo' && name !== TUNNEL_DEVICE && !name.startsWith(POD_PREFIX),
                `must not be lo, ${TUNNEL_DEVICE} nor begin with "${POD_PREFIX}": these are other interfaces of a node`,
              ),
            ),
          ),
          mac: v.optional(unicastMacField),
        },
        'must be a mapping',
      ),
    ),
    bgp: v.optional(
      v.strictObject(
        {
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
            v.array(
              v.strictObject(
                { address: addressField, asNumber: asnField, name: v.optional(nameField) },
                'must be a mapping with address and asNumber',
              ),
              'must be a list',
            ),
          ),
        },
        'must be a mapping',
      ),
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
  const setBy = (setting: string) => `${setting} of ${path}`
  taken(nameField, nodeName, flags.nodeName === undefined && file.nodeName !== undefined ? setBy('nodeName') : '--node-name')
  const datastore = datastoreAt({ flag: flags.datastore, env: environment.CALI_DATASTORE, config: file })
  if (datastore.is === 'nonsense') throw refused(datastore.from.replace(CONFIG_FILE, path), datastore.says)
  return {
    nodeName,
    nodeId: taken(someText, flags.nodeId ?? file.nodeId ?? machineId(), '--node-id'),
    metricsPort: flags.metricsPort === undefined ? file.metricsPort : taken(portText, flags.metricsPort, '--metrics-port'),
    nodeIp: nodeIpFrom(flags, environment) ?? file.nodeIP ?? { is: 'default-route' },
    datastore: datastore.url,
    runDir: taken(someText, flags.runDir ?? file.runDir ?? DEFAULT_RUN_DIR, '--run-dir'),
    asn: file.bgp?.asNumber ?? DEFAULT_ASN,
    holdTime: seconds(file.bgp?.holdTime ?? HOLD_TIME.default),
    vxlan: {
      device: file.vxlan?.device ?? VXLAN_DEFAULTS.device,
      vni: file.vxlan?.vni ?? VXLAN_DEFAULTS.vni,
      port: file.vxlan?.port ?? VXLAN_DEFAULTS.port,
    },
    vxlanMac: file.vxlan?.mac,
    mtu: file.mtu,
    peers: (file.bgp?.peers ?? []).map(peer => ({
      name: peer.name ?? `peer-${peer.asNumber}`,
      address: peer.address,
      asn: peer.asNumber,
    })),
  }
}

function nodeIpFrom(flags: Flags, environment: Readonly<Record<string, string | undefined>>): AddressMethod | undefined {
  if (flags.nodeIp !== undefined) return taken(nodeAddress, flags.nodeIp, '--node-ip')
  const { CALI_NODE_IP: said } = environment
  return said === undefined || said === '' ? undefined : taken(nodeAddress, said, 'CALI_NODE_IP')
}

function readConfigFile(path: string, mustExist: boolean): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (reason) {
    if (!mustExist && reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return undefined
    throw refused('--config', reasonOf(reason))
  }
}

async function parseConfigFile(path: string, text: string | undefined): Promise<File> {
  if (text === undefined) return {}
  const { parse } = await import('yaml')
  let document: unknown
  try {
    document = parse(text) ?? {}
  } catch (reason) {
    // The lines after the first draw a picture of the place, which a log line cannot show.
    const [says = ''] = reasonOf(reason).split('\n')
    throw refused(path, `it is not YAML: ${says.replace(/:$/, '')}`)
  }
  if (!isRecord(document)) throw refused(path, 'the document must be a mapping, such as "nodeName: a1"')
  const result = v.safeParse(fileSchema, document)
  if (result.success) return result.output
  throw refused(
    path,
    result.issues
      .map(issue => `${issue.path?.map(item => String(item.key)).join('.') ?? 'the document'} ${sentenceOf(issue)}`)
      .join('; '),
  )
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  if (issue.expected === 'never') {
    const parent = (issue.path ?? []).slice(0, -1).map(item => item.key)
    return `is no setting; there are ${settingsIn(fileSchema, parent).join(', ')}`
  }
  return issue.received === 'undefined' ? 'is missing' : issue.message
}

/** The settings that there are at a place of the file. */
function settingsIn(schema: unknown, [first, ...rest]: readonly unknown[]): string[] {
  if (!isRecord(schema)) return []
  if (isRecord(schema['wrapped'])) return settingsIn(schema['wrapped'], [first, ...rest])
  if (isRecord(schema['item'])) return settingsIn(schema['item'], rest)
  if (!isRecord(schema['entries'])) return []
  return first === undefined ? Object.keys(schema['entries']) : settingsIn(schema['entries'][String(first)], rest)
}

/** The value as the schema takes it, or a fault that names the setting, what was said and what is wrong with it. */
function taken<T>(schema: v.GenericSchema<string, T>, text: string, setting: string): T {
  const parsed = v.safeParse(schema, text)
  if (parsed.success) return parsed.output
  const { message } = parsed.issues[0]
  throw refused(setting, message.includes(`"${text}"`) ? message : `"${text}" ${message}`)
}

function machineId(): string {
  let id: string
  try {
    id = readFileSync('/etc/machine-id', 'utf8').trim()
  } catch (reason) {
    throw refused(
      '--node-id',
      `/etc/machine-id cannot be read (${reasonOf(reason)}), and nothing else tells this machine from another: name one`,
    )
  }
  // What an image holds before its first boot is the same on every machine made from it.
  if (/^[0-9a-f]{32}$/.test(id)) return id
  throw refused('--node-id', `/etc/machine-id holds ${JSON.stringify(id)}, which tells no machine from another: name one`)
}

function refused(setting: string, says: string): Fault {
  return new Fault('config.refused', { doing: 'use the setting', on: setting, says })
}
