/** Documents for people who will edit them. */

/**
 * The library is loaded only when somebody asks: it costs more than all the rest of a short command. What a YAML 1.1 reader would take for a
 * boolean is quoted.
 */
export async function yaml(document: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' }).trimEnd()
}
