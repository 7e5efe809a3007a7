/** `calictl datastore`: all documents from one store to another, to a file, and back. */

import { reasonOf } from '@network/base/run/fault.ts'
import { carried, importInto, type Migrated, migrate, type Progress, placedOf } from '@network/datastore/migrate.ts'
import type { Command } from 'commander'
import { type Act, type Context, show } from '../context.ts'
import { EXIT, type ExitCode, failure } from '../exit.ts'
import { examples } from '../help.ts'
import type { World } from '../world.ts'

interface MigrateFlags {
  readonly from: string
  readonly to: string
  readonly force?: true
}

interface ImportFlags {
  readonly file: string
  readonly force?: true
}

const FORCE = 'also when documents that are there would be lost'
/** Lines of progress, at the most. */
const STEPS = 10

export function addDatastore(program: Command, act: Act, world: World): void {
  const datastore = program
    .command('datastore')
    .description('copy all documents: to another store, to a file, and back')
    .addHelpText('after', examples('calictl datastore export > cali.yaml'))
  datastore
    .command('migrate')
    .description('copy all documents from one store to another; cut short, it goes on where it was')
    .requiredOption('--from <url>', 'the store that has them')
    .requiredOption('--to <url>', 'the store that shall have them: empty, or filled by a former run')
    .option('--force', FORCE)
    .addHelpText(
      'after',
      examples('calictl datastore migrate --from sqlite:/var/lib/cali/cali.db --to etcd://10.0.0.1:2379/cali'),
    )
    .action((flags: MigrateFlags) => act(context => carry(context, flags, world)))
  datastore
    .command('export')
    .description('print all documents with their keys, as YAML documents or, with -o json, as lines of JSON')
    .addHelpText('after', examples('calictl datastore export > cali.yaml'))
    .action(() => act(exportAll))
  datastore
    .command('import')
    .description('put there what export printed')
    .requiredOption('-f, --file <file>', 'what to read; - is standard input')
    .option('--force', FORCE)
    .addHelpText('after', examples('calictl datastore import -f cali.yaml'))
    .action((flags: ImportFlags) => act(context => importAll(context, flags, world)))
}

async function carry(context: Context, { from, to, force }: MigrateFlags, world: World): Promise<ExitCode> {
  await using source = await world.openStore(from, { mustExist: true })
  await using target = await world.openStore(to, { mustExist: false })
  const migrated = await migrate(source, target, { signal: context.signal, force: force === true, progress: teller(context) })
  await report(context, migrated, { from: source.url, to: target.url })
  return EXIT.ok
}

async function exportAll(context: Context): Promise<ExitCode> {
  const store = await context.store()
  const entries = await carried(store, { signal: context.signal })
  const { stringify } = await import('yaml')
  for (const { key, document } of entries)
    context.out(context.format === 'json' ? JSON.stringify({ key, document }) : `---\n${stringify({ key, document }).trimEnd()}`)
  return EXIT.ok
}

async function importAll(context: Context, { file, force }: ImportFlags, { readText }: World): Promise<ExitCode> {
  const text = await readText(file)
  if (text === undefined) throw failure('notFound', { doing: 'import', on: file, says: 'there is no such file' })
  const placed = placedOf(await documentsIn(text, file))
  const store = await context.store('made')
  const migrated = await importInto(store, placed, { signal: context.signal, force: force === true, progress: teller(context) })
  await report(context, migrated, { from: file, to: store.url })
  return EXIT.ok
}

/** YAML documents; lines of JSON are tried first, for they are many and fast to read. */
async function documentsIn(text: string, file: string): Promise<readonly unknown[]> {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  if (lines.every(line => line.startsWith('{'))) {
    try {
      return lines.map(line => JSON.parse(line))
    } catch (reason) {
      throw unreadable(file, reasonOf(reason))
    }
  }
  const { parseAllDocuments } = await import('yaml')
  const documents = [parseAllDocuments(text)].flat()
  const problems = documents.flatMap(({ errors }) => errors.map(({ message }) => message.split('\n')[0] ?? ''))
  if (problems.length > 0) throw unreadable(file, problems.join('; '))
  return documents.map(document => document.toJS())
}

function unreadable(file: string, says: string) {
  return failure('usage', {
    doing: 'import',
    on: file,
    says,
    mend: 'use what calictl datastore export wrote; nothing was changed',
  })
}

/** Tells every tenth part on standard error. */
function teller({ err }: Context): (progress: Progress) => void {
  let told = 0
  return ({ done, total }) => {
    const step = Math.floor((done * STEPS) / Math.max(1, total))
    if (step <= told) return
    told = step
    err(`${done} of ${total} documents are there`)
  }
}

async function report(
  context: Context,
  migrated: Migrated,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const { total, created, updated, deleted } = migrated
  const text = [
    `${to} holds the ${total} documents of ${from}, checked: ${created} created, ${updated} updated, ${deleted} deleted`,
    ...(created + updated + deleted === 0 ? ['nothing was left to do'] : []),
  ]
  await show(context, { document: { kind: 'Migration', from, to, ...migrated }, text: text.join('\n') })
}
