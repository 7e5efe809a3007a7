/** `-f`: files, directories and standard input become documents; all that is wrong in all of them is told at once. */

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '@network/base/run/fault.ts'
import { type Loaded, loadDocuments, tellProblem } from '@network/model/documents/load.ts'
import type { Problem } from '@network/model/resources/kind.ts'
import type { Context } from '../context.ts'
import { failure } from '../exit.ts'
import type { Wish } from './plan.ts'

/** What kubectl and calicoctl take for documents in a directory. */
const DOCUMENT = /\.(?:ya?ml|json)$/

export interface FileOptions {
  readonly filename: readonly string[]
  readonly recursive?: true
  readonly skipEmpty?: true
}

interface Sheet {
  /** As people name it: `-` is `stdin`. */
  readonly name: string
  readonly documents: readonly Loaded[]
}

/** The resources in all files, in their order. Problems go to stderr, line by line, and end in one failure; warnings too, and do not. */
export async function wishesFrom(context: Context, doing: string, options: FileOptions): Promise<readonly Wish[]> {
  const sheets = await Promise.all((await filesOf(options)).map(path => sheetOf(context, path)))
  const wrong = sheets.flatMap(sheet => sheet.documents.map((one, at) => tellWrong(context, sheet, one, at)))
  const problems = wrong.reduce((sum, count) => sum + count, 0)
  const documents = sheets.reduce((sum, sheet) => sum + sheet.documents.length, 0)
  if (problems > 0)
    throw failure('usage', {
      doing,
      on: counted(documents, 'document'),
      says: `${counted(problems, 'problem')} in ${counted(wrong.filter(count => count > 0).length, 'document')}, told above`,
      mend: 'mend them and try again; nothing was changed',
    })
  if (documents === 0 && options.skipEmpty !== true)
    throw failure('usage', {
      doing,
      on: options.filename.join(', '),
      says: 'there is no document in it',
      mend: 'name a file with documents, or add --skip-empty',
    })
  return sheets.flatMap(sheet => sheet.documents.flatMap((one, at) => wishOf(sheet, one, at) ?? []))
}

async function filesOf({ filename, recursive }: FileOptions): Promise<readonly string[]> {
  const all = await Promise.all(filename.map(path => filesAt(path, recursive === true)))
  return all.flat()
}

async function filesAt(path: string, recursive: boolean): Promise<readonly string[]> {
  if (path === '-') return [path]
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = await readdir(path, { recursive })
    return names
      .filter(name => DOCUMENT.test(name))
      .sort()
      .map(name => join(path, name))
  } catch (reason) {
    throw unreadable(path, reason)
  }
}

function unreadable(path: string, reason: unknown) {
  const isAbsent = reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'
  const says = isAbsent ? 'there is no such file' : reasonOf(reason)
  return failure(isAbsent ? 'notFound' : 'unreachable', { doing: 'read', on: path, says, mend: 'nothing was changed' })
}

async function sheetOf({ stdin }: Context, path: string): Promise<Sheet> {
  if (path === '-') return { name: 'stdin', documents: loadDocuments((await stdin()) ?? '') }
  try {
    return { name: path, documents: loadDocuments(await readFile(path, 'utf8')) }
  } catch (reason) {
    throw unreadable(path, reason)
  }
}

/** Tells problems and warnings of a document; how many problems there are. */
function tellWrong({ err }: Context, sheet: Sheet, loaded: Loaded, at: number): number {
  if (loaded.is === 'read') for (const warning of loaded.warnings) err(`warning: ${tellProblem(warning, sheet.name)}`)
  if (loaded.is === 'lacking')
    err(`note: ${sheet.name}:${loaded.line}: ${loaded.kindName} ${loaded.name} is passed over: Cali has no such kind`)
  if (loaded.is !== 'wrong') return 0
  if (sheet.documents.length > 1)
    err(`${sheet.name}: document ${at + 1}${loaded.name === undefined ? '' : `, ${loaded.kindName ?? ''} ${loaded.name}`}:`)
  for (const problem of loaded.problems) err(tellProblem(problem, sheet.name))
  return loaded.problems.length
}

function wishOf(sheet: Sheet, loaded: Loaded, at: number): Wish | undefined {
  if (loaded.is !== 'read') return undefined
  const { kind, key, document, lineOf } = loaded
  const number = sheet.documents.length > 1 ? ` (document ${at + 1})` : ''
  return {
    kind,
    key,
    document,
    from: `${sheet.name}:${loaded.line}`,
    tell: (problem: Problem) => `${tellProblem({ ...problem, line: lineOf(problem.at) }, sheet.name)}${number}`,
  }
}

export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
