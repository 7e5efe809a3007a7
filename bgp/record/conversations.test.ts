/** Talks with a real BIRD and a real FRR, kept as they were recorded: our speaker says the same again, octet for octet. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { formatIpv4 } from '@network/base/net/ipv4.ts'
import { formatIpv6 } from '@network/base/net/ipv6.ts'
import { IPV4_UNICAST, IPV6_UNICAST, nameOfFamily } from '../wire/capabilities.ts'
import type { Dialect } from '../wire/dialect.ts'
import { type Frame, Framer } from '../wire/framing.ts'
import { decodeNotification, describeNotification } from '../wire/notification.ts'
import { decodeRouteRefresh } from '../wire/route-refresh.ts'
import { decodeUpdate } from '../wire/update.ts'
import { fromLine, isMoment, type Moment, toLine } from './format.ts'
import { replay } from './replay.ts'

const DIALECT: Dialect = {
  kind: 'internal',
  asnOctets: 4,
  multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: false },
}
/** What a real router says in its recording, whoever it is. */
const SAID = [
  'open',
  'keepalive',
  'refresh: ask',
  'refresh: begin',
  'refresh: end',
  'end of ipv4-unicast',
  'end of ipv6-unicast',
  'told 10.20.0.0/24',
  'told 2001:db8:20::/48',
  'told 10.66.0.0/24',
  'withdrawn 10.20.0.0/24',
  'cease, administrative shutdown (6/2): "upgrade"',
  // ORIGIN to COMMUNITIES, MP_REACH, EXTENDED_COMMUNITIES, LARGE_COMMUNITY, and one that nobody knows.
  ...[1, 2, 3, 4, 5, 6, 7, 8, 14, 16, 32, 99].map(code => `attribute ${code}`),
]
const MED_77 = Buffer.from('8004040000004d', 'hex')
const MED_78 = Buffer.from('8004040000004e', 'hex')

for (const name of ['bird', 'frr'])
  describe(`a talk with a real ${name}`, () => {
    const file = join(import.meta.dirname, 'conversations', `${name}.jsonl`)
    const lines = readFileSync(file, 'utf8').trim().split('\n')

    test('has all that a session may see', () => {
      const said = new Set(lines.map(momentIn).flatMap(framesIn(new Map())).flatMap(sayFrame))
      assert.deepEqual(
        SAID.filter(each => !said.has(each)),
        [],
      )
      assert.ok(lines.join().length < 100_000)
    })

    test('replays to the same octets', async () => {
      const { difference, events, outputs } = await replay(file, lines)
      assert.equal(difference, undefined)
      assert.ok(events > 40 && outputs > 30, `${events} events, ${outputs} things done`)
    })

    test('has its routes in the table in the middle of it, with their attributes', async () => {
      const before = lines.findIndex(line => line.includes('"method":"clear"'))
      const { speaker } = await replay(file, lines.slice(0, before))
      const table = [...speaker.routes()].filter(({ source }) => source.kind !== 'local')
      assert.deepEqual(
        table
          .map(({ key, attributes: { nextHop, nextHop6, med, localPref, asPath } }) => {
            const via = nextHop6 === undefined ? formatIpv4(nextHop) : formatIpv6(nextHop6.address)
            return `${key} via ${via}, MED ${med}, LOCAL_PREF ${localPref}, path ${asPath.flatMap(({ asns }) => asns).join(' ')}`
          })
          .filter(line => !line.includes('65003'))
          .toSorted(),
        [
          '10.20.0.0/24 via 10.9.0.2, MED 77, LOCAL_PREF 250, path ',
          '10.21.0.0/24 via 10.9.0.2, MED 77, LOCAL_PREF 250, path ',
          '2001:db8:20::/48 via fd00:9::2, MED 77, LOCAL_PREF 250, path ',
        ],
      )
      const foreign = table.find(({ key }) => key === '10.66.0.0/24')?.attributes
      assert.deepEqual(foreign?.asPath, [{ kind: 'sequence', asns: [65003, 4_200_000_000, 65004] }])
      assert.deepEqual(
        foreign?.opaque.map(({ code, partial, body }) => [code, partial, ...body]),
        [[99, true, 1, 2, 3]],
      )
    })

    test('P0: with one octet of an attribute changed, something else is said', async () => {
      const at = lines.findIndex(line => bytesIn(line)?.includes(MED_77) === true)
      const { difference } = await replay(file, lines.with(at, changed(lines[at] ?? '', MED_77, MED_78)))
      assert.match(
        difference?.says ?? '',
        /it did send on stream \d+: .*4e.* where the recorded one did send on stream \d+: .*4d/,
      )
      assert.ok((difference?.line ?? 0) > at)
    })

    test('P0: with one octet of a marker changed, the session ends there', async () => {
      const at = lines.findIndex(line => bytesIn(line)?.includes(MED_77) === true)
      const { difference } = await replay(file, lines.with(at, changed(lines[at] ?? '', Buffer.of(0xff), Buffer.of(0xfe))))
      assert.equal(difference?.line, at + 1)
      assert.match(difference.says, /it did send on stream \d+: f{32}0015030101 where the recorded one did /)
    })
  })

