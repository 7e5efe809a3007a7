/** What a rule of a policy may say of packets; shared by the kinds of policies. */

import { list, map, object } from '../schema/compound.ts'
import { type Field, leaf, named, optional, refuse, standard } from '../schema/field.ts'
import { net } from '../schema/network.ts'
import { choice, name, text, whole } from '../schema/plain.ts'
import { selector } from '../selector/field.ts'

export const MAX_RULES = 1024

const PROTOCOLS = ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite'] as const

/** A protocol by name or by number. */
function protocol(doc: string): Field<string | number> {
  return leaf<string | number>({
    doc,
    type: 'protocol',
    bounds: `${PROTOCOLS.join(', ')} or 1 to 255`,
    json: { 'x-kubernetes-int-or-string': true },
    read(input, at, told) {
      const found = PROTOCOLS.find(one => typeof input === 'string' && one.toLowerCase() === input.toLowerCase())
      if (found !== undefined) return found
      const number = typeof input === 'string' && /^\d{1,3}$/.test(input) ? Number(input) : input
      if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 255) return number
      return refuse(told, at, `must be one of ${PROTOCOLS.join(', ')} or a number from 1 to 255, not ${named(input)}`)
    },
    write: value => value,
  })
}

const PORT_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,126}[A-Za-z0-9])?$/

/** A port: a number, a range `8000:8100`, or the name that an endpoint gives it. */
function portMatch(doc: string): Field<string | number> {
  return leaf<string | number>({
    doc,
    type: 'port',
    bounds: '0 to 65535, a range such as 8000:8100, or a name',
    json: { 'x-kubernetes-int-or-string': true },
    read(input, at, told) {
      const value = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input
      if (typeof value === 'number' && isPort(value)) return value
      if (typeof value === 'string' && isRangeOrName(value)) return value
      return refuse(told, at, `must be 0 to 65535, a range such as 8000:8100, or the name of a port, not ${named(input)}`)
    },
    write: value => value,
  })
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535
}

function isRangeOrName(value: string): boolean {
  const [, from, to] = /^(\d+):(\d+)$/.exec(value) ?? []
  if (from !== undefined && to !== undefined) return isPort(Number(from)) && isPort(Number(to)) && Number(from) <= Number(to)
  return PORT_NAME.test(value)
}

const nets = (doc: string) => optional(list(doc, net('One of them.')))
const ports = (doc: string) => optional(list(doc, portMatch('One of them.')))
const selected = (doc: string) => optional(selector(doc, { global: true }))

const entity = (doc: string) =>
  object(
    doc,
    {
      nets: nets('Addresses in one of these.'),
      notNets: nets('Addresses in none of these.'),
      selector: selected('Endpoints and network sets with such labels.'),
      notSelector: selected('Everything but endpoints and network sets with such labels.'),
      namespaceSelector: selected('In namespaces with such labels; global() for what is in none.'),
      ports: ports('One of these ports.'),
      notPorts: ports('None of these ports.'),
      serviceAccounts: optional(
        object('Pods that run as one of these service accounts.', {
          names: optional(list('By name.', name('One of them.'))),
          selector: selected('By label.'),
        }),
      ),
      services: optional(
        object('The endpoints of a service.', {
          name: name('The service.'),
          namespace: optional(name('Its namespace; left out: that of the policy.', 63)),
        }),
      ),
    },
    { lacking: { domains: [[]] } },
  )

const icmp = (doc: string) =>
  object(
    doc,
    { type: optional(whole('ICMP type.', { min: 0, max: 254 })), code: optional(whole('ICMP code.', { min: 0, max: 255 })) },
    {
      rules: rule => [
        rule(['type', 'code'], {
          at: 'code',
          holds: ({ type, code }) => code === undefined || type !== undefined,
          says: 'needs type',
        }),
      ],
    },
  )

const WITH_PORTS: readonly unknown[] = ['TCP', 'UDP', 'SCTP', 'UDPLite', 6, 17, 132, 136]
const ICMP: readonly unknown[] = ['ICMP', 'ICMPv6', 1, 58]

interface Entity {
  readonly ports: readonly unknown[] | undefined
  readonly notPorts: readonly unknown[] | undefined
}

export const policyRule = object(
  'A rule: what it says of a packet must all be so, and the first rule that fits decides.',
  {
    action: choice('What happens to the packet; Pass leaves it to the next tier.', ['Allow', 'Deny', 'Log', 'Pass'], {
      former: { 'next-tier': 'Pass', 'pass-to-next-tier': 'Pass' },
    }),
    ipVersion: optional(whole('4 or 6.', { min: 4, max: 6 })),
    protocol: optional(protocol('Only this protocol.')),
    notProtocol: optional(protocol('Any protocol but this.')),
    icmp: optional(icmp('Only such ICMP messages.')),
    notICMP: optional(icmp('Any but such ICMP messages.')),
    source: standard(entity('Where the packet comes from.'), noEntity()),
    destination: standard(entity('Where the packet goes to.'), noEntity()),
    metadata: optional(
      object('About the rule.', { annotations: optional(map('For people and tools.', text('Any text.', { min: 0 }))) }),
    ),
  },
  {
    lacking: { http: [{}] },
    rules: rule => [
      rule(['ipVersion'], {
        at: 'ipVersion',
        holds: ({ ipVersion }) => ipVersion !== 5,
        says: 'must be 4 or 6',
      }),
      rule(['protocol', 'source', 'destination'], {
        at: 'protocol',
        holds: ({ protocol: one, source, destination }) =>
          WITH_PORTS.includes(one) || (!hasPorts(source) && !hasPorts(destination)),
        says: 'must be TCP, UDP, SCTP or UDPLite where the rule names ports',
      }),
      rule(['protocol', 'icmp', 'notICMP'], {
        at: 'protocol',
        holds: ({ protocol: one, icmp: is, notICMP }) => (is === undefined && notICMP === undefined) || ICMP.includes(one),
        says: 'must be ICMP or ICMPv6 where the rule names ICMP messages',
      }),
    ],
  },
)

function hasPorts(of: Entity): boolean {
  return of.ports !== undefined || of.notPorts !== undefined
}

/** Says nothing, so it fits every packet. */
function noEntity() {
  return {
    nets: undefined,
    notNets: undefined,
    selector: undefined,
    notSelector: undefined,
    namespaceSelector: undefined,
    ports: undefined,
    notPorts: undefined,
    serviceAccounts: undefined,
    services: undefined,
  }
}
