/** `cali-agent uninstall`: takes the node out of the cluster, and everything of ours off the machine. */

import { rmdirSync, rmSync } from 'node:fs'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { contains, formatPrefix } from '@network/base/net/prefix.ts'
import { Fault } from '@network/base/run/fault.ts'
import { deleteNode } from '@network/datastore/nodes.ts'
import type { Datastore, Options } from '@network/datastore/port.ts'
import { getOf, listOf } from '@network/datastore/records.ts'
import { IP_POOL } from '@network/model/resources/ip-pool.ts'
import { NODE, type Node, nodeKey } from '@network/model/resources/node.ts'
import { WORKLOAD_ENDPOINT } from '@network/model/resources/workload-endpoint.ts'
import type { NetlinkClient } from '@network/netlink/client.ts'
import { type Config, filesOf } from '../config.ts'
import type { Removal } from '../kernel/firewall/remove.ts'
import type { FormerState } from '../kernel/former.ts'
import type { Settings } from '../kernel/tables/sysctls.ts'
import { answers } from '../serve/socket.ts'
import { FileJournal } from '../workload/journal.ts'
import { hostInterfaceName } from '../workload/names.ts'
import { joined, removeFromKernel, strangeInterfaces } from './kernel.ts'

export interface UninstallOptions {
  readonly config: Config
  readonly store: Datastore
  readonly netlink: NetlinkClient
  readonly settings: Settings
  readonly former: FormerState
  /** Takes away our firewall, which only its own room knows. */
  readonly removeFirewall: () => Promise<Removal>
  readonly signal: AbortSignal
}

export interface Uninstalled extends Removal {
  /** What looks like ours and cannot be proven to be, so it stays. */
  readonly left: readonly string[]
}

/**
 * The kernel first, for the datastore says what in it is ours; so a run that was cut short is finished by the next. Refuses while the
 * node's agent runs, and where the name belongs to another machine.
 */
export async function uninstall(options: UninstallOptions): Promise<Uninstalled> {
  const { config, store, netlink, settings, former, removeFirewall, signal } = options
  await refuseAlive(config)
  const self = await ownNode(store, config, { signal })
  const { read: endpoints } = await listOf(store, WORKLOAD_ENDPOINT, { signal })
  const { read: pools } = await listOf(store, IP_POOL, { signal })
  const kernel = removeFromKernel({
    netlink,
    settings,
    former: former.kept,
    interfaces: new Set([
      ...endpoints.flatMap(({ value }) => (value.node === config.nodeName ? [value.interfaceName] : [])),
      ...new FileJournal(filesOf(config).unfinished).unfinished().map(hostInterfaceName),
    ]),
    vxlanDevices: new Set([config.vxlan.device, ...former.kept.vxlanDevices]),
    isPoolAddress: address =>
      address === self?.tunnelAddress ||
      former.kept.tunnelAddresses.includes(formatIpv4(address)) ||
      pools.some(({ value }) => contains(value.cidr, address)),
  })
  const firewall = await removeFirewall()
  const documents = await leaveCluster(store, config.nodeName, { signal })
  const done = joined([kernel, firewall, documents])
  // What is remembered is needed again if anything is left to be put back.
  if (done.problems.length === 0) forgetFiles(config, former)
  return { ...done, left: strangeInterfaces(netlink).map(describeStrange) }
}

async function refuseAlive(config: Config): Promise<void> {
  const path = filesOf(config).socket
  if (!(await answers(path))) return
  throw new Fault('agent.running', {
    doing: 'uninstall',
    on: `node ${config.nodeName}`,
    says: `its agent still runs and answers on ${path}`,
    mend: 'stop it first; nothing was changed',
  })
}

/** Undefined when the node left the cluster before. */
async function ownNode(store: Datastore, { nodeName, nodeId }: Config, options: Options): Promise<Node | undefined> {
  const found = await getOf(store, NODE, nodeKey(nodeName), options)
  if (found === undefined || found.value.id === nodeId) return found?.value
  throw new Fault('node.name-taken', {
    doing: 'uninstall',
    on: `node ${nodeName}`,
    says: `that name belongs to machine ${found.value.id}, and this is machine ${nodeId}`,
    mend: 'give the name that this machine runs under with --node-name; nothing was changed',
  })
}

async function leaveCluster(store: Datastore, node: string, options: Options): Promise<Removal> {
  const deleted = await deleteNode(store, node, options)
  if (deleted.is === 'absent') return joined([])
  const { endpoints, blocks, addresses } = deleted
  return {
    removed: [
      `node ${node} in ${store.url}, with ${endpoints.length} endpoints and ${addresses} addresses`,
      ...blocks.map(block => `block ${formatPrefix(block)}`),
    ],
    problems: [],
  }
}

function forgetFiles(config: Config, former: FormerState): void {
  const { socket, unfinished, copy, ledger } = filesOf(config)
  former.forget()
  for (const path of [socket, unfinished, copy, ledger]) rmSync(path, { recursive: true, force: true })
  try {
    rmdirSync(config.runDir)
  } catch {
    // Other nodes' files, or the user's: theirs to remove.
  }
}

function describeStrange(name: string): string {
  return `interface ${name} looks like a pod's, but no endpoint names it; if nobody needs it, run "ip link delete ${name}"`
}