function momentIn(line: string): Moment | undefined {
  const value = fromLine(line)
  return isMoment(value) ? value : undefined
}

/** Whole messages that arrived, stream by stream. */
function framesIn(framers: Map<number, Framer>): (moment: Moment | undefined) => readonly Frame[] {
  return moment => {
    if (moment?.input.is !== 'data') return []
    const { wire, bytes } = moment.input
    const framer = framers.get(wire) ?? new Framer()
    framers.set(wire, framer)
    return [...framer.push(bytes)].flatMap(framed => (framed.is === 'frame' ? [framed.frame] : []))
  }
}

function sayFrame({ kind, body }: Frame): readonly string[] {
  switch (kind) {
    case 'routeRefresh': {
      const said = decodeRouteRefresh(body)
      return [`refresh: ${said.is === 'refresh' ? said.kind : said.is}`]
    }
    case 'notification':
      return [describeNotification(decodeNotification(body))]
    case 'update':
      return sayUpdate(body)
    default:
      return [kind]
  }
}

function sayUpdate(body: Uint8Array): readonly string[] {
  const said = decodeUpdate(body, DIALECT)
  if (said.is === 'end-of-rib') return [`end of ${nameOfFamily(said.family)}`]
  if (said.is === 'reset') return [said.says]
  const gone = [...said.withdrawn, ...said.ipv6.withdrawn]
  const come = [...said.announced, ...said.ipv6.announced].flatMap(({ prefixes }) => prefixes.map(formatAnyPrefix))
  return [
    ...gone.map(each => `withdrawn ${formatAnyPrefix(each)}`),
    ...come.map(each => `told ${each}`),
    ...codesIn(body).map(code => `attribute ${code}`),
  ]
}

function codesIn(body: Uint8Array): readonly number[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const codes: number[] = []
  let at = view.getUint16(0) + 4
  const end = at + view.getUint16(at - 2)
  while (at < end) {
    codes.push(view.getUint8(at + 1))
    const isLong = (view.getUint8(at) & 0x10) !== 0
    at += isLong ? 4 + view.getUint16(at + 2) : 3 + view.getUint8(at + 2)
  }
  return codes
}

function bytesIn(line: string): Buffer | undefined {
  const input = momentIn(line)?.input
  return input?.is === 'data' ? Buffer.from(input.bytes) : undefined
}

/** The same event with other octets in what arrived, where the first of these stand. */
function changed(line: string, from: Buffer, to: Buffer): string {
  const moment = momentIn(line)
  assert.ok(moment?.input.is === 'data')
  const bytes = Buffer.from(moment.input.bytes)
  bytes.set(to, bytes.indexOf(from))
  return toLine({ ...moment, input: { ...moment.input, bytes: new Uint8Array(bytes) } })
}
