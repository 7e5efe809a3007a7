/** Documents for people who will edit them. */

/** The library is loaded only when somebody asks: it costs more than all the rest of a short command. */
export async function yaml(document: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
}
