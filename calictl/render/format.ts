/** How a command is to print: the names that `-o` takes, and what may follow them. */

const PLAIN_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const
const TEMPLATE_FORMATS = ['jsonpath', 'custom-columns'] as const
/** As they are typed. */
export const FORMATS: readonly string[] = [...PLAIN_FORMATS, ...TEMPLATE_FORMATS.map(name => `${name}=…`)]

export type Format = (typeof PLAIN_FORMATS)[number] | (typeof TEMPLATE_FORMATS)[number]

export interface Output {
  readonly format: Format
  /** What follows `jsonpath=` or `custom-columns=`; empty for other formats. */
  readonly template: string
}

export const TABLE: Output = { format: 'table', template: '' }

/** Reads what `-o` was given; undefined for what is no format. Calico's `ps` is the table. */
export function parseFormat(text: string): Output | undefined {
  const plain = text === 'ps' ? 'table' : PLAIN_FORMATS.find(name => name === text)
  if (plain !== undefined) return { format: plain, template: '' }
  const format = TEMPLATE_FORMATS.find(name => text.startsWith(`${name}=`))
  const template = format === undefined ? '' : text.slice(format.length + 1)
  return format === undefined || template === '' ? undefined : { format, template }
}
