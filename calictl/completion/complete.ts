/** What may come next on a command line: behind `calictl __complete`, for the scripts of the shells. */

import { type Command, Help, type Option } from 'commander'
import { OPTION_VALUES, type Source, sourceOfArgument } from './sources.ts'

export { pathOf } from './sources.ts'

/** A word that may stand where the cursor is, and what it means. */
export interface Candidate {
  readonly word: string
  readonly about?: string
}

export type Completion =
  | { readonly is: 'words'; readonly candidates: readonly Candidate[] }
  /** The shell knows directories better. */
  | { readonly is: 'directories' }

/** The names that there are of something, behind the operands typed so far; empty where they cannot be had. */
export type Lookup = (source: Exclude<Source, 'directory'>, operands: readonly string[]) => Promise<readonly Candidate[]>

/** Completes the last of `words`, which may be empty; those before it are as typed, without the name of the program. */
export async function complete(program: Command, words: readonly string[], lookup: Lookup): Promise<Completion> {
  const partial = words.at(-1) ?? ''
  const line = readLine(program, words.slice(0, -1))
  if (line.awaits !== undefined) return valuesOf(line.awaits, partial, lookup)
  if (partial.startsWith('-')) return optionOrItsValue(line, partial, lookup)
  const commands = new Help().visibleCommands(line.command).map(inner => ({ word: inner.name(), about: inner.description() }))
  if (line.operands.length === 0 && commands.length > 0) return matching(commands, partial)
  const source = sourceOfArgument(line.command, line.operands.length)
  return source === undefined ? matching([], partial) : fromSource(source, partial, lookup, line.operands)
}

interface Line {
  /** The innermost command named. */
  readonly command: Command
  readonly operands: readonly string[]
  readonly used: ReadonlySet<Option>
  /** The option whose value comes next. */
  readonly awaits: Option | undefined
}

/** Follows the words down the tree of commands, as far as they can be followed. */
function readLine(program: Command, words: readonly string[]): Line {
  let command = program
  const operands: string[] = []
  const used = new Set<Option>()
  let awaits: Option | undefined
  for (const word of words) {
    if (awaits !== undefined) awaits = undefined
    else if (word.startsWith('-')) {
      const option = optionsOf(command).find(one => isCalled(one, word.replace(/=.*/s, '')))
      if (option !== undefined) used.add(option)
      awaits = option !== undefined && takesValue(option) && !word.includes('=') ? option : undefined
    } else {
      const inner =
        operands.length === 0 ? command.commands.find(one => one.name() === word || one.aliases().includes(word)) : undefined
      if (inner === undefined) operands.push(word)
      else command = inner
    }
  }
  return { command, operands, used, awaits }
}

/** Its own and those of the commands above it, which stand anywhere. */
function optionsOf(command: Command): readonly Option[] {
  const help = new Help()
  help.showGlobalOptions = true
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
}

function isCalled({ long, short }: Option, flag: string): boolean {
  return flag === long || flag === short
}

function takesValue(option: Option): boolean {
  return option.required || option.optional
}

async function optionOrItsValue(line: Line, partial: string, lookup: Lookup): Promise<Completion> {
  const equals = /^(--[^=]+=)(.*)$/s.exec(partial)
  if (equals !== null) {
    const [, front = '', value = ''] = equals
    const option = optionsOf(line.command).find(one => isCalled(one, front.slice(0, -1)))
    if (option === undefined) return matching([], partial)
    const values = await valuesOf(option, value, lookup)
    if (values.is === 'directories') return matching([], partial)
    return { is: 'words', candidates: values.candidates.map(one => ({ ...one, word: `${front}${one.word}` })) }
  }
  const left = optionsOf(line.command).filter(option => !line.used.has(option))
  const candidates = left.flatMap(({ long, description }) => (long == null ? [] : [{ word: long, about: description }]))
  return matching(candidates, partial)
}

async function valuesOf(option: Option, partial: string, lookup: Lookup): Promise<Completion> {
  if (option.argChoices !== undefined)
    return matching(
      option.argChoices.map(word => ({ word })),
      partial,
    )
  const source = OPTION_VALUES.get(option.long ?? '')
  return source === undefined || source === 'free' ? matching([], partial) : fromSource(source, partial, lookup)
}

async function fromSource(
  source: Source,
  partial: string,
  lookup: Lookup,
  operands: readonly string[] = [],
): Promise<Completion> {
  return source === 'directory' ? { is: 'directories' } : matching(await lookup(source, operands), partial)
}

function matching(candidates: readonly Candidate[], partial: string): Completion {
  const start = partial.toLowerCase()
  return { is: 'words', candidates: candidates.filter(({ word }) => word.toLowerCase().startsWith(start)) }
}
