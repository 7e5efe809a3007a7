/** What the lab's commands do once they are inside the lab's namespaces. */
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@network/base/time/clock.ts'
import { capture } from './capture.ts'
import { ENVIRONMENT } from './command.ts'
import { formatFrame } from './frame.ts'
import { exitOf } from './holder.ts'
import { createLab, type Lab, type LabOptions } from './lab.ts'
import { FRESH_MARK, RUN_DIR } from './paths.ts'
import type { Topology } from './topology.ts'

/** What `status` reads from outside. */
export interface LabRecord {
  readonly nodes: readonly { readonly name: string; readonly address: string; readonly pods: readonly PodRecord[] }[]
}

interface PodRecord {
  readonly name: string
  /** Empty in a lab of bare nodes. */
  readonly address: string
}

export const RECORD_FILE = join(RUN_DIR, 'lab.json')

export function isInside(): boolean {
  return existsSync(FRESH_MARK)
}

/** Builds a lab that outlives this process. */
export async function buildLasting(topology: Topology, options: LabOptions): Promise<void> {
  const lab = await createLab(topology, { ...options, say })
  writeFileSync(RECORD_FILE, `${JSON.stringify(recordOf(lab))}\n`)
  process.stdout.write(table(recordOf(lab)))
}

/** Builds a lab, runs one command in it, takes it down. */
export async function runOnce(topology: Topology, options: LabOptions, argv: readonly string[]): Promise<number> {
  await using lab = await createLab(topology, { ...options, say })
  writeFileSync(join(RUN_DIR, 'bin', 'on'), '#!/bin/sh\nplace=$1; shift\nexec nsenter --net="/run/netns/$place" -- "$@"\n', {
    mode: 0o755,
  })
  const [command = 'sh', ...args] = argv
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...ENVIRONMENT, ...addressesOf(lab) } })
  return await exitOf(child)
}

/** Prints frames as they pass, until ^C or `count` of them. */
export async function printFrames(link: string, count: number): Promise<void> {
  const { promise: enough, resolve: end } = Promise.withResolvers<void>()
  let left = count
  await using wire = await capture({ clock: systemClock }, link, {
    seen: frame => {
      if (left-- > 0) process.stdout.write(`${(frame.at / 1000).toFixed(6)} ${formatFrame(frame)}\n`)
      if (left === 0) end()
    },
  })
  process.once('SIGINT', end)
  say(`capturing on ${link}, ^C ends it`)
  await enough
  await wire.stop()
}

/** Node, address, and its pods with theirs. */
export function table(record: LabRecord): string {
  const rows = record.nodes.map(({ name, address, pods }) =>
    `${name.padEnd(6)} ${address.padEnd(16)} ${pods.map(podText).join('  ')}`.trimEnd(),
  )
  return `${rows.join('\n')}\n`
}

function podText({ name, address }: PodRecord): string {
  return address === '' ? name : `${name} ${address}`
}

function recordOf(lab: Lab): LabRecord {
  const addresses = new Map(lab.pods.map(pod => [pod.name, pod.address]))
  return {
    nodes: lab.nodes.map(({ name, address, pods }) => ({
      name,
      address,
      pods: pods.map(pod => ({ name: pod.name, address: addresses.get(pod.name) ?? '' })),
    })),
  }
}

/** `A1=172.16.20.11 A1_P1=10.244.0.2 …`: so that a command needs to know no address. */
function addressesOf(lab: Lab): Record<string, string> {
  const named = [...lab.nodes, ...lab.pods].map(each => [each.name.toUpperCase().replace('-', '_'), each.address])
  return Object.fromEntries(named)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
