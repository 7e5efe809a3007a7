/** The wiring diagram: which part hears of what, and who owns whom. */

import { formatIpv4, type Ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { contains, type Prefix, sizeOf } from '@network/base/net/prefix.ts'
import { Fault, reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Scope } from '@network/base/run/scope.ts'
import { backoff } from '@network/base/time/backoff.ts'
import { type Clock, type Random, sleep } from '@network/base/time/clock.ts'
import { millis, seconds } from '@network/base/time/units.ts'
import { ACCEPTED, Speaker } from '@network/bgp/speaker.ts'
import { Ipam } from '@network/datastore/ipam/ipam.ts'
import { registerNode } from '@network/datastore/nodes.ts'
import { openDatastore } from '@network/datastore/open.ts'
import { TUNNEL_DEVICE } from '@network/ipip/plan.ts'
import { BGP_PORT } from '@network/model/resources/bgp-configuration.ts'
import type { LogLevel } from '@network/model/resources/shared.ts'
import { NetlinkClient } from '@network/netlink/client.ts'
import { KernelMonitor } from '@network/netlink/monitor.ts'
import { Bookkeeper } from './away/bookkeeper.ts'
import { Ledger } from './away/ledger.ts'
import { LedgerFile } from './away/ledger-file.ts'
import { Overlay } from './away/overlay.ts'
import { Feed } from './bgp/feed.ts'
import { Speaking } from './bgp/speaking.ts'
import { Cluster } from './cluster.ts'
import { type Config, filesOf } from './config.ts'
import { Controller } from './controller.ts'
import { ClusterCopy } from './copy.ts'
import { keysIn } from './heard-of.ts'
import { ipipUnsupported } from './ipip-support.ts'
import { Devices } from './kernel/devices.ts'
import { systemElements } from './kernel/firewall/elements.ts'
import { Firewall } from './kernel/firewall/firewall.ts'
import { hearRuleset } from './kernel/firewall/hear.ts'
import { systemLegacy } from './kernel/firewall/legacy.ts'
import { systemNft } from './kernel/firewall/nft.ts'
import { BOOT_ID, FormerState } from './kernel/former.ts'
import { concernsTables, heard } from './kernel/heard.ts'
import { Kernel } from './kernel/kernel.ts'
import { isOurRoute } from './kernel/ownership.ts'
import { addressTable } from './kernel/tables/addresses.ts'
import { linkTable } from './kernel/tables/links.ts'
import { RememberedSettings } from './kernel/tables/remembered-settings.ts'
import { routeTable } from './kernel/tables/routes.ts'
import { kernelSettings, sysctlTable } from './kernel/tables/sysctls.ts'
import { vtepTable } from './kernel/tables/vteps.ts'
import type { Underlay } from './plan/facts.ts'
import { ownBlocks } from './plan/routes.ts'
import { settingsOf, vxlanSettings } from './plan/settings.ts'
import { podMtu } from './plan/workloads.ts'
import { bgpTable } from './serve/bgp-table.ts'
import { Metrics } from './serve/metrics.ts'
import { METRICS_TYPE, openMetricsServer } from './serve/metrics-server.ts'
import { publishStatus } from './serve/publish.ts'
import { claimSocketPath, openAgentSocket, PlainAnswer } from './serve/socket.ts'
import { agentStatus } from './serve/status.ts'
import { claimTunnelAddress } from './tunnel-address.ts'
import { chooseUnderlay } from './underlay.ts'
import { VERSION } from './version.ts'
import { stableMac, vxlanUnsupported } from './vxlan-support.ts'
import { Connections, systemForgetter } from './workload/connections.ts'
import { FileJournal } from './workload/journal.ts'
import { kernelWiring } from './workload/wire.ts'
import { Workloads } from './workload/workloads.ts'

/** Offered to peers: so long they keep our routes while we are away (RFC 4724). */
const RESTART_TIME = seconds(120)
const REGISTER_RETRY = { base: millis(500), cap: millis(5_000) }
const CONNECT_RETRY = millis(2000)
/** How long a restarted agent waits for its peers before it believes that a route is gone. */
const DEFERRAL = millis(120_000)

export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called once when the node has another address: end the scope and compose anew, which costs no packet, as any restart. */
  readonly moved: () => void
  /** Hears how much AgentConfiguration wants to be told, again and again. */
  readonly logAt?: (level: LogLevel) => void
}

