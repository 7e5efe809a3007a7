/** The container network interface (CNI spec 1.1.0) as spoken between plugin and agent; plain types and codes, no parsing library, for the plugin must start fast. */

/** What the plugin hands to the agent, as it was called. */
export interface CniRequest {
  /** CNI_COMMAND and its companions; only variables that begin with CNI_. */
  readonly environment: Readonly<Record<string, string>>
  /** Standard input, undecoded. */
  readonly config: string
}

/** What the plugin prints, and how it exits. */
export interface CniReply {
  readonly exitCode: 0 | 1
  /** Printed on standard output as it is; empty prints nothing. */
  readonly body: Readonly<Record<string, unknown>> | null
}

/** Spec versions that results are given in. */
const CNI_VERSIONS = ['0.4.0', '1.0.0', '1.1.0'] as const
export type CniVersion = (typeof CNI_VERSIONS)[number]

/** CNI spec, "Error": well-known codes, and ours from 100 on. */
export const CNI_ERROR = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  undecodable: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: no ADD can be served. */
  notAvailable: 50,
  /** STATUS: no ADD can be served, and the pods that are there may not be reached. */
  limited: 51,
  addressesExhausted: 100,
  internal: 101,
  /** CHECK: something is not as ADD left it. */
  notAsAdded: 102,
} as const

export interface CniError {
  readonly cniVersion: string
  readonly code: number
  /** One sentence. */
  readonly msg: string
  /** What mends it, or the cause. */
  readonly details: string
}

export interface CniResult {
  readonly cniVersion: CniVersion
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[]
  readonly ips: readonly {
    /** Only in versions before 1.0.0. */
    readonly version?: '4'
    readonly address: string
    readonly gateway: string
    /** Index into `interfaces`. */
    readonly interface: number
  }[]
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[]
  readonly dns: Readonly<Record<string, never>>
}

/** The network configuration, as far as everybody needs it: decoded, of a version that is spoken here. */
export type NetworkConfig =
  | { readonly is: 'config'; readonly version: CniVersion; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly is: 'refused'; readonly reply: CniReply }

/** Decodes standard input; plugin and agent refuse the same things with the same words. */
export function readNetworkConfig(text: string): NetworkConfig {
  const refuse = (code: number, msg: string, details: string): NetworkConfig => ({
    is: 'refused',
    reply: cniFailure(LATEST, code, msg, details),
  })
  let decoded: unknown
  try {
    decoded = JSON.parse(text)
  } catch (reason) {
    return refuse(CNI_ERROR.undecodable, 'the network configuration is not JSON', String(reason))
  }
  if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded))
    return refuse(CNI_ERROR.invalidConfig, 'the network configuration is not an object', 'it looks like {"cniVersion":"1.0.0",…}')
  const fields: Readonly<Record<string, unknown>> = { ...decoded }
  const version = CNI_VERSIONS.find(known => known === fields['cniVersion'])
  if (version !== undefined) return { is: 'config', version, fields }
  const said = fields['cniVersion']
  // What is nested too deep cannot be printed.
  const words = said === undefined ? 'missing' : typeof said === 'object' ? 'not text' : JSON.stringify(said)
  return refuse(CNI_ERROR.incompatibleVersion, `cniVersion is ${words}`, `it must be one of ${CNI_VERSIONS.join(', ')}`)
}

const LATEST = '1.1.0'

export const SUPPORTED = { cniVersion: LATEST, supportedVersions: [...CNI_VERSIONS] }

export function cniFailure(cniVersion: string, code: number, msg: string, details: string): CniReply {
  const body: CniError = { cniVersion, code, msg, details }
  return { exitCode: 1, body: { ...body } }
}
