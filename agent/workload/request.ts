/** Reads a CNI call: environment and configuration checked whole, errors as the spec's codes. */

import { createHash } from 'node:crypto'
import { CNI_ERROR, type CniReply, type CniRequest, type CniVersion, cniFailure, readNetworkConfig } from '@network/model/cni.ts'
import { nameField } from '@network/model/resources/fields.ts'
import * as v from 'valibot'
import { addressHandle } from './names.ts'

/** One pod interface, as the runtime names it. */
export interface PodInterface {
  readonly containerId: string
  /** Interface inside the pod. */
  readonly ifName: string
  /** Kubernetes namespace, or `default`. */
  readonly namespace: string
  /** Pod name, or one made of the container's id outside Kubernetes. */
  readonly pod: string
  /** Name of the CNI network; empty where no CNI call made the interface. */
  readonly network: string
}

/** What an ADD printed, as the runtime gives it back. */
export type PreviousResult = v.InferOutput<typeof previousResult>

export type CniCall =
  | { readonly is: 'add'; readonly version: CniVersion; readonly pod: PodInterface; readonly netns: string }
  | {
      readonly is: 'check'
      readonly version: CniVersion
      readonly pod: PodInterface
      readonly netns: string
      readonly previous: PreviousResult
    }
  /** The namespace may be gone: the runtime may have torn it down already. */
  | { readonly is: 'del'; readonly version: CniVersion; readonly pod: PodInterface }
  /** `valid` are the handles of the attachments that stay. */
  | { readonly is: 'gc'; readonly version: CniVersion; readonly network: string; readonly valid: ReadonlySet<string> }
  | { readonly is: 'status'; readonly version: CniVersion }
  | { readonly is: 'refused'; readonly reply: CniReply }

/** Reads what the plugin sent; another sender may send anything. */
export function readCniRequest(body: string): CniCall {
  const sent = v.safeParse(request, decoded(body))
  if (sent.success) return readCniCall(sent.output)
  const details = 'POST /cni takes {"environment":{"CNI_COMMAND":…},"config":"…"}, as the plugin of this release sends it'
  return { is: 'refused', reply: cniFailure('1.1.0', CNI_ERROR.undecodable, 'that is no call of the CNI plugin', details) }
}

/** Reads a call as the runtime made it. */
export function readCniCall({ environment, config }: CniRequest): CniCall {
  const read = readNetworkConfig(config)
  if (read.is === 'refused') return read
  const { version, fields } = read
  const refuse = (code: number, msg: string, details: string): CniCall => ({
    is: 'refused',
    reply: cniFailure(version, code, msg, details),
  })
  const command = COMMANDS.find(known => known === environment['CNI_COMMAND'])
  if (command === undefined)
    return refuse(
      CNI_ERROR.invalidEnvironment,
      `CNI_COMMAND is "${environment['CNI_COMMAND'] ?? ''}"`,
      `this plugin knows ${COMMANDS.join(', ')} and VERSION`,
    )
  if ((command === 'GC' || command === 'STATUS') && version !== '1.1.0')
    return refuse(CNI_ERROR.incompatibleVersion, `cniVersion ${version} has no ${command}`, 'it came with 1.1.0')
  const { name: network } = fields
  if (typeof network !== 'string' || !NETWORK.test(network))
    return refuse(
      CNI_ERROR.invalidConfig,
      `the network's name is ${JSON.stringify(network) ?? 'missing'}`,
      '"name" must begin with a letter or digit and go on with those, "_", "." and "-"',
    )
  if (command === 'STATUS') return { is: 'status', version }
  if (command === 'GC') {
    const listed = v.safeParse(attachments, fields['cni.dev/valid-attachments'])
    // Taking a list that is missing for an empty one would unplug every pod of the node.
    if (!listed.success)
      return refuse(CNI_ERROR.invalidConfig, `cni.dev/valid-attachments ${sentenceOf(listed.issues)}`, VALID_ATTACHMENTS)
    const valid = listed.output.map(({ containerID, ifname }) => addressHandle({ containerId: containerID, ifName: ifname }))
    return { is: 'gc', version, network, valid: new Set(valid) }
  }
  const named = podInterface(environment, network)
  if (named.is === 'wrong') return refuse(CNI_ERROR.invalidEnvironment, named.says, named.mend)
  const { pod } = named
  if (command === 'DEL') return { is: 'del', version, pod }
  const netns = environment['CNI_NETNS'] ?? ''
  if (!netns.startsWith('/'))
    return refuse(
      CNI_ERROR.invalidEnvironment,
      `CNI_NETNS is "${netns}"`,
      `${command} needs the path of the pod's network namespace`,
    )
  if (command === 'ADD') return { is: 'add', version, pod, netns }
  const previous = v.safeParse(previousResult, fields['prevResult'])
  if (previous.success) return { is: 'check', version, pod, netns, previous: previous.output }
  const details = 'CHECK needs the result of the ADD before it, with "interfaces" and "ips"'
  return refuse(CNI_ERROR.invalidConfig, `prevResult ${sentenceOf(previous.issues)}`, details)
}

