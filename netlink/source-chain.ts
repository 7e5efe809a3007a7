/**
 * A chain of family `netdev` that hears one device and sorts what comes in by its source: how the messages read that add or delete it.
 * linux/netfilter/nf_tables.h; written as nft(8) writes the same rules, which so prints them like its own.
 */
import type { Writer } from '@network/base/bytes/writer.ts'
import type { Ipv4 } from '@network/base/net/ipv4.ts'
import { FLAG, writeAttribute, writeText } from './wire.ts'

/** A chain has the name of its device. */
export interface ChainChange {
  readonly chain: string
  /** `change`: other rules. */
  readonly verb: 'add' | 'change' | 'delete'
  /** Of family `netdev`. */
  readonly table: string
  readonly priority: number
  /** IPv4 from one of these goes to the first of the two chains, all else to the second. */
  readonly sources: readonly Ipv4[]
  readonly goTo: readonly [string, string]
}

/** A message without its header. */
export interface Part {
  readonly message: number
  readonly family: number
  readonly flags: number
  readonly write: (writer: Writer) => void
}

/** NFPROTO_NETDEV. */
const NETDEV = 5
const MESSAGE = { newChain: 3, getChain: 4, deleteChain: 5, newRule: 6, deleteRules: 8 }
export const CHAIN_FOUND = MESSAGE.newChain
const CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 }
const HOOK = { number: 1, priority: 2, device: 3 }
const INGRESS = 0
const ACCEPT = 1
const RULE = { table: 1, chain: 2, expressions: 4 }
const ELEMENT = 1
const EXPRESSION = { name: 1, data: 2 }
const META = { register: 1, key: 2, protocol: 1 }
const COMPARE = { register: 1, operator: 2, data: 3, equal: 0 }
const PAYLOAD = { register: 1, base: 2, offset: 3, length: 4, networkHeader: 1 }
const IMMEDIATE = { register: 1, data: 2 }
const DATA = { value: 1, verdict: 2 }
const VERDICT = { code: 1, chain: 2, goTo: -4 }
const VERDICT_REGISTER = 0
const REGISTER = 1
const NESTED = 0x8000
const APPEND = 0x800
const ETHERTYPE_IPV4 = 0x0800
/** Of the source in an IPv4 header. */
const SOURCE = { offset: 12, length: 4 }

/** In order; the chain before its rules. */
export function chainParts(change: ChainChange): Part[] {
  if (change.verb === 'delete') return [named(MESSAGE.deleteChain, change)]
  const [known, others] = change.goTo
  const rules = change.sources.map(source => (list: Writer) => {
    compareProtocol(list)
    compareSource(list, source)
    goTo(list, known)
  })
  const before = change.verb === 'add' ? newChain(change) : emptying(change)
  return [before, ...[...rules, (list: Writer) => goTo(list, others)].map(rule => newRule(change, rule))]
}

/** Asks whether there is one. */
export function chainQuestion(change: ChainChange): Part {
  return named(MESSAGE.getChain, change)
}

function named(message: number, { table, chain }: ChainChange): Part {
  return {
    ...{ message, family: NETDEV, flags: 0 },
    write: writer => {
      text(writer, CHAIN.table, table)
      text(writer, CHAIN.name, chain)
    },
  }
}

/** Takes out all rules. */
function emptying({ table, chain }: ChainChange): Part {
  return {
    ...{ message: MESSAGE.deleteRules, family: NETDEV, flags: 0 },
    write: writer => {
      text(writer, RULE.table, table)
      text(writer, RULE.chain, chain)
    },
  }
}

function newChain({ table, chain, priority }: ChainChange): Part {
  return {
    ...{ message: MESSAGE.newChain, family: NETDEV, flags: FLAG.create | FLAG.exclusive },
    write: writer => {
      text(writer, CHAIN.table, table)
      text(writer, CHAIN.name, chain)
      nested(writer, CHAIN.hook, hook => {
        number(hook, HOOK.number, INGRESS)
        number(hook, HOOK.priority, priority)
        text(hook, HOOK.device, chain)
      })
      number(writer, CHAIN.policy, ACCEPT)
      text(writer, CHAIN.type, 'filter')
    },
  }
}

function newRule({ table, chain }: ChainChange, expressions: (list: Writer) => void): Part {
  return {
    ...{ message: MESSAGE.newRule, family: NETDEV, flags: FLAG.create | APPEND },
    write: writer => {
      text(writer, RULE.table, table)
      text(writer, RULE.chain, chain)
      nested(writer, RULE.expressions, expressions)
    },
  }
}

function compareProtocol(list: Writer): void {
  expression(list, 'meta', data => {
    number(data, META.key, META.protocol)
    number(data, META.register, REGISTER)
  })
  compare(list, value => value.u8(ETHERTYPE_IPV4 >> 8).u8(ETHERTYPE_IPV4 & 0xff))
}

function compareSource(list: Writer, source: Ipv4): void {
  expression(list, 'payload', data => {
    number(data, PAYLOAD.register, REGISTER)
    number(data, PAYLOAD.base, PAYLOAD.networkHeader)
    number(data, PAYLOAD.offset, SOURCE.offset)
    number(data, PAYLOAD.length, SOURCE.length)
  })
  compare(list, value => value.u32be(source))
}

function compare(list: Writer, value: (writer: Writer) => void): void {
  expression(list, 'cmp', data => {
    number(data, COMPARE.register, REGISTER)
    number(data, COMPARE.operator, COMPARE.equal)
    nested(data, COMPARE.data, inner => writeAttribute(inner, DATA.value, value))
  })
}

function goTo(list: Writer, chain: string): void {
  expression(list, 'immediate', data => {
    number(data, IMMEDIATE.register, VERDICT_REGISTER)
    nested(data, IMMEDIATE.data, inner =>
      nested(inner, DATA.verdict, verdict => {
        number(verdict, VERDICT.code, VERDICT.goTo)
        text(verdict, VERDICT.chain, chain)
      }),
    )
  })
}

function expression(list: Writer, name: string, data: (writer: Writer) => void): void {
  nested(list, ELEMENT, element => {
    text(element, EXPRESSION.name, name)
    nested(element, EXPRESSION.data, data)
  })
}

function nested(writer: Writer, type: number, value: (writer: Writer) => void): void {
  writeAttribute(writer, type | NESTED, value)
}

function text(writer: Writer, type: number, value: string): void {
  writeAttribute(writer, type, inner => writeText(inner, value))
}

function number(writer: Writer, type: number, value: number): void {
  writeAttribute(writer, type, inner => inner.u32be(value >>> 0))
}
