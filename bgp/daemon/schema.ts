/** What may stand in a configuration file of cali-bgpd. */
import * as v from 'valibot'
import {
  address6Field,
  addressField,
  anyAddressField,
  asnField,
  asPathField,
  communityField,
  communityPatternField,
  extendedCommunityField,
  extendedCommunityPatternField,
  familyField,
  flag,
  interfaceField,
  largeCommunityField,
  largeCommunityPatternField,
  nextHopField,
  passwordField,
  peerField,
  prefixesField,
  prefixField,
  prefixRangeField,
  remoteAsnField,
  shorthand,
  u32Field,
  whole,
  words,
} from './fields.ts'

const MAPPING = 'must be a mapping'
const listOf = <S extends v.GenericSchema>(schema: S) => v.array(schema, 'must be a list')
const named = <S extends v.GenericSchema>(schema: S) => v.record(v.string(), schema, 'must be a mapping from names')
const oneOf = <const O extends readonly [string, ...string[]]>(...options: O) =>
  v.picklist(options, `must be one of ${options.join(', ')}`)

const originField = oneOf('igp', 'egp', 'incomplete')

/** Conditions of a rule: all that stand there must hold. */
const matchFields = {
  prefixes: v.optional(listOf(prefixesField)),
  family: v.optional(oneOf('ipv4', 'ipv6')),
  asPath: v.optional(asPathField),
  asPathLength: v.optional(
    v.strictObject(
      {
        atLeast: v.optional(whole('Shortest length that counts.', 0, 65535)),
        atMost: v.optional(whole('Longest length that counts.', 0, 65535)),
      },
      MAPPING,
    ),
  ),
  communities: v.optional(listOf(communityPatternField)),
  largeCommunities: v.optional(listOf(largeCommunityPatternField)),
  extendedCommunities: v.optional(listOf(extendedCommunityPatternField)),
  origin: v.optional(originField),
  source: v.optional(oneOf('local', 'internal', 'external')),
}
const matchSchema = v.strictObject({ ...matchFields, not: v.optional(v.strictObject(matchFields, MAPPING)) }, MAPPING)

/** Lists are changed in this order: replaced, removed from, added to. */
const listChange = <A extends v.GenericSchema, R extends v.GenericSchema>(values: A, patterns: R) =>
  v.optional(
    v.strictObject(
      { replace: v.optional(listOf(values)), remove: v.optional(listOf(patterns)), add: v.optional(listOf(values)) },
      MAPPING,
    ),
  )

const setSchema = v.strictObject(
  {
    weight: v.optional(whole('Counts before LOCAL_PREF, in this speaker only.', 0, 65535)),
    localPref: v.optional(u32Field('LOCAL_PREF.')),
    med: v.optional(
      v.union([u32Field('MULTI_EXIT_DISC.'), oneOf('none')], 'must be a whole number from 0 to 4294967295, or none'),
    ),
    origin: v.optional(originField),
    communities: listChange(communityField, communityPatternField),
    largeCommunities: listChange(largeCommunityField, largeCommunityPatternField),
    extendedCommunities: listChange(extendedCommunityField, extendedCommunityPatternField),
    prepend: v.optional(v.strictObject({ asn: v.optional(asnField), times: v.optional(whole('How often.', 1, 50), 1) }, MAPPING)),
    nextHop: v.optional(nextHopField),
  },
  MAPPING,
)

const policySchema = v.strictObject(
  {
    rules: v.optional(
      listOf(
        v.strictObject(
          {
            name: v.optional(words('What "why" calls the rule.')),
            match: v.optional(matchSchema, {}),
            set: v.optional(setSchema, {}),
            verdict: oneOf('accept', 'reject', 'continue'),
          },
          MAPPING,
        ),
      ),
      [],
    ),
    otherwise: v.optional(oneOf('accept', 'reject'), 'reject'),
  },
  MAPPING,
)

const policyNames = v.optional(listOf(words('The name of a policy.')))

/** Next hops in what the peer is told: our own also where they would stay, our own even in reflected routes, or as heard. */
const hopRule = oneOf('self', 'self-always', 'unchanged')

const addPathFields = {
  send: v.optional(
    v.union(
      [oneOf('all'), whole('So many of the best paths of each prefix.', 1, 256)],
      'must be all, or a whole number from 1 to 256',
    ),
  ),
  receive: v.optional(flag('The peer may tell several paths of a prefix.')),
}
/** Several paths of a prefix (RFC 7911), for all families or for one. */
const addPathSchema = v.strictObject(
  {
    ...addPathFields,
    ipv4: v.optional(v.strictObject(addPathFields, MAPPING)),
    ipv6: v.optional(v.strictObject(addPathFields, MAPPING)),
  },
  MAPPING,
)

