/** Reads a CNI call: environment and configuration checked whole, errors as the spec's codes. */

import { CNI_ERROR, CNI_VERSIONS, type CniReply, type CniRequest, type CniVersion, cniFailure } from '@network/model/cni.ts'
import { nameField } from '@network/model/resources/fields.ts'
import { isRecord } from '@network/model/resources/kind.ts'
import * as v from 'valibot'

/** One pod interface, as the runtime names it. */
export interface PodInterface {
  readonly containerId: string
  /** Interface inside the pod. */
  readonly ifName: string
  /** Kubernetes namespace, or `default`. */
  readonly namespace: string
  /** Pod name, or the container's id outside Kubernetes. */
  readonly pod: string
}

export type CniCall =
  | { readonly is: 'add'; readonly version: CniVersion; readonly pod: PodInterface; readonly netns: string }
  /** `netns` may be empty or gone: the runtime may have torn it down already. */
  | { readonly is: 'del'; readonly version: CniVersion; readonly pod: PodInterface }
  | { readonly is: 'refused'; readonly reply: CniReply }

// CNI spec 1.1.0, "Parameters": what a container id and an interface name may look like.
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
const IF_NAME = /^[^\s/:]{1,15}$/

export function readCniCall({ environment, config }: CniRequest): CniCall {
  const conf = decodeConfig(config)
  if (conf.is === 'refused') return conf
  const { version } = conf
  const refuse = (code: number, msg: string, details: string): CniCall => ({
    is: 'refused',
    reply: cniFailure(version, code, msg, details),
  })
  const command = environment.CNI_COMMAND
  if (command !== 'ADD' && command !== 'DEL')
    return refuse(CNI_ERROR.invalidEnvironment, `CNI_COMMAND is "${command}"`, 'this plugin knows ADD, DEL and VERSION')

  const containerId = environment.CNI_CONTAINERID ?? ''
  if (!CONTAINER_ID.test(containerId))
    return refuse(CNI_ERROR.invalidEnvironment, `CNI_CONTAINERID is "${containerId}"`, 'the runtime must name the container')
  const ifName = environment.CNI_IFNAME ?? ''
  if (!IF_NAME.test(ifName) || ifName === '.' || ifName === '..')
    return refuse(
      CNI_ERROR.invalidEnvironment,
      `CNI_IFNAME is "${ifName}"`,
      'it must be an interface name of 1 to 15 characters, such as eth0',
    )

  const named = podNames(environment.CNI_ARGS ?? '')
  const pod = { containerId, ifName, namespace: named.namespace ?? 'default', pod: named.pod ?? containerId.toLowerCase() }
  for (const name of [pod.namespace, named.pod].filter(name => name !== undefined))
    if (!v.is(nameField, name))
      return refuse(CNI_ERROR.invalidEnvironment, `CNI_ARGS names "${name}"`, 'that is no Kubernetes name')
  if (command === 'DEL') return { is: 'del', version, pod }

  const netns = environment.CNI_NETNS ?? ''
  if (!netns.startsWith('/'))
    return refuse(CNI_ERROR.invalidEnvironment, `CNI_NETNS is "${netns}"`, "ADD needs the path of the pod's network namespace")
  return { is: 'add', version, pod, netns }
}

function decodeConfig(
  text: string,
): { readonly is: 'decoded'; readonly version: CniVersion } | { readonly is: 'refused'; readonly reply: CniReply } {
  let conf: unknown
  try {
    conf = JSON.parse(text)
  } catch (reason) {
    return {
      is: 'refused',
      reply: cniFailure('1.0.0', CNI_ERROR.undecodable, 'the network configuration is not JSON', String(reason)),
    }
  }
  if (!isRecord(conf))
    return {
      is: 'refused',
      reply: cniFailure('1.0.0', CNI_ERROR.invalidConfig, 'the network configuration is not an object', typeof conf),
    }
  const version = CNI_VERSIONS.find(known => known === conf.cniVersion)
  if (version !== undefined) return { is: 'decoded', version }
  const details = `it must be one of ${CNI_VERSIONS.join(', ')}`
  return {
    is: 'refused',
    reply: cniFailure('1.0.0', CNI_ERROR.incompatibleVersion, `cniVersion is ${JSON.stringify(conf.cniVersion)}`, details),
  }
}

/** CNI_ARGS is `KEY=value;KEY=value`; unknown keys are other people's. */
function podNames(args: string): { namespace: string | undefined; pod: string | undefined } {
  const pairs = new Map(args.split(';').map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  return { namespace: pairs.get('K8S_POD_NAMESPACE'), pod: pairs.get('K8S_POD_NAME') }
}
