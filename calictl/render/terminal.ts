/** Whether colours are wanted; apart from what paints them, which most runs never load. */

/** Whether a stream is to have colours: as FORCE_COLOR says, else not with NO_COLOR, else where a person looks at a terminal that has them. */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTerminal: () => boolean): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: unwanted = '', TERM: terminal } = env
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return unwanted === '' && terminal !== 'dumb' && isTerminal()
}
