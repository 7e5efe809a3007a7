/**
 * How settings and the tunnel device were before the agent first changed them, which `cali-agent uninstall` puts back; and what the agent
 * made under names that it may have others for today. Kept in a file beside the socket: like the kernel's state, it is gone after a boot.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { formatIpv4, type Ipv4 } from '@network/base/net/ipv4.ts'
import { reasonOf } from '@network/base/run/fault.ts'
import type { Log } from '@network/base/run/log.ts'
import type { Link } from '@network/netlink/link.ts'
import * as v from 'valibot'
import { hasOurName } from './ownership.ts'
import type { Settings } from './tables/sysctls.ts'

const formerSchema = v.object({
  /** Of the boot that the values belong to. */
  boot: v.string(),
  /** By path, in the order in which they were changed; `wrote` is null for a value that the kernel changed along with another. */
  sysctls: v.record(v.string(), v.object({ had: v.string(), wrote: v.nullable(v.string()) })),
  /** Null until the device was looked at. */
  tunnel: v.nullable(
    v.union([v.object({ was: v.literal('absent') }), v.object({ was: v.literal('present'), mtu: v.number(), up: v.boolean() })]),
  ),
  /** Names of the VXLAN devices that the agent made. */
  vxlanDevices: v.optional(v.array(v.string()), []),
  /** That the node had on its tunnel devices, the last of them last. */
  tunnelAddresses: v.optional(v.array(v.string()), []),
})
export type Former = v.InferOutput<typeof formerSchema>
export type FormerTunnel = NonNullable<Former['tunnel']>

const NOTHING = { sysctls: {}, tunnel: null, vxlanDevices: [], tunnelAddresses: [] } satisfies Omit<Former, 'boot'>

/** Turning this one turns the others. */
const FORWARDING = 'net/ipv4/ip_forward'
const INTERFACES = 'net/ipv4/conf'
const REDIRECTS = `${INTERFACES}/all/accept_redirects`
/** Whoever makes pools and deletes them all day shall not fill the disk. */
const ADDRESSES_KEPT = 64
/** Under /proc/sys. */
export const BOOT_ID = 'kernel/random/boot_id'

export interface FormerOptions {
  readonly path: string
  readonly settings: Settings
  readonly log: Log
}

export class FormerState {
  readonly #options: FormerOptions
  #former: Former

  /** Reads what an earlier run of the agent kept; what is of another boot, or cannot be read, counts as nothing. */
  static open(options: FormerOptions): FormerState {
    return new FormerState(options)
  }

  private constructor(options: FormerOptions) {
    this.#options = options
    const boot = options.settings.read(BOOT_ID) ?? ''
    const kept = readFormer(options)
    this.#former = kept?.boot === boot ? kept : { boot, ...NOTHING }
  }

  get kept(): Former {
    return this.#former
  }

  /** Call before a setting is written; only the first time counts. A pod's interface takes its settings along when it goes. */
  beforeSysctl(path: string, had: string, wrote: string): void {
    if (path in this.#former.sysctls || path.split('/').some(hasOurName)) return
    const changes = { ...(path === FORWARDING ? this.#turnedAlong() : {}), [path]: { had, wrote } }
    this.#keep({ ...this.#former, sysctls: { ...this.#former.sysctls, ...changes } })
  }

  /** Call before the tunnel device is touched; undefined when it is not there. */
  beforeTunnel(link: Pick<Link, 'mtu' | 'up'> | undefined): void {
    if (this.#former.tunnel !== null) return
    const tunnel: FormerTunnel = link === undefined ? { was: 'absent' } : { was: 'present', mtu: link.mtu, up: link.up }
    this.#keep({ ...this.#former, tunnel })
  }

  /** Call before the device is made. */
  beforeVxlan(device: string): void {
    const { vxlanDevices } = this.#former
    if (!vxlanDevices.includes(device)) this.#keep({ ...this.#former, vxlanDevices: [...vxlanDevices, device] })
  }

  /** Call when the device is gone for good. */
  afterVxlan(device: string): void {
    const { vxlanDevices } = this.#former
    if (vxlanDevices.includes(device)) this.#keep({ ...this.#former, vxlanDevices: vxlanDevices.filter(each => each !== device) })
  }

  /** Call before the address is put on a tunnel device: its pool may be gone when it is to be taken off. */
  beforeAddress(address: Ipv4): void {
    const text = formatIpv4(address)
    const { tunnelAddresses } = this.#former
    if (!tunnelAddresses.includes(text))
      this.#keep({ ...this.#former, tunnelAddresses: [...tunnelAddresses, text].slice(-ADDRESSES_KEPT) })
  }

  /** Nothing is to be put back any more. */
  forget(): void {
    rmSync(this.#options.path, { force: true })
    this.#former = { ...this.#former, ...NOTHING }
  }

  #turnedAlong(): Former['sysctls'] {
    const { settings } = this.#options
    const paths = [REDIRECTS, ...settings.below(INTERFACES).map(path => `${path}/forwarding`)]
    return Object.fromEntries(
      paths.flatMap(path => {
        const had = settings.read(path)
        return had === undefined || path.split('/').some(hasOurName) || path in this.#former.sysctls
          ? []
          : [[path, { had, wrote: null }]]
      }),
    )
  }

  /** A file that cannot be written costs a tidy uninstall, not the pods their network. */
  #keep(former: Former): void {
    const { path, log } = this.#options
    this.#former = former
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(`${path}.new`, `${JSON.stringify(former, undefined, 2)}\n`)
      renameSync(`${path}.new`, path)
    } catch (reason) {
      log.warn('former settings cannot be kept; uninstall will not know them', { file: path, why: reasonOf(reason) })
    }
  }
}

/** Puts settings back, first the one that turns others; what somebody changed since stays as they want it. */
export function restoreSysctls({ sysctls }: Former, settings: Settings): { removed: string[]; problems: string[] } {
  const isStillOurs = (path: string) => sysctls[path] !== undefined && settings.read(path) === sysctls[path].wrote
  const turned = isStillOurs(FORWARDING)
  const others = Object.entries(sysctls).flatMap(([path, { wrote }]) =>
    path !== FORWARDING && (wrote === null ? turned : isStillOurs(path)) ? [path] : [],
  )
  const removed: string[] = []
  const problems: string[] = []
  for (const path of turned ? [FORWARDING, ...others] : others) {
    const had = sysctls[path]?.had
    const present = settings.read(path)
    if (had === undefined || present === undefined || present === had) continue
    const outcome = settings.write(path, had)
    if (outcome.is === 'done') removed.push(`${path} is ${had} again`)
    else problems.push(`${path} could not be put back to ${had}: ${outcome.says}`)
  }
  return { removed, problems }
}

function readFormer({ path, log }: FormerOptions): Former | undefined {
  try {
    return v.parse(formerSchema, JSON.parse(readFileSync(path, 'utf8')))
  } catch (reason) {
    if (!(reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'))
      log.warn('former settings cannot be read and count as none', { file: path, why: reasonOf(reason) })
    return undefined
  }
}