const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const
// CNI spec 1.1.0, sections 1 and 2: what a network's name, a container id and an interface name may look like.
const NETWORK = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
const IF_NAME = /^[^\s/:]{1,15}$/
const VALID_ATTACHMENTS =
  'GC needs the list of what stays: [{"containerID":"…","ifname":"eth0"}]; an empty list stands for nothing'

const text = v.string('must be text')
const request = v.object({ environment: v.record(text, text), config: text })
const attachments = v.array(v.looseObject({ containerID: text, ifname: text }, 'must hold objects'), 'must be a list')
const previousResult = v.looseObject(
  {
    interfaces: v.array(
      v.looseObject({ name: text, mac: v.optional(text), sandbox: v.optional(text) }, 'must hold objects'),
      'must be a list',
    ),
    ips: v.array(
      v.looseObject({ address: text, interface: v.nullish(v.number('must be a number')) }, 'must hold objects'),
      'must be a list',
    ),
  },
  'must be an object',
)

function decoded(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function sentenceOf(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  const [issue] = issues
  const at = issue.path?.map(item => String(item.key)).join('.')
  const says = issue.received === 'undefined' ? 'is missing' : issue.message
  return at === undefined ? says : `is wrong: ${at} ${says}`
}

type Named =
  | { readonly is: 'named'; readonly pod: PodInterface }
  | { readonly is: 'wrong'; readonly says: string; readonly mend: string }

function podInterface(environment: Readonly<Record<string, string>>, network: string): Named {
  const containerId = environment['CNI_CONTAINERID'] ?? ''
  if (!CONTAINER_ID.test(containerId))
    return { is: 'wrong', says: `CNI_CONTAINERID is "${containerId}"`, mend: 'the runtime must name the container' }
  const ifName = environment['CNI_IFNAME'] ?? ''
  if (!IF_NAME.test(ifName) || ifName === '.' || ifName === '..')
    return {
      is: 'wrong',
      says: `CNI_IFNAME is "${ifName}"`,
      mend: 'it must be an interface name of 1 to 15 characters, such as eth0',
    }
  const named = podNames(environment['CNI_ARGS'] ?? '')
  for (const name of [named.namespace, named.pod])
    if (name !== undefined && !isName(name))
      return { is: 'wrong', says: `CNI_ARGS names "${name}"`, mend: 'that is no Kubernetes name' }
  const { namespace = 'default', pod = podOf(containerId) } = named
  return { is: 'named', pod: { containerId, ifName, namespace, pod, network } }
}

/** CNI_ARGS is `KEY=value;KEY=value`; unknown keys are other people's. */
function podNames(args: string): { readonly namespace: string | undefined; readonly pod: string | undefined } {
  const pairs = new Map(args.split(';').map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  return { namespace: pairs.get('K8S_POD_NAMESPACE'), pod: pairs.get('K8S_POD_NAME') }
}

/** A container's id as a name: what names cannot hold is replaced, and a digest keeps two ids apart that would look alike. */
function podOf(containerId: string): string {
  if (isName(containerId)) return containerId
  const legible = containerId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '-')
    .slice(0, 40)
  return `${legible}-${createHash('sha1').update(containerId).digest('hex').slice(0, 8)}`
}

function isName(text: string): boolean {
  return v.safeParse(nameField, text).success
}
