/** What every tunnel needs of the kernel, whatever its form: a device, its address, and reverse-path filters that let its packets pass. */

import type { AddressIntent, LinkIntent, SysctlIntent } from './intent.ts'

export interface TunnelIntents {
  readonly link: LinkIntent
  readonly address: AddressIntent
  readonly sysctls: readonly SysctlIntent[]
}

/**
 * During a change of mode one side sends through the tunnel what the other sends plainly: a strict check on either device drops every such
 * packet. `strictEverywhere`: rp_filter is 1 on `all`, and the kernel takes the larger of that and the device's own.
 */
export function looseReversePath(devices: readonly string[], strictEverywhere: boolean): readonly SysctlIntent[] {
  return devices.map(device => ({
    path: `net/ipv4/conf/${device}/rp_filter`,
    accept: strictEverywhere ? ['2'] : ['2', '0'],
    why: 'strict reverse-path filtering drops tunnelled packets whose way back is plain',
  }))
}
