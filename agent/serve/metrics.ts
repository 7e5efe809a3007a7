/** The agent's metrics for Prometheus: what is, taken from the status when asked; what took time, observed as it happens. */

import type { AgentStatus } from '@network/model/status.ts'
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS, type MetricName } from './metric-list.ts'

type Timed = Extract<MetricName, 'cni' | 'plan' | 'apply'>
type Labels = Readonly<Record<string, string | number>>

interface Observation {
  readonly of: Timed
  readonly seconds: number
  readonly labels: Labels
}

/** Until somebody asks for metrics for the first time the library is not loaded: it would cost every start 50 ms. */
const KEPT_UNTIL_LOADED = 10_000
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** As of one moment, besides what the status tells. */
export interface Measured {
  readonly status: AgentStatus
  /** Addresses in the blocks of this node. */
  readonly addresses: number
  /** Since the datastore answers no more. */
  readonly staleSeconds: number
}

export class Metrics {
  #waiting: Observation[] = []
  #instruments: Promise<Instruments> | undefined
  #loaded: Instruments | undefined

  /** Takes the time of something that has ended. */
  observe(of: Timed, milliseconds: number, labels: Labels = {}): void {
    const observation = { of, seconds: milliseconds / 1000, labels }
    if (this.#loaded !== undefined) this.#loaded.observe(observation)
    else if (this.#waiting.length < KEPT_UNTIL_LOADED) this.#waiting.push(observation)
  }

  /** The text that Prometheus reads. */
  async text(measured: Measured): Promise<string> {
    this.#instruments ??= load()
    const instruments = await this.#instruments
    this.#loaded = instruments
    for (const observation of this.#waiting) instruments.observe(observation)
    this.#waiting = []
    return instruments.text(measured)
  }
}

async function load(): Promise<Instruments> {
  const library = await import('prom-client')
  return new Instruments(library)
}

class Instruments {
  readonly #registry: Registry
  readonly #gauges = new Map<string, Gauge>()
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, Histogram>()

  constructor({ Registry, Gauge, Counter, Histogram, collectDefaultMetrics }: typeof import('prom-client')) {
    this.#registry = new Registry()
    collectDefaultMetrics({ register: this.#registry })
    for (const { name, help, labels, type } of Object.values(METRICS)) {
      const options = { name, help, labelNames: labels, registers: [this.#registry] }
      if (type === 'gauge') this.#gauges.set(name, new Gauge(options))
      else if (type === 'counter') this.#counters.set(name, new Counter(options))
      else this.#histograms.set(name, new Histogram({ ...options, buckets: BUCKETS }))
    }
  }

  observe({ of, seconds, labels }: Observation): void {
    this.#histograms.get(METRICS[of].name)?.observe({ ...labels }, seconds)
  }

  text(measured: Measured): Promise<string> {
    for (const gauge of this.#gauges.values()) gauge.reset()
    for (const counter of this.#counters.values()) counter.reset()
    for (const [metric, value, labels] of samplesOf(measured)) {
      const { name, type } = METRICS[metric]
      if (type === 'gauge') this.#gauges.get(name)?.set({ ...labels }, value)
      else this.#counters.get(name)?.inc({ ...labels }, value)
    }
    return this.#registry.metrics()
  }
}

type Sample = readonly [metric: Exclude<MetricName, Timed>, value: number, labels: Labels]

function samplesOf({ status, addresses, staleSeconds }: Measured): Sample[] {
  const { node, version, converged, problems, tables, routes, bgp, workloads, firewall, datastore, books } = status
  return [
    ['info', 1, { node, version }],
    ['converged', Number(converged), {}],
    ['problems', problems.length, {}],
    ...tables.flatMap(({ name, wanted, actual, stale, repairs }): Sample[] => [
      ['wanted', wanted, { table: name }],
      ['actual', actual, { table: name }],
      ['stale', stale, { table: name }],
      ['repairs', repairs, { table: name }],
    ]),
    ...[...Map.groupBy(routes, ({ kind, state }) => `${kind} ${state}`).values()].map((alike): Sample => {
      const [{ kind, state } = { kind: '', state: '' }] = alike
      return ['routes', alike.length, { kind, state }]
    }),
    ...[...Map.groupBy(bgp.peers, ({ state }) => state)].map(([state, { length }]): Sample => ['sessions', length, { state }]),
    ...bgp.peers.flatMap(({ name, received, accepted, advertised, stale, flaps }): Sample[] => [
      ['prefixes', received, { peer: name, kind: 'received' }],
      ['prefixes', accepted, { peer: name, kind: 'accepted' }],
      ['prefixes', advertised, { peer: name, kind: 'advertised' }],
      ['prefixes', stale, { peer: name, kind: 'stale' }],
      ['flaps', flaps, { peer: name }],
    ]),
    ['blocks', bgp.originated.length, {}],
    ['addresses', addresses, {}],
    ['workloads', workloads.length, {}],
    ['dropped', firewall.dropped.forgedIpip, { reason: 'forged-ipip' }],
    ['dropped', firewall.dropped.forgedVxlan, { reason: 'forged-vxlan' }],
    ['dropped', firewall.dropped.spoofedSource, { reason: 'spoofed-source' }],
    ['inSync', Number(datastore.state === 'in-sync'), {}],
    ['staleness', staleSeconds, {}],
    ['unwritten', books.unwritten, {}],
  ]
}
