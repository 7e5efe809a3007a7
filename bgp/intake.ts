/** UPDATE bodies into the RIB without reading what was read before: equal bytes of attributes mean equal attributes. */
import { speaks } from './attributes/multiprotocol.ts'
import { EXTENDED_LENGTH } from './attributes/rows.ts'
import { maySkim } from './attributes/skim.ts'
import type { AttributeSet } from './rib/attribute-set.ts'
import type { Source } from './rib/path.ts'
import type { Rib } from './rib/rib.ts'
import type { SoundUpdate } from './session/interpret.ts'
import { IPV4_UNICAST } from './wire/capabilities.ts'
import { type Dialect, hasPathIds } from './wire/dialect.ts'

const MP_REACH = 14
const MP_UNREACH = 15

interface Fields {
  readonly attributes: { readonly from: number; readonly to: number }
  readonly withdrawn: Uint8Array
  readonly announced: Uint8Array
}

/** What one session tells. */
export class Intake {
  readonly #rib: Rib
  readonly #source: Source
  readonly #mayRecognise: boolean
  readonly #maySkim: boolean
  readonly #withIds: boolean

  constructor(rib: Rib, source: Source, dialect: Dialect) {
    this.#rib = rib
    this.#source = source
    this.#mayRecognise = speaks(dialect, IPV4_UNICAST)
    this.#maySkim = maySkim(dialect)
    this.#withIds = hasPathIds(dialect, 'in', IPV4_UNICAST)
  }

  /** Takes in withdrawals, and routes whose attributes are known or plain; false: the message is to be read. Hot. */
  recognise(body: Uint8Array): boolean {
    const fields = this.#mayRecognise ? fieldsOf(body) : undefined
    if (fields === undefined) return false
    const { attributes, withdrawn, announced } = fields
    if (announced.length === 0) {
      const isOnlyWithdrawal = withdrawn.length > 0 && attributes.from === attributes.to
      return isOnlyWithdrawal && this.#rib.withdrawField(this.#source.id, withdrawn, this.#withIds)
    }
    const set = this.#known(body, attributes.from, attributes.to)
    if (set === undefined) return false
    if (withdrawn.length > 0 && !this.#rib.withdrawField(this.#source.id, withdrawn, this.#withIds)) return false
    return this.#rib.announceField(this.#source, set, announced, this.#withIds)
  }

  #known(body: Uint8Array, from: number, to: number): AttributeSet | undefined {
    const { sets } = this.#rib
    const known = sets.recall(this.#source, body, from, to)
    return known ?? (this.#maySkim ? sets.skim(this.#source, body, from, to) : undefined)
  }

  /** Takes in what was read, and remembers attributes that came without a fault. */
  take(verdict: Extract<SoundUpdate, { readonly is: 'routes' }>, body: Uint8Array): void {
    const { withdrawn, announced, ipv6, remarks } = verdict
    this.#rib.withdraw(this.#source.id, withdrawn)
    this.#rib.withdraw(this.#source.id, ipv6.withdrawn)
    const [only, ...others] = announced
    const fields = this.#mayRecognise && remarks.length === 0 ? fieldsOf(body) : undefined
    if (only !== undefined && others.length === 0 && fields !== undefined && !isMultiprotocol(body, fields.attributes)) {
      const set = this.#rib.sets.learn(this.#source, body, fields.attributes, only.attributes)
      this.#rib.announceField(this.#source, set, fields.announced, this.#withIds)
      return
    }
    for (const { attributes, prefixes } of announced) this.#rib.announce(this.#source, prefixes, attributes)
    for (const { attributes, prefixes } of ipv6.announced) this.#rib.announce(this.#source, prefixes, attributes)
  }
}

/** Undefined when a length runs over the end. */
function fieldsOf(body: Uint8Array): Fields | undefined {
  if (body.length < 4) return undefined
  const gone = ((body[0] ?? 0) << 8) | (body[1] ?? 0)
  const from = gone + 4
  if (from > body.length) return undefined
  const to = from + (((body[from - 2] ?? 0) << 8) | (body[from - 1] ?? 0))
  if (to > body.length) return undefined
  return { attributes: { from, to }, withdrawn: body.subarray(2, 2 + gone), announced: body.subarray(to) }
}

/** Whether prefixes are among the attributes; asked of sound ones only. */
function isMultiprotocol(body: Uint8Array, { from, to }: Fields['attributes']): boolean {
  let at = from
  while (at + 3 <= to) {
    const code = body[at + 1]
    if (code === MP_REACH || code === MP_UNREACH) return true
    const isLong = ((body[at] ?? 0) & EXTENDED_LENGTH) !== 0
    at += isLong ? 4 + (((body[at + 2] ?? 0) << 8) | (body[at + 3] ?? 0)) : 3 + (body[at + 2] ?? 0)
  }
  return false
}
