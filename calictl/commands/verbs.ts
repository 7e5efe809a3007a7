/** The verbs of Kubernetes' and Calico's users: `get`, `apply`, `create`, `replace`, `patch`, `label`, `delete`. */

import type { Command } from 'commander'
import type { Act, Context } from '../context.ts'
import { type ExitCode, failure } from '../exit.ts'
import { examples } from '../help.ts'
import type { DeleteOptions, FilesOptions, LabelOptions, PatchOptions } from '../resources/change.ts'
import type { FileOptions } from '../resources/files.ts'
import type { GetOptions } from '../resources/get.ts'

export function addVerbs(program: Command, act: Act): void {
  addGet(program, act)
  addFiles(program, act, 'apply', {
    about: 'make resources as files say: those that are there are changed, the others created',
    example: [
      'calictl apply -f pools.yaml',
      'calictl apply -f cluster/ --dry-run',
      'calictl get pools -o yaml | calictl apply -f -',
    ],
  })
  addFiles(program, act, 'create', { about: 'create resources from files', example: ['calictl create -f peer.yaml'] }).option(
    '--skip-exists',
    'leave alone what is there already',
  )
  addFiles(program, act, 'replace', {
    about: 'make resources that are there exactly as files say, labels included',
    example: ['calictl replace -f pools.yaml'],
  })
  addPatch(program, act)
  addLabel(program, act)
  addDelete(program, act)
}

function addGet(program: Command, act: Act): void {
  inNamespaces(program.command('get'))
    .description('show resources of any kind')
    .argument('<kind>', 'kind, kinds with commas, all, or kind/name')
    .argument('[names...]', 'only these')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <selector>', "only those with such labels: rack=r1,gpu or rack == 'r1' && has(gpu)")
    .option('-w, --watch', 'go on, and show every change')
    .addHelpText(
      'after',
      examples(
        'calictl get ippools -o wide',
        'calictl get nodes -l rack=r1',
        "calictl get pools -o jsonpath='{.items[*].metadata.name}'",
        'calictl get bgppeers -o custom-columns=NAME:.metadata.name,PEER:.spec.peerIP',
        'calictl get networkpolicies -A --watch',
      ),
    )
    .action((kind: string, names: readonly string[], options: GetOptions) =>
      act(async context => (await import('../resources/get.ts')).getResources(context, [kind, ...names], options)),
    )
}

interface About {
  readonly about: string
  readonly example: readonly [string, ...string[]]
}

function addFiles(program: Command, act: Act, verb: 'apply' | 'create' | 'replace', { about, example }: About): Command {
  const command = changing(inNamespaces(program.command(verb).description(about)))
    .requiredOption('-f, --filename <path>', 'file, directory or - for standard input; may be given more than once', collected)
    .option('-R, --recursive', 'with the directories in a directory')
    .option('--skip-empty', 'no error when there is no document')
    .addHelpText('after', examples(...example))
  return command.action((options: FilesOptions) =>
    act(async context => (await import('../resources/change.ts')).changeFiles(context, verb, options)),
  )
}

function addPatch(program: Command, act: Act): void {
  changing(inNamespaces(program.command('patch')))
    .description('change parts of a resource')
    .argument('<kind>', 'kind, or kind/name')
    .argument('[name]', 'the resource')
    .requiredOption('-p, --patch <patch>', 'JSON or YAML')
    .option('-t, --type <type>', 'merge (also called strategic), or json for a list of operations', 'merge')
    .addHelpText(
      'after',
      examples(
        `calictl patch ippool default -p '{"spec": {"natOutgoing": true}}'`,
        `calictl patch node/node-1 --type json -p '[{"op": "remove", "path": "/metadata/labels/rack"}]'`,
      ),
    )
    .action((kind: string, name: string | undefined, options: PatchOptions) =>
      act(async context => (await import('../resources/change.ts')).patchNamed(context, words(kind, name), options)),
    )
}

function addLabel(program: Command, act: Act): void {
  changing(inNamespaces(program.command('label')))
    .description('put labels on a resource, or take them away')
    .argument('<kind>', 'kind, or kind/name')
    .argument('[name-and-labels...]', 'the name, then label=value to put a label, label- to take it away')
    .option('--overwrite', 'also where the label has another value')
    .option('--remove', 'take away labels without a value')
    .addHelpText('after', examples('calictl label node node-1 rack=r1', 'calictl label node/node-1 rack-'))
    .action((kind: string, rest: readonly string[], options: LabelOptions) =>
      act(async context => {
        const isNamed = kind.includes('/')
        const wanted = words(kind, isNamed ? undefined : rest.at(0))
        const labels = isNamed ? rest : rest.slice(1)
        return (await import('../resources/change.ts')).labelNamed(context, wanted, labels, options)
      }),
    )
}

function addDelete(program: Command, act: Act): void {
  changing(inNamespaces(program.command('delete')))
    .description('delete resources, by name, by label or those in files')
    .argument('[kind]', 'kind, or kind/name')
    .argument('[names...]', 'the resources')
    .option('-f, --filename <path>', 'file, directory or - for standard input; may be given more than once', collected)
    .option('-R, --recursive', 'with the directories in a directory')
    .option('--skip-empty', 'no error when there is no document')
    .option('-l, --selector <selector>', "those with such labels: rack=r1,gpu or rack == 'r1' && has(gpu)")
    .option('-A, --all-namespaces', 'in all namespaces')
    .option('--all', 'all of the kind')
    .option('--ignore-not-found', 'no error for what is not there')
    .option('-s, --skip-not-exists', 'the same, as calicoctl calls it')
    .addHelpText(
      'after',
      examples('calictl delete bgppeer tor-1', 'calictl delete -f pools.yaml', 'calictl delete networkpolicies -n shop --all'),
    )
    .action((kind: string | undefined, names: readonly string[], options: DeleteOptions & Partial<FileOptions>) =>
      act(context => deleted(context, [...words(kind, undefined), ...names], options)),
    )
}

async function deleted(
  context: Context,
  wanted: readonly string[],
  { filename, ...given }: DeleteOptions & Partial<FileOptions> & { readonly skipNotExists?: true },
): Promise<ExitCode> {
  const options = given.skipNotExists === true ? { ...given, ignoreNotFound: true as const } : given
  const { changeFiles, deleteNamed } = await import('../resources/change.ts')
  if (filename !== undefined && wanted.length === 0) return changeFiles(context, 'delete', { ...options, filename })
  if (filename === undefined && wanted.length > 0) return deleteNamed(context, wanted, options)
  throw failure('usage', {
    doing: 'delete',
    on: wanted.length === 0 ? 'nothing' : wanted.join(' '),
    says: wanted.length === 0 ? 'neither a kind nor a file is given' : 'both a kind and a file are given',
    mend: 'write a kind and names, or -f; nothing was changed',
  })
}

function words(kind: string | undefined, name: string | undefined): readonly string[] {
  return [kind, name].flatMap(word => word ?? [])
}

function inNamespaces(command: Command): Command {
  return command.option('-n, --namespace <name>', 'namespace of resources that are in one (default: "default")')
}

/** What every command has that changes resources. */
export function changing(command: Command): Command {
  return command
    .option('--dry-run', 'show what would be changed, and change nothing')
    .option('--wait', 'then show progress until the agents that answer act on it')
    .option('--timeout <seconds>', 'how long to wait', '60')
}

function collected(path: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), path]
}
