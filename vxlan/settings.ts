/** What a cluster may choose about its VXLAN; the same on all nodes, for a packet of another VNI or port is not heard. */

export interface VxlanSettings {
  readonly device: string
  /** 0 to 16777215. */
  readonly vni: number
  /** UDP. */
  readonly port: number
}

export const VXLAN_DEFAULTS: VxlanSettings = { device: 'vxlan.cali', vni: 4096, port: 4789 }
