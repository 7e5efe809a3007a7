/** What the agent measures of itself: names, units and meanings, the source of docs/reference/metrics.md. */

export interface MetricRow {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

export const METRICS = {
  info: { name: 'cali_info', type: 'gauge', help: 'Always 1: which agent this is.', labels: ['node', 'version'] },
  converged: {
    name: 'cali_converged',
    type: 'gauge',
    help: '1 when all that is wanted is in the kernel, and nothing waits.',
    labels: [],
  },
  problems: {
    name: 'cali_problems',
    type: 'gauge',
    help: 'What somebody should look at: lines of "calictl node status".',
    labels: [],
  },
  wanted: { name: 'cali_kernel_wanted', type: 'gauge', help: 'Rows that should be in a table of the kernel.', labels: ['table'] },
  actual: { name: 'cali_kernel_actual', type: 'gauge', help: 'Rows of those that are there as wanted.', labels: ['table'] },
  stale: {
    name: 'cali_kernel_stale',
    type: 'gauge',
    help: 'Rows of ours that nobody wants and that are still there.',
    labels: ['table'],
  },
  repairs: {
    name: 'cali_kernel_repairs_total',
    type: 'counter',
    help: 'Rows that were right, were changed by somebody else, and were put right.',
    labels: ['table'],
  },
  routes: {
    name: 'cali_routes',
    type: 'gauge',
    help: 'Wanted routes by what they lead to and whether they are there.',
    labels: ['kind', 'state'],
  },
  sessions: { name: 'cali_bgp_sessions', type: 'gauge', help: 'BGP sessions by state.', labels: ['state'] },
  prefixes: {
    name: 'cali_bgp_prefixes',
    type: 'gauge',
    help: 'Prefixes of a peer: received, accepted, advertised to it, stale since it went.',
    labels: ['peer', 'kind'],
  },
  flaps: { name: 'cali_bgp_flaps_total', type: 'counter', help: 'How often an established session was lost.', labels: ['peer'] },
  blocks: { name: 'cali_ipam_blocks', type: 'gauge', help: 'Blocks that this node owns and announces.', labels: [] },
  addresses: { name: 'cali_ipam_addresses', type: 'gauge', help: 'Addresses in those blocks, used or free.', labels: [] },
  workloads: { name: 'cali_workloads', type: 'gauge', help: 'Pod interfaces of this node.', labels: [] },
  dropped: {
    name: 'cali_firewall_dropped_packets_total',
    type: 'counter',
    help: "Packets that the node's nftables table dropped.",
    labels: ['reason'],
  },
  inSync: { name: 'cali_datastore_in_sync', type: 'gauge', help: '1 while the datastore answers.', labels: [] },
  staleness: {
    name: 'cali_datastore_stale_seconds',
    type: 'gauge',
    help: 'How long the datastore has not answered; 0 while it does.',
    labels: [],
  },
  unwritten: {
    name: 'cali_datastore_unwritten_endpoints',
    type: 'gauge',
    help: 'Pods that came or went while the datastore was away, and of which it is not told yet.',
    labels: [],
  },
  cni: {
    name: 'cali_cni_request_duration_seconds',
    type: 'histogram',
    help: 'CNI calls, by command and code of the answer (0 for success).',
    labels: ['command', 'code'],
  },
  plan: {
    name: 'cali_plan_duration_seconds',
    type: 'histogram',
    help: 'Plans: from what is known to what is wanted.',
    labels: [],
  },
  apply: {
    name: 'cali_apply_duration_seconds',
    type: 'histogram',
    help: "Passes over the kernel's tables: read, written, read back.",
    labels: [],
  },
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof METRICS

/** The page of the reference. */
export function metricsPage(): string {
  const rows: readonly MetricRow[] = Object.values(METRICS)
  const lines = rows.map(
    ({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.map(label => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return `# Metrics

In the text format of Prometheus: \`GET /metrics\` on the agent's socket (\`curl --unix-socket /run/cali/<node>.sock http://cali/metrics\`), and by TCP where the agent
runs with \`--metrics-port 9091\` (off unless told). Durations are in seconds. Beside these are those of the process itself, \`process_*\` and \`nodejs_*\`.

| name | type | labels | what |
|---|---|---|---|
${lines.join('\n')}
`
}
