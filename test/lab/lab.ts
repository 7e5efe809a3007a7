/** The cluster made of network namespaces, as tests and the demo hold it. */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '@network/base/run/fault.ts'
import { type Clock, systemClock } from '@network/base/time/clock.ts'
import { type Agents, processAgents } from './agents.ts'
import {
  ENVIRONMENT,
  type ExecOptions,
  execIn,
  mustIn,
  type Outcome,
  type RunningCommand,
  startIn,
  unknownPlace,
} from './command.ts'
import { addNamespace, buildFabric, removeFabric } from './fabric.ts'
import { FRESH_MARK, NETNS_DIR, PROJECT, program, RUN_DIR } from './paths.ts'
import { callCni, unwirePod, wirePod } from './pods.ts'
import { type NodePlan, type PodPlan, ROUTER, type Topology } from './topology.ts'

export interface LabOptions {
  /** False builds the bare nodes: no agents, no pool, no pods on the network. */
  readonly agents?: boolean
  /** The one pool, made with calictl; 10.244.0.0/16, CrossSubnet unless told, and always `Never` where the kernel has no ipip. */
  readonly pool?: PoolPlan
  /** The configuration file of every agent, as YAML; none unless told. */
  readonly agentConfig?: string
  /** Said to every agent besides, and of two of one kind the last counts. */
  readonly agentFlags?: readonly string[]
  /** net.ipv4.conf.*.rp_filter of every node as a distribution sets it: Debian 0, Ubuntu 2 (the default here). */
  readonly rpFilter?: 0 | 1 | 2
  /** A shell script for each node, run before anything of ours is there: what an operator set up before. */
  readonly prepare?: (node: NodePlan) => string
  /** Starts the datastore, once the bare nodes are there, and returns its URL; one embedded store for all unless told. */
  readonly datastore?: () => Promise<string>
  readonly clock?: Clock
  /** Hears of each step, in one line of text. */
  readonly say?: (line: string) => void
}

export interface PoolPlan {
  readonly cidr: string
  readonly ipip: 'Always' | 'CrossSubnet' | 'Never'
  /** Instead of IPIP. */
  readonly vxlan?: 'Always' | 'CrossSubnet'
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
  spawnIn(where: string, argv: readonly string[]): RunningCommand
  calictl(argv: readonly string[]): Promise<Outcome>
  /** What calictl printed; a failure throws with its own sentence. */
  mustCalictl(argv: readonly string[]): Promise<string>
  /** `calictl … -o json`, parsed; a failure throws with calictl's own sentence. */
  calictlJson(argv: readonly string[]): Promise<unknown>
  /** Makes the pod's namespace, if need be, and has the CNI plugin wire it; throws with the plugin's sentence. */
  cniAdd(node: string, pod: string): Promise<LabPod>
  /** Has the CNI plugin unwire the pod and removes its namespace. */
  cniDel(node: string, pod: string): Promise<void>
  /** The plugin's raw answer to any command: what a container runtime sees. */
  cni(command: string, node: string, pod: string): Promise<Outcome>
  /** `ip -j route show`, parsed: table main. */
  routes(where: string): Promise<readonly RouteRow[]>
  /** `ip -j <args>`, parsed. */
  ip(where: string, args: readonly string[]): Promise<unknown>
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

const DEFAULT_POOL: PoolPlan = { cidr: '10.244.0.0/16', ipip: 'CrossSubnet' }

/** Builds a lab in the present namespaces, which must be fresh (fresh.sh makes them): one at a time. */
export async function createLab(topology: Topology, options: LabOptions = {}): Promise<Lab> {
  mustBeFresh()
  const { rpFilter = 2, say = silent } = options
  mkdirSync(join(RUN_DIR, 'bin'), { recursive: true })
  symlinkSync(join(PROJECT, 'calictl', 'calictl'), join(RUN_DIR, 'bin', 'calictl'))
  await buildFabric(topology, rpFilter)
  const { prepare, datastore } = options
  if (datastore !== undefined) ENVIRONMENT.CALI_DATASTORE = await datastore()
  if (prepare !== undefined) await Promise.all(topology.nodes.map(node => mustIn(node.name, ['sh', '-ec', prepare(node)])))
  const lab = new NamespaceLab(topology, options.clock ?? systemClock, await hasTunnel(topology), agentSettings(options))
  say(
    `${topology.nodes.length} nodes in ${topology.racks.length} racks, ${topology.racks.map(rack => rack.subnet).join(' and ')}`,
  )
  if (options.agents === false) return lab
  try {
    await populate(lab, options.pool ?? DEFAULT_POOL, say)
  } catch (reason) {
    await lab[Symbol.asyncDispose]()
    throw reason
  }
  return lab
}

function agentSettings({ agentConfig, agentFlags = [] }: LabOptions): readonly string[] {
  if (agentConfig === undefined) return agentFlags
  const file = join(RUN_DIR, 'cali.yaml')
  writeFileSync(file, agentConfig)
  return ['--config', file, ...agentFlags]
}

function mustBeFresh(): void {
  const mend = 'run it by "sh test/lab/fresh.sh COMMAND"'
  const act = { doing: 'build', on: 'a lab', mend }
  if (!existsSync(FRESH_MARK)) throw new Fault('lab.not-fresh', { ...act, says: 'these are not namespaces of its own' })
  if (existsSync(RUN_DIR)) throw new Fault('lab.not-fresh', { ...act, says: 'there is one already in these namespaces' })
}

/** The kernel puts tunl0 into every namespace once it has ipip. */
async function hasTunnel(topology: Topology): Promise<boolean> {
  const [first] = topology.nodes
  return first !== undefined && (await execIn(first.name, ['ip', 'link', 'show', 'tunl0'])).exitCode === 0
}

/** Agents, then the pool, then pods: the order in which an operator meets them. */
async function populate(lab: NamespaceLab, wanted: PoolPlan, say: (line: string) => void): Promise<void> {
  const { nodes, pods } = lab.topology
  await Promise.all(nodes.map(node => lab.agents.start(node.name)))
  say(`${nodes.length} agents answer`)
  const ipip = lab.hasIpip ? wanted.ipip : 'Never'
  if (ipip !== wanted.ipip)
    say(`this kernel has no ipip: the pool is made with mode Never, not ${wanted.ipip}; racks do not reach each other's pods`)
  const tunnel = wanted.vxlan === undefined ? ['--ipip', ipip] : ['--vxlan', wanted.vxlan]
  await lab.mustCalictl(['ippool', 'create', 'default', '--cidr', wanted.cidr, ...tunnel])
  say(`pool default ${wanted.cidr}, ${tunnel.join(' ').slice(2)}`)
  await Promise.all(pods.map(pod => lab.cniAdd(pod.node, pod.name)))
  say(`${pods.length} pods are on the network`)
}

class NamespaceLab implements Lab {
  readonly topology: Topology
  readonly clock: Clock
  readonly hasIpip: boolean
  readonly agents: Agents
  readonly runDir = RUN_DIR
  readonly #pods = new Map<string, LabPod>()
  readonly #running = new Set<RunningCommand>()

