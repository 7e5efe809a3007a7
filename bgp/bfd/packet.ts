/** The control packet of BFD without authentication. RFC 5880 §4.1. */
import { type Millis, millis } from '@network/base/time/units.ts'

export const BFD_STATES = ['admin-down', 'down', 'init', 'up'] as const
export type BfdState = (typeof BFD_STATES)[number]

/** RFC 5880 §4.1, those that we say or print. */
export const DIAGNOSTICS = [
  'no diagnostic',
  'control detection time expired',
  'echo function failed',
  'neighbour signaled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
] as const
export const DIAGNOSTIC = { none: 0, expired: 1, neighbourDown: 3, adminDown: 7 } as const

export interface BfdPacket {
  readonly diagnostic: number
  readonly state: BfdState
  readonly poll: boolean
  readonly final: boolean
  /** C bit: BFD of the sender goes on when its control plane restarts. */
  readonly controlPlaneIndependent: boolean
  readonly demand: boolean
  readonly multiplier: number
  /** Chosen by the sender; never 0. */
  readonly mine: number
  /** What the sender has heard from us; 0: nothing yet. */
  readonly yours: number
  readonly desiredMinTx: Millis
  readonly requiredMinRx: Millis
}

const VERSION = 1
const LENGTH = 24
const BIT = { poll: 0x20, final: 0x10, independent: 0x08, authenticated: 0x04, demand: 0x02, multipoint: 0x01 } as const

export function encodeBfd(packet: BfdPacket): Uint8Array {
  const view = new DataView(new ArrayBuffer(LENGTH))
  const flags =
    (BFD_STATES.indexOf(packet.state) << 6) |
    (packet.poll ? BIT.poll : 0) |
    (packet.final ? BIT.final : 0) |
    (packet.controlPlaneIndependent ? BIT.independent : 0) |
    (packet.demand ? BIT.demand : 0)
  view.setUint8(0, (VERSION << 5) | packet.diagnostic)
  view.setUint8(1, flags)
  view.setUint8(2, packet.multiplier)
  view.setUint8(3, LENGTH)
  view.setUint32(4, packet.mine)
  view.setUint32(8, packet.yours)
  view.setUint32(12, packet.desiredMinTx * 1000)
  view.setUint32(16, packet.requiredMinRx * 1000)
  return new Uint8Array(view.buffer)
}

/** Total: undefined is a packet that RFC 5880 §6.8.6 discards without looking for its session. */
export function decodeBfd(bytes: Uint8Array): BfdPacket | undefined {
  if (bytes.length < LENGTH) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [first, flags, multiplier, length] = [view.getUint8(0), view.getUint8(1), view.getUint8(2), view.getUint8(3)]
  const state = BFD_STATES[flags >> 6] ?? 'admin-down'
  const [mine, yours] = [view.getUint32(4), view.getUint32(8)]
  if (first >> 5 !== VERSION || length < LENGTH || length > bytes.length || multiplier === 0 || mine === 0) return undefined
  if ((flags & (BIT.authenticated | BIT.multipoint)) !== 0) return undefined
  if (yours === 0 && state !== 'down' && state !== 'admin-down') return undefined
  return {
    diagnostic: first & 0x1f,
    state,
    poll: (flags & BIT.poll) !== 0,
    final: (flags & BIT.final) !== 0,
    controlPlaneIndependent: (flags & BIT.independent) !== 0,
    demand: (flags & BIT.demand) !== 0,
    multiplier,
    mine,
    yours,
    desiredMinTx: millis(view.getUint32(12) / 1000),
    requiredMinRx: millis(view.getUint32(16) / 1000),
  }
}
