/** The cluster made of network namespaces, as tests and the demo hold it. */

import type { Clock } from '@network/base/time/clock.ts'
import type { Options, ResultPromise } from 'execa'
import type { NodePlan, PodPlan, Topology } from './topology.ts'

export interface LabOptions {
  /** False builds the bare nodes: no agents, no pool, no pods on the network. */
  readonly agents?: boolean
  /** The one pool, made with calictl; its mode is `Never` where the kernel has no ipip. */
  readonly pool?: { readonly cidr: string; readonly ipip: 'Always' | 'CrossSubnet' | 'Never' }
  /** net.ipv4.conf.{all,default}.rp_filter of every node as a distribution sets it: Debian 0, Ubuntu 2 (the default here). */
  readonly rpFilter?: 0 | 1 | 2
  readonly clock?: Clock
  /** Hears of each step, in one line of text. */
  readonly say?: (line: string) => void
}

/** How a command ended; a failure is a value here, for tests assert on it. */
export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

export interface LabPod extends PodPlan {
  /** Of its eth0, without length: known from the CNI result. */
  readonly address: string
}

export interface Lab extends AsyncDisposable {
  readonly topology: Topology
  readonly nodes: readonly NodePlan[]
  /** Those that are on the network now, with their addresses. */
  readonly pods: readonly LabPod[]
  /** Whether this kernel can tunnel: `tunl0` is in every node. */
  readonly hasIpip: boolean
  readonly clock: Clock
  /** `/run/cali`: agents' sockets, the store, logs. */
  readonly runDir: string
  readonly agents: Agents
  pod(name: string): LabPod
  node(name: string): NodePlan
  /** Runs a command in a node, a pod or `router`, to its end (30 s at most unless told). */
  exec(where: string, argv: readonly string[], options?: ExecOptions): Promise<Outcome>
  /** Starts a command and leaves it running; the lab ends it with itself. */
  spawnIn(where: string, argv: readonly string[], options?: Options): ResultPromise
  calictl(argv: readonly string[]): Promise<Outcome>
  /** `calictl … -o json`, parsed; a failure throws with calictl's own sentence. */
  calictlJson(argv: readonly string[]): Promise<unknown>
  /** Makes the pod's namespace and has the CNI plugin wire it; throws with the plugin's error. */
  cniAdd(node: string, pod: string): Promise<LabPod>
  /** Has the CNI plugin unwire the pod and removes its namespace. */
  cniDel(node: string, pod: string): Promise<void>
  /** The plugin's raw answer to any command: what a container runtime sees. */
  cni(command: string, node: string, pod: string): Promise<Outcome>
  /** `ip -j route show table main`, parsed. */
  routes(where: string): Promise<readonly RouteRow[]>
  /** `ip -j <args>`, parsed. */
  ip(where: string, args: readonly string[]): Promise<unknown>
}

export interface ExecOptions {
  readonly input?: string
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
}

export interface Agents {
  /** Starts the node's agent; resolves when its socket answers. */
  start(node: string): Promise<void>
  /** Sends the signal (SIGTERM unless told) and resolves when the process is gone. */
  kill(node: string, signal?: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<void>
  restart(node: string): Promise<void>
  /** Undefined while it does not run. */
  pid(node: string): number | undefined
  /** All that it ever logged. */
  log(node: string): string
}

/** One row of `ip -j route`: the fields that tests look at. */
export interface RouteRow {
  readonly dst: string
  readonly type?: string
  readonly gateway?: string
  readonly dev?: string
  readonly protocol?: string
  readonly scope?: string
  readonly metric?: number
  readonly prefsrc?: string
  readonly flags: readonly string[]
}