  constructor(topology: Topology, clock: Clock, hasIpip: boolean, agentFlags: readonly string[]) {
    this.topology = topology
    this.clock = clock
    this.hasIpip = hasIpip
    this.agents = processAgents(topology.nodes, clock, agentFlags)
  }

  get nodes(): readonly NodePlan[] {
    return this.topology.nodes
  }

  /** In the topology's order, whatever order they came in; those made later follow. */
  get pods(): readonly LabPod[] {
    const planned = new Set(this.topology.pods.map(pod => pod.name))
    const later = [...this.#pods.values()].filter(pod => !planned.has(pod.name))
    return [...[...planned].flatMap(name => this.#pods.get(name) ?? []), ...later]
  }

  pod(name: string): LabPod {
    const found = this.#pods.get(name)
    if (found === undefined) throw unknownPlace(name, [...this.#pods.keys()])
    return found
  }

  node(name: string): NodePlan {
    const found = this.nodes.find(node => node.name === name)
    if (found === undefined)
      throw unknownPlace(
        name,
        this.nodes.map(node => node.name),
      )
    return found
  }

  exec(where: string, argv: readonly string[], options?: ExecOptions): Promise<Outcome> {
    return execIn(where, argv, options)
  }

  spawnIn(where: string, argv: readonly string[]): RunningCommand {
    const command = startIn(where, argv)
    this.#running.add(command)
    void command.ended.then(() => this.#running.delete(command))
    return command
  }

  calictl(argv: readonly string[]): Promise<Outcome> {
    return execIn(ROUTER, [...program('calictl'), ...argv])
  }

  async mustCalictl(argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.calictl(argv)
    if (exitCode === 0) return stdout
    throw new Fault('lab.calictl', {
      doing: 'run',
      on: `calictl ${argv.join(' ')}`,
      says: stderr.trim() || `exit status ${exitCode}`,
    })
  }

  async calictlJson(argv: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.mustCalictl([...argv, '-o', 'json']))
  }

  async cniAdd(node: string, name: string): Promise<LabPod> {
    this.node(node)
    if (!hasNamespace(name)) await addNamespace(name)
    const pod = { name, node, address: await wirePod(node, name) }
    this.#pods.set(name, pod)
    return pod
  }

  async cniDel(node: string, name: string): Promise<void> {
    await unwirePod(node, name)
    this.#pods.delete(name)
    if (hasNamespace(name)) await removeFabric([name])
  }

  cni(command: string, node: string, pod: string): Promise<Outcome> {
    return callCni({ command, node, pod })
  }

  async routes(where: string): Promise<readonly RouteRow[]> {
    const rows = await this.ip(where, ['route', 'show'])
    if (!isRouteList(rows)) throw new TypeError('ip -j route did not print a list of routes')
    return rows
  }

  async ip(where: string, args: readonly string[]): Promise<unknown> {
    const text = await mustIn(where, ['ip', '-j', ...args])
    return text.trim() === '' ? [] : JSON.parse(text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL')
    await Promise.all(this.nodes.map(node => this.agents.kill(node.name, 'SIGKILL')))
    await removeFabric(readdirSync(NETNS_DIR))
    rmSync(RUN_DIR, { recursive: true, force: true })
  }
}

function hasNamespace(name: string): boolean {
  return existsSync(join(NETNS_DIR, name))
}

function isRouteList(rows: unknown): rows is readonly RouteRow[] {
  return Array.isArray(rows) && rows.every(row => typeof row?.dst === 'string')
}

function silent(): void {
  // Tests look at the lab, not at its progress.
}
