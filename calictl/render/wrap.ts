/** Long sentences in narrow places. */

/** Columns of the terminals that tables and sentences are made for. */
export const WIDTH = 120

/** Breaks a sentence at blanks into lines of at most `width` columns, all after the first set in by `indent`; a longer word stays whole. */
export function wrapped(sentence: string, indent: string, width: number = WIDTH): string {
  const lines: string[] = []
  let line = ''
  for (const word of sentence.split(/(?<=\S) +/)) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length > width && line !== '') {
      lines.push(line)
      line = `${indent}${word}`
    } else line = longer
  }
  return [...lines, line].join('\n')
}
