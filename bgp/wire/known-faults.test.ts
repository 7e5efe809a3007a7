/** What ended, reset or crossed other speakers between 2021 and 2026: each input gets its verdict here. RFC 7606. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatAnyPrefix } from '@network/base/net/any-prefix.ts'
import { rawOpen } from '../testing/raw-peer.ts'
import { IPV4_UNICAST, IPV6_UNICAST } from './capabilities.ts'
import type { Dialect } from './dialect.ts'
import { decodeOpen, encodeOpen } from './open.ts'
import { decodeUpdate } from './update.ts'

const INSIDE: Dialect = {
  kind: 'internal',
  asnOctets: 4,
  multiprotocol: { families: [IPV4_UNICAST, IPV6_UNICAST], ipv6NextHop: false },
}
const TWO_OCTETS: Dialect = { ...INSIDE, asnOctets: 2 }
const NET = '180a0100'
const ORIGIN = '40010100'
const PATH = '40020602010000fde9'
const PATH2 = '4002040201fde9'
const HOP = '400304c0000201'
const PREF = '40050400000064'
const SOUND = ORIGIN + PATH + HOP + PREF

const UPDATES: readonly { by: string; attributes: string; networks?: string; dialect?: Dialect; is: string }[] = [
  { by: 'TUNNEL_ENCAP of rubbish (FRR, JunOS, EXOS, OpenBGPD)', attributes: `${SOUND}c01703ffffff`, is: '+10.1.0.0/24' },
  { by: 'only an unknown transitive attribute (FRR)', attributes: 'c06301aa', is: '-10.1.0.0/24' },
  { by: 'no attributes at all (FRR)', attributes: '', is: '-10.1.0.0/24' },
  { by: 'MP_REACH of three octets (GoBGP)', attributes: `800e03000101${SOUND}`, is: 'reset 3/9' },
  {
    by: 'MP_REACH with a bad next hop, of a family that is spoken (FRR)',
    attributes: `800e0a000201040a00000100${SOUND}`,
    is: 'reset 3/9',
  },
  { by: 'MP_REACH of FlowSpec without rules (FRR, GoBGP)', attributes: `800e0600018500000${'0'}${SOUND}`, is: '+10.1.0.0/24' },
  {
    by: 'MP_REACH of labels that run past the end (FRR)',
    attributes: `800e0c0001040400000000002000ff${SOUND}`,
    is: '+10.1.0.0/24',
  },
  { by: 'MP_UNREACH and broken attributes beside it (FRR)', attributes: `800f0300020140010107`, networks: '', is: 'reset 3/1' },
  { by: 'an unknown attribute that calls itself well-known (GoBGP)', attributes: `${SOUND}406301aa`, is: 'reset 3/2' },
  { by: 'ORIGIN without the transitive flag (GoBGP)', attributes: `00010100${PATH}${HOP}${PREF}`, is: '-10.1.0.0/24' },
  {
    by: 'AS4_PATH longer than AS_PATH (GoBGP)',
    attributes: `${ORIGIN}${PATH2}${HOP}${PREF}c0110a02020000fde900010000`,
    dialect: TWO_OCTETS,
    is: '+10.1.0.0/24',
  },
  {
    by: 'AS_PATH of no octets from outside (GoBGP)',
    attributes: `${ORIGIN}400200${HOP}`,
    dialect: { ...INSIDE, kind: 'external' },
    is: '+10.1.0.0/24',
  },
  {
    by: 'an attribute that is too long in the middle (GoBGP, FRR)',
    attributes: `${ORIGIN}4002ff02010000fde9${HOP}`,
    is: '-10.1.0.0/24',
  },
  { by: 'NEXT_HOP of three octets (GoBGP)', attributes: `${ORIGIN}${PATH}400303c00002${PREF}`, is: '-10.1.0.0/24' },
  { by: 'IPV6_EXTENDED_COMMUNITIES of seven octets (GoBGP)', attributes: `${SOUND}c01907${'00'.repeat(7)}`, is: '-10.1.0.0/24' },
  { by: 'ONLY_TO_CUSTOMER of 1024 octets (BIRD)', attributes: `${SOUND}d0230400${'00'.repeat(1024)}`, is: '-10.1.0.0/24' },
  { by: 'PREFIX_SID cut short (FRR)', attributes: `${SOUND}c02803010007`, is: '+10.1.0.0/24' },
  { by: 'AIGP with a length of nothing (FRR)', attributes: `${SOUND}801a03010000`, is: '+10.1.0.0/24' },
  { by: 'AS 0 in a path (taken by BIRD)', attributes: `${ORIGIN}40020602010000000${'0'}${HOP}${PREF}`, is: '-10.1.0.0/24' },
  { by: 'a prefix cut short (3/1 by BIRD)', attributes: SOUND, networks: '180a01', is: 'reset 3/10' },
]

const OPENS: readonly { by: string; parameters: string; is: string }[] = [
  { by: 'extended parameters that are not there (FRR)', parameters: 'ff', is: '2/0' },
  { by: 'extended parameters that run past the end (FRR)', parameters: 'ffff0010024000', is: '2/0' },
  { by: 'a hostname whose inner length runs over (FRR, GoBGP)', parameters: '0206' + '4904ff616263', is: 'ok' },
  { by: 'a version of software of no octets (FRR, GoBGP)', parameters: '0202' + '4b00', is: 'ok' },
  { by: 'long-lived restart of five octets (FRR)', parameters: '0207' + '470500010100ff', is: 'ok' },
  { by: 'graceful restart of three octets (FRR)', parameters: '0205' + '4003007800', is: 'ok' },
  { by: 'outbound filters one octet short (FRR)', parameters: '0206' + '030400010001', is: 'ok' },
  { by: 'IPv4 over IPv6 without families (ExaBGP)', parameters: '0202' + '0500', is: 'ok' },
  { by: 'a capability that runs past its parameter', parameters: '0203' + '410400', is: '2/0' },
]

describe('an UPDATE with', () => {
  for (const { by, attributes, networks = NET, dialect = INSIDE, is } of UPDATES)
    test(`${by}: ${is}`, () => assert.equal(verdictOn(attributes, networks, dialect), is))
})

describe('an OPEN with', () => {
  for (const { by, parameters, is } of OPENS)
    test(`${by}: ${is}`, () => {
      const fixed = encodeOpen(rawOpen()).subarray(19, 28)
      const decoded = decodeOpen(Uint8Array.of(...fixed, parameters.length / 2, ...Buffer.from(parameters, 'hex')))
      assert.equal(decoded.ok ? 'ok' : `${decoded.notification.code}/${decoded.notification.subcode}`, is)
    })
})

function verdictOn(attributes: string, networks: string, dialect: Dialect): string {
  const block = Buffer.from(attributes, 'hex')
  const body = Uint8Array.of(0, 0, block.length >> 8, block.length & 255, ...block, ...Buffer.from(networks, 'hex'))
  const said = decodeUpdate(body, dialect)
  if (said.is === 'reset') return `reset ${said.notification.code}/${said.notification.subcode}`
  if (said.is === 'end-of-rib') return 'end of RIB'
  const announced = said.announced.flatMap(({ prefixes }) => prefixes)
  return [...announced.map(each => `+${formatAnyPrefix(each)}`), ...said.withdrawn.map(each => `-${formatAnyPrefix(each)}`)].join(
    ' ',
  )
}
