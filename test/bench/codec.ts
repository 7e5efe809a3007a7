/** BGP messages a second through the codec alone: chunks of a stream → frames → verdicts, and routes → messages. */

import assert from 'node:assert/strict'
import { ipv4, toIpv4 } from '@network/base/net/ipv4.ts'
import { toPrefix } from '@network/base/net/prefix.ts'
import { systemClock } from '@network/base/time/clock.ts'
import { between } from '@network/base/time/units.ts'
import { type Attributes, plainAttributes } from '@network/bgp/attributes/attributes.ts'
import { encodeAttributes } from '@network/bgp/attributes/encode.ts'
import type { Dialect } from '@network/bgp/wire/dialect.ts'
import { Framer } from '@network/bgp/wire/framing.ts'
import { decodeUpdate, encodeAnnouncement } from '@network/bgp/wire/update.ts'
import type { Bench, Measurement } from './measurement.ts'
import { median } from './statistics.ts'

const ROUNDS = 7
/** As a socket delivers them. */
const CHUNK = 64 << 10

const BLOCKS = Array.from({ length: 100_000 }, (_, at) => toPrefix(toIpv4(ipv4('10.0.0.0') + at * 64), 26))

interface Kind {
  readonly what: string
  readonly dialect: Dialect
  readonly attributes: Attributes
  readonly prefixes: number
  /** In one round. */
  readonly messages: number
}

const mesh = { ...plainAttributes(ipv4('172.16.20.11')), localPref: 100 }
const fabric: Attributes = {
  ...plainAttributes(ipv4('172.16.20.1')),
  asPath: [{ kind: 'sequence', asns: [64601, 4_200_000_017, 64512] }],
  med: 50,
  communities: [0xfde80064, 0xfde80065, 0xfde80066],
}
const KINDS: readonly Kind[] = [
  { what: 'mesh, 1 block', dialect: { kind: 'internal', asnOctets: 4 }, attributes: mesh, prefixes: 1, messages: 100_000 },
  {
    what: 'fabric, 3 hops, 3 communities, 1 block',
    dialect: { kind: 'external', asnOctets: 4 },
    attributes: fabric,
    prefixes: 1,
    messages: 100_000,
  },
  { what: 'mesh, 500 blocks', dialect: { kind: 'internal', asnOctets: 4 }, attributes: mesh, prefixes: 500, messages: 2000 },
]

export const codecBench: Bench = {
  name: 'codec',
  async measure(say) {
    const decoding = KINDS.map((): number[] => [])
    const encoding = KINDS.map((): number[] => [])
    for (let round = 1; round <= ROUNDS; round++) {
      say(`codec, round ${round} of ${ROUNDS}`)
      for (const [at, kind] of KINDS.entries()) {
        decoding[at]?.push(timed(() => decodeAll(streamOf(kind), kind)))
        encoding[at]?.push(timed(() => encodeAll(kind)))
      }
    }
    return KINDS.flatMap((kind, at) => [
      resultOf(`UPDATE decoded (${kind.what})`, kind, decoding[at] ?? []),
      resultOf(`UPDATE encoded (${kind.what})`, kind, encoding[at] ?? []),
    ])
  },
}

const streams = new Map<Kind, Uint8Array>()

/** All messages of a round, one after the other: made once. */
function streamOf(kind: Kind): Uint8Array {
  const known = streams.get(kind)
  if (known !== undefined) return known
  const one = encodeOne(kind, 0)
  const stream = new Uint8Array(one.length * kind.messages)
  for (let at = 0; at < kind.messages; at++) stream.set(encodeOne(kind, at), at * one.length)
  streams.set(kind, stream)
  return stream
}

function decodeAll(stream: Uint8Array, { dialect, messages, prefixes }: Kind): void {
  const framer = new Framer()
  let heard = 0
  for (let from = 0; from < stream.length; from += CHUNK)
    for (const framed of framer.push(stream.subarray(from, from + CHUNK))) {
      assert.ok(framed.is === 'frame')
      const verdict = decodeUpdate(framed.frame.body, dialect)
      assert.ok(verdict.is === 'routes')
      heard += verdict.announced[0]?.prefixes.length ?? 0
    }
  assert.equal(heard, messages * prefixes)
}

function encodeAll(kind: Kind): void {
  let octets = 0
  for (let at = 0; at < kind.messages; at++) octets += encodeOne(kind, at).length
  assert.equal(octets, streamOf(kind).length)
}

function encodeOne({ attributes, dialect, prefixes }: Kind, number: number): Uint8Array {
  const from = (number * prefixes) % (BLOCKS.length - prefixes)
  const blocks = BLOCKS.slice(from, from + prefixes)
  return encodeAnnouncement(encodeAttributes(attributes, dialect), blocks)
}

function timed(work: () => void): number {
  const began = systemClock.now()
  work()
  return between(began, systemClock.now())
}

function resultOf(what: string, { messages }: Kind, times: readonly number[]): Measurement {
  return { what, value: (messages / median(times)) * 1000, unit: 'messages/s', runs: ROUNDS }
}