/** What may be said of a peer, of a group of them, and of those that come unnamed. */
const sessionFields = {
  families: v.optional(listOf(familyField)),
  holdTime: v.optional(whole('Seconds; 0: no timers.', 0, 65535)),
  minHoldTime: v.optional(whole('Shortest hold time of the peer that is taken, in seconds.', 3, 65535)),
  connectRetry: v.optional(whole('Seconds between attempts to connect.', 1, 3600)),
  port: v.optional(whole('TCP port of the peer.', 1, 65535)),
  localAddress: v.optional(anyAddressField),
  password: v.optional(passwordField),
  bfd: v.optional(
    v.strictObject(
      {
        minTx: v.optional(whole('Milliseconds between two packets that are sent.', 100, 60_000), 300),
        minRx: v.optional(whole('Milliseconds between two packets that are taken.', 100, 60_000), 300),
        multiplier: v.optional(whole('So many packets in a row may be lost.', 3, 255), 3),
        multihop: v.optional(flag('The peer is not on the link (RFC 5883).'), false),
        strict: v.optional(flag('No session before BFD is up.'), false),
      },
      MAPPING,
    ),
  ),
  ttlSecurity: v.optional(
    whole('The peer is at most so many hops away, 1 on the link; both ends must ask for it (RFC 5082).', 1, 254),
  ),
  ttl: v.optional(whole('Time to live of what is sent to the peer.', 1, 255)),
  device: v.optional(words('The interface that the session is bound to.', 15)),
  passive: v.optional(flag('Wait for the peer to connect.')),
  localAs: v.optional(
    v.strictObject(
      {
        asn: asnField,
        replace: v.optional(flag('The real AS is left out of paths towards the peer.'), false),
        noPrepend: v.optional(flag('It is not put into paths that the peer tells.'), false),
      },
      MAPPING,
    ),
  ),
  routeReflectorClient: v.optional(flag('Everything is reflected to this internal peer (RFC 4456).')),
  allowOwnAs: v.optional(whole('How often our AS may be in a path of the peer.', 0, 10)),
  asOverride: v.optional(flag('The AS of the peer becomes ours in paths towards it.')),
  skipLoops: v.optional(flag('Paths that the AS of the peer is in are not told to it: it would drop them.')),
  removePrivateAs: v.optional(flag('Private AS numbers are taken out of paths towards the peer.')),
  routeServer: v.optional(flag('The first AS of a path need not be the one of the peer.')),
  role: v.optional(oneOf('provider', 'rs', 'rs-client', 'customer', 'peer')),
  strictRole: v.optional(flag('A peer that does not say its role gets no session (RFC 9234).')),
  acceptAsSets: v.optional(flag('Paths with AS_SETs are used, against RFC 9774.')),
  routeServerClient: v.optional(flag('Routes of others pass to this external peer as they were told (RFC 7947).')),
  nextHops: v.optional(v.strictObject({ ipv4: v.optional(hopRule), ipv6: v.optional(hopRule) }, MAPPING)),
  weight: v.optional(whole('Counts before LOCAL_PREF, in this speaker only: the higher wins.', 0, 65535)),
  advertisementInterval: v.optional(
    whole('Announcements wait until this many milliseconds after the last ones; withdrawals never wait.', 0, 600_000),
  ),
  maxPrefixes: v.optional(
    v.strictObject(
      {
        limit: whole('One more ends the session.', 1, 4294967295),
        warnAt: v.optional(whole('Percent of the limit from which on it is logged.', 1, 100), 80),
        restartAfter: v.optional(whole('Seconds until the session may come again; left out: never.', 1, 86400)),
      },
      MAPPING,
    ),
  ),
  addPath: v.optional(addPathSchema),
  maxPaths: v.optional(whole('Paths of one prefix that the peer may tell; one more ends the session. Left out: 256.', 1, 65535)),
  import: policyNames,
  export: policyNames,
  ipv4OverIpv6: v.optional(
    flag('IPv4 routes may have IPv6 next hops (RFC 8950). Left out: only with a peer by its link-local address.'),
  ),
  localAddress4: v.optional(addressField),
  localAddress6: v.optional(address6Field),
  drain: v.optional(flag('The session is about to end: routes are told as the last resort, and taken as such (RFC 8326).')),
  shutdown: v.optional(words('Keeps the session down; the peer is told these words.')),
}

const neighbourSchema = shorthand(
  'address',
  v.strictObject(
    {
      address: v.optional(peerField),
      interface: v.optional(interfaceField),
      asn: v.optional(remoteAsnField),
      name: v.optional(words('For people.')),
      group: v.optional(words('The name of a group, whose settings hold where none stand here.')),
      ...sessionFields,
    },
    MAPPING,
  ),
)

const dynamicSchema = v.strictObject(
  {
    prefix: prefixField,
    asn: remoteAsnField,
    limit: v.optional(whole('More peers at a time are refused.', 1, 100_000), 10_000),
    group: v.optional(words('The name of a group.')),
    ...sessionFields,
  },
  MAPPING,
)

