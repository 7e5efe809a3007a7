/** The 19 octets in front of every message. RFC 4271 §4.1. */
export const HEADER_OCTETS = 19
export const LONGEST_MESSAGE = 4096
/** What both may send once both said so, but for OPEN and KEEPALIVE. RFC 8654 §4. */
export const LONGEST_EXTENDED = 65535

export type MessageKind = 'open' | 'update' | 'notification' | 'keepalive' | 'routeRefresh'

const TYPE_OF: Readonly<Record<MessageKind, number>> = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 }

export function messageType(kind: MessageKind): number {
  return TYPE_OF[kind]
}

/** A whole message around a body. */
export function frame(kind: MessageKind, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_OCTETS + body.length)
  bytes.fill(0xff, 0, 16)
  const view = new DataView(bytes.buffer)
  view.setUint16(16, bytes.length)
  view.setUint8(18, TYPE_OF[kind])
  bytes.set(body, HEADER_OCTETS)
  return bytes
}
