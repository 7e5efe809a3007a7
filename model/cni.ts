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
export const CNI_VERSIONS = ['0.4.0', '1.0.0', '1.1.0'] as const
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
  addressesExhausted: 100,
  internal: 101,
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

export const SUPPORTED = { cniVersion: '1.1.0', supportedVersions: [...CNI_VERSIONS] }

export function cniFailure(cniVersion: string, code: number, msg: string, details: string): CniReply {
  const body: CniError = { cniVersion, code, msg, details }
  return { exitCode: 1, body: { ...body } }
}