const originationSchema = shorthand(
  'prefix',
  v.strictObject(
    {
      prefix: prefixField,
      med: v.optional(u32Field('MULTI_EXIT_DISC.')),
      communities: v.optional(listOf(communityField)),
      largeCommunities: v.optional(listOf(largeCommunityField)),
    },
    MAPPING,
  ),
)

/** A station that hears everything by BMP (RFC 7854). */
const bmpSchema = v.strictObject(
  {
    host: words('Name or address of the station.'),
    port: v.optional(whole('TCP port.', 1, 65535), 11019),
    statistics: v.optional(whole('Seconds between reports of statistics; 0: none.', 0, 86400), 60),
  },
  MAPPING,
)

/** Files in MRT (RFC 6396). */
const mrtSchema = v.strictObject(
  {
    messages: v.optional(words('File to whose end every message goes.', 4096)),
    tables: v.optional(
      v.strictObject(
        {
          directory: words('Where dumps of the whole table go.', 4096),
          every: v.optional(whole('Seconds between two dumps.', 60, 86400), 7200),
        },
        MAPPING,
      ),
    ),
  },
  MAPPING,
)

/** An address of the machine, or `0.0.0.0` or `::` for all of its family. */
const listenSchema = v.strictObject({ address: anyAddressField, port: v.optional(whole('TCP port.', 1, 65535), 179) }, MAPPING)

export const SCHEMA_TITLE = 'Configuration of cali-bgpd'

export const configSchema = v.strictObject(
  {
    routerId: addressField,
    asn: asnField,
    listen: v.optional(listenSchema),
    alsoListen: v.optional(listOf(listenSchema), []),
    control: v.optional(words('Path of the socket for "cali-bgpd show".', 100)),
    routeReflector: v.optional(
      v.strictObject(
        {
          clusterId: v.optional(addressField),
          clientToClient: v.optional(
            flag('False: clients peer with each other and are not told what the others say (RFC 4456).'),
            true,
          ),
        },
        MAPPING,
      ),
    ),
    families: v.optional(listOf(familyField)),
    holdTime: v.optional(whole('Seconds; 0: no timers.', 0, 65535), 90),
    connectRetry: v.optional(whole('Seconds between attempts to connect.', 1, 3600), 5),
    gracefulRestart: v.optional(
      v.strictObject(
        {
          restartTime: v.optional(whole('Seconds that peers keep our routes.', 0, 4095), 120),
          notification: v.optional(flag('Routes are kept over a NOTIFICATION too (RFC 8538).'), false),
          longLived: v.optional(
            v.strictObject(
              {
                staleTime: whole(
                  'Seconds that peers keep our routes as the last resort after the restart time (RFC 9494).',
                  1,
                  16777215,
                ),
                lastResortInside: v.optional(
                  flag('Peers inside that take no part are told of such routes too, with NO_EXPORT and LOCAL_PREF 0.'),
                ),
              },
              MAPPING,
            ),
          ),
        },
        MAPPING,
      ),
      {},
    ),
    externalWithoutPolicy: v.optional(oneOf('refuse', 'accept'), 'refuse'),
    decision: v.optional(
      v.strictObject(
        {
          alwaysCompareMed: v.optional(flag('MED is compared between neighbours of different AS.')),
          missingMedWorst: v.optional(flag('A missing MED is the worst.')),
          ignoreAsPathLength: v.optional(flag('AS path length does not count.')),
          ignoreRouterId: v.optional(flag('The router id of the peer does not count.')),
          multipath: v.optional(whole('Paths used together at most.', 1, 128)),
          multipathRelax: v.optional(flag('For multipath, AS paths need only be of equal length.')),
        },
        MAPPING,
      ),
      {},
    ),
    prefixSets: v.optional(named(listOf(prefixRangeField)), {}),
    policies: v.optional(named(policySchema), {}),
    groups: v.optional(named(v.strictObject({ asn: v.optional(remoteAsnField), ...sessionFields }, MAPPING)), {}),
    neighbours: v.optional(listOf(neighbourSchema), []),
    dynamicNeighbours: v.optional(listOf(dynamicSchema), []),
    originate: v.optional(listOf(originationSchema), []),
    bmp: v.optional(listOf(bmpSchema), []),
    mrt: v.optional(mrtSchema, {}),
    lookingGlass: v.optional(
      v.strictObject(
        {
          address: v.optional(words('Where to listen; 127.0.0.1 when left out.'), '127.0.0.1'),
          port: whole('TCP port.', 1, 65535),
        },
        MAPPING,
      ),
    ),
  },
  MAPPING,
)

export type Config = v.InferOutput<typeof configSchema>
export type Neighbour = Config['neighbours'][number]
export type DynamicNeighbour = Config['dynamicNeighbours'][number]
export type Group = Config['groups'][string]
export type PolicyConfig = Config['policies'][string]