/** Starts the agent under `scope`; it ends with the scope and leaves the kernel as it is. */
export async function composeAgent(
  config: Config,
  scope: Scope,
  { clock, random, log, moved, logAt }: Surroundings,
): Promise<void> {
  const startedAt = clock.wall().toISOString()
  const files = filesOf(config)
  // Before anything is touched: two agents of one node would undo each other's work.
  await claimSocketPath(files.socket)
  const monitor = scope.own(
    KernelMonitor.open({ groups: ['link', 'address', 'route', 'neighbour', 'netconf'] }),
    'kernel monitor',
  )
  const netlink = scope.own(NetlinkClient.open(), 'netlink')
  const choice = chooseUnderlay(netlink, config.nodeIp)
  const former = FormerState.open({ path: files.former, settings: kernelSettings, log })
  former.beforeTunnel(netlink.link(TUNNEL_DEVICE))
  const unsupported = ipipUnsupported(netlink)
  const vxlan = {
    // As the cluster has them at the moment.
    get settings() {
      return vxlanSettings(config.vxlan, settingsOf(config.nodeName, cluster.snapshot))
    },
    mac: config.vxlanMac ?? stableMac(config),
    unsupported: vxlanUnsupported(netlink),
  }
  const restarting = netlink.routes().some(isOurRoute)

  const store = scope.own(await openDatastore(config.datastore, { clock, random, log }), 'datastore')
  const register = (underlay: Underlay) =>
    registerNode(
      store,
      {
        name: config.nodeName,
        id: config.nodeId,
        address: underlay.address,
        subnetLength: underlay.subnet.length,
        asn: undefined,
        tunnelAddress: undefined,
        vxlanMac: vxlan.unsupported === undefined ? vxlan.mac : undefined,
      },
      { signal: scope.signal },
    )
  let unregistered = await refusal(register(choice.underlay), log)
  const ipam = new Ipam(store, config.nodeName, { clock, random })

  const boot = kernelSettings.read(BOOT_ID) ?? ''
  const ledger = new Ledger(new LedgerFile({ path: files.ledger, datastore: store.url, boot, log }))
  const overlay = new Overlay(clock, ledger.entries.values(), () => controller.wake())
  const cluster = new Cluster({
    ...{ node: config.nodeName, store, clock, random, log },
    copy: () => copy.read(),
    changed: decisive => {
      if (cluster.isFirstHand) copy.changed(decisive)
      controller.wake()
    },
    stateChanged: () => bookkeeper.stateChanged(),
    overlay: () => overlay,
  })
  const bookkeeper = new Bookkeeper({
    ...{ node: config.nodeName, id: config.nodeId, store, ipam, ledger, overlay, clock, random, log },
    datastore: () => cluster.status,
    isRegistered: () => unregistered === undefined,
    lastSeen: () => ({
      self: config.nodeName,
      id: config.nodeId,
      snapshot: cluster.complete ? cluster.stored : undefined,
      blocks: cluster.blocks,
      routed: new Set(
        netlink
          .routes()
          .filter(route => isOurRoute(route) && route.destination.length === 32)
          .map(({ destination }) => destination.address),
      ),
    }),
    isWired: ({ interfaceName }) => netlink.link(interfaceName) !== undefined,
    settled: () => workloads.lookAgain(),
  })
  const copy = new ClusterCopy({
    ...{ path: files.copy, node: config.nodeName, datastore: store.url, clock, log },
    snapshot: () => cluster.stored,
    blocks: () => cluster.blocks,
  })
  scope.defer('copy', async () => copy.stop())
  const devices = new Devices(() => netlink.links())
  const settings = new RememberedSettings(kernelSettings, { clock, nameOf: index => devices.nameOf(index) })
  const vteps = vtepTable(netlink, devices, config.vxlan.device)
  const metrics = new Metrics()
  const kernel = new Kernel({
    took: duration => metrics.observe('apply', duration),
    clock,
    random,
    log,
    tables: {
      links: linkTable(netlink, devices, { device: config.vxlan.device, former }),
      sysctls: sysctlTable(settings, (path, had, writes) => {
        former.beforeSysctl(path, had, writes)
        log.info('setting changed', { setting: path, had, writes })
      }),
      addresses: addressTable(
        netlink,
        devices,
        address =>
          former.kept.tunnelAddresses.includes(formatIpv4(address)) ||
          [...cluster.snapshot.pools.values()].some(pool => contains(pool.cidr, address)),
        new Set([TUNNEL_DEVICE, config.vxlan.device]),
        address => former.beforeAddress(address),
      ),
      vteps,
      routes: routeTable(netlink, devices, vteps.has),
    },
  })
  scope.defer('kernel', async () => kernel.stop())
  const elements = scope.own(systemElements(log), 'nftables')
  const firewall = new Firewall({
    nft: systemNft,
    elements,
    legacy: systemLegacy,
    hasInterface: name => netlink.link(name) !== undefined,
    interfaces: () => netlink.links().map(({ name }) => name),
    clock,
    random,
    log,
    changed: () => controller.wake(),
  })

  const speaking = new Speaking({
    identity: { asn: config.asn, port: BGP_PORT, clusterId: undefined },
    make: ({ asn, port, clusterId }, again) =>
      new Speaker({
        routerId: choice.underlay.address,
        asn,
        listen: { address: choice.underlay.address, port },
        ...(clusterId === undefined ? {} : { clusterId }),
        holdTime: config.holdTime,
        connectRetry: CONNECT_RETRY,
        gracefulRestart: { restartTime: RESTART_TIME, restarting: restarting || again, deferral: DEFERRAL },
        importFilter: () => ACCEPTED,
        clock,
        random,
        log,
      }),
    // What is planned depends on routes; a thousand peers that cannot be reached change their states all the time.
    changed: () => controller.wake(),
    clock,
    log,
    signal: scope.signal,
  })
  await speaking.start()
  scope.defer('speaker', () => speaking.stop())

  const conntrack = scope.own(systemForgetter(log), 'conntrack')
  const connections = new Connections({
    forget: async isMeant => {
      const forgotten = await conntrack.forget(isMeant)
      if (forgotten > 0) log.info('connections of former pods forgotten', { forgotten })
    },
    ownAddresses: () => ownBlocks(config.nodeName, cluster.snapshot).flatMap(addressesOf),
    inUse: () =>
      [...cluster.snapshot.nodes.values()]
        .flatMap(({ tunnelAddress }) => tunnelAddress ?? [])
        .concat([...cluster.snapshot.workloads.values()].flatMap(({ addresses }) => addresses)),
  })

  const controller = new Controller({
    config,
    cluster,
    feed: new Feed(speaking),
    firewall,
    netlink,
    underlay: choice,
    ipipUnsupported: unsupported,
    vxlan,
    clock,
    log,
    planned: took => metrics.observe('plan', took),
    apply: plan => {
      logAt?.(settingsOf(config.nodeName, cluster.snapshot).logSeverityScreen)
      kernel.desire(plan.intents)
      connections.ownAddressesChanged()
    },
    claimTunnelAddress: () =>
      claimTunnelAddress({ node: config.nodeName, store, ipam: bookkeeper.tunnel, log }, cluster.snapshot, scope.signal),
    moved: (from, to) => {
      controller.stop()
      log.warn('this node has another address; beginning anew with it', { from, to })
      moved()
    },
    register: async underlay => {
      await register(underlay)
    },
  })
  scope.defer('controller', async () => controller.stop())

  scope.spawn('registration', async signal => {
    for (let tried = 0; unregistered !== undefined; tried++) {
      await sleep(clock, backoff(tried, REGISTER_RETRY, random), signal).catch(() => undefined)
      if (signal.aborted) return
      unregistered = await refusal(register(controller.choice.underlay), log)
      bookkeeper.stateChanged()
    }
  })
  scope.spawn('datastore sync', signal => cluster.follow(signal))
  scope.spawn('firewall', signal => firewall.run(signal))
  scope.spawn('ruleset monitor', signal => hearRuleset({ firewall, elements, log }, signal))
  scope.spawn('kernel monitor', async signal => {
    for await (const events of monitor.batches(signal)) {
      if (events.some(event => concernsTables(event, devices, config.vxlan.device))) kernel.changed()
      for (const event of events) {
        settings.heard(event)
        heard(event, { controller, kernel, firewall, log })
      }
    }
  })
  // A node that is new here has nothing stale: what is wanted by nobody may go at once.
  scope.spawn('restart', async signal => {
    // Without the documents nothing is wanted.
    if ((await firstOf(cluster.completed, signal)) === 'ended') return
    if (restarting && (await firstOf(speaking.settled, signal)) === 'ended') return
    log.info('what nobody wants may go', { restarting })
    // What the peers told last must be wanted before anything unwanted may go.
    controller.replan()
    kernel.desiredIsComplete()
  })

  const workloads = new Workloads({
    node: config.nodeName,
    bookkeeper,
    wiring: kernelWiring(netlink),
    journal: new FileJournal(files.unfinished),
    clock,
    random,
    log,
    connections,
    podMtu: () => podMtu(cluster.snapshot, controller.underlayMtu, config.nodeName),
    routed: async (address, until, signal) => {
      await Promise.all([
        kernel.reached('routes', `${formatIpv4(address)}/32`, until, signal),
        firewall.reached(address, until, signal),
      ])
    },
    answered: ({ command, code, took }) => metrics.observe('cni', took, { command, code }),
    circumstances: () => ({
      node: config.nodeName,
      datastore: cluster.status,
      pools: cluster.snapshot.pools,
      // A document under our name may be another machine's until we have looked.
      registered: unregistered === undefined && controller.self?.id === config.nodeId,
    }),
  })
  scope.spawn('books', signal => bookkeeper.run(signal))
  scope.spawn('workloads', signal => workloads.keepTidy(signal))
  const sources = {
    config,
    version: VERSION,
    startedAt,
    cluster,
    controller,
    kernel,
    firewall,
    books: () => bookkeeper.account,
    speaker: () => speaking.status(),
    netlink,
    ipipUnsupported: unsupported,
    vxlan,
    unregistered: () => unregistered,
  }
  const metricsText = async () => {
    const status = agentStatus(sources, await firewall.status())
    const { state, since } = status.datastore
    return metrics.text({
      status,
      addresses: ownBlocks(config.nodeName, cluster.snapshot).reduce((sum, block) => sum + sizeOf(block), 0),
      staleSeconds: state === 'stale' ? (clock.wall().getTime() - Date.parse(since)) / 1000 : 0,
    })
  }
  if (config.metricsPort !== undefined) scope.own(await openMetricsServer(config.metricsPort, metricsText, log), 'metrics server')
  const socket = await openAgentSocket(
    files.socket,
    {
      'GET /status': async () => agentStatus(sources, await firewall.status()),
      'GET /metrics': async () => new PlainAnswer(METRICS_TYPE, await metricsText()),
      'POST /heard-of': async body => {
        // Whoever asks for the status next asks for what follows from this.
        controller.replan()
        return cluster.heardOf.of(keysIn(body))
      },
      'GET /bgp': async () => bgpTable(config.nodeName, speaking.tables),
      'POST /cni': async (body, signal) => {
        // Before the first whole list nobody knows the pools, and with them the MTU of a pod; where there is none, no pod is added.
        await firstOf(cluster.judged, signal)
        return workloads.serve(body, signal)
      },
    },
    log,
  )
  scope.own(socket, 'agent socket')
  const status = async () => agentStatus(sources, await firewall.status())
  const isThere = () => cluster.isFirstHand && unregistered === undefined && controller.self?.id === config.nodeId
  scope.spawn('status in the datastore', signal =>
    publishStatus({ node: config.nodeName, store, status, isThere, clock, log }, signal),
  )
  log.info('agent started', {
    version: VERSION,
    address: formatIpv4(choice.underlay.address),
    device: choice.underlay.device,
    chosenBy: choice.from,
    ipip: unsupported ?? 'supported',
    vxlan: vxlan.unsupported ?? 'supported',
    restarting,
    socket: socket.path,
  })
}

/** What somebody mends in the datastore while the agent waits. */
const PASSING = new Set(['datastore.unreachable', 'datastore.locked', 'datastore.full', 'datastore.forbidden'])

/** Why not, when the datastore does not answer, or refuses everybody for now: it may be asked again. Undefined when it is done. */
async function refusal(asking: Promise<unknown>, log: Log): Promise<string | undefined> {
  try {
    await asking
    return undefined
  } catch (reason) {
    if (!(reason instanceof Fault) || !PASSING.has(reason.code)) throw reason
    log.warn('the node cannot be registered yet; the kernel stays as it is', { why: reasonOf(reason) })
    return reasonOf(reason)
  }
}

function addressesOf(block: Prefix): Ipv4[] {
  return Array.from({ length: sizeOf(block) }, (_, at) => toIpv4(block.address + at))
}

/** The value, or `ended` when the signal aborts before it is there. */
function firstOf<T>(value: Promise<T>, signal: AbortSignal): Promise<T | 'ended'> {
  const { promise, resolve } = Promise.withResolvers<'ended'>()
  signal.addEventListener('abort', () => resolve('ended'), { once: true })
  return Promise.race([value, promise])
}
