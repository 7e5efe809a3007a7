/** Commands of nouns that are a kind and nothing else: get, create, set, delete, with `field=value`. */

import type { Command } from 'commander'
import type { Act } from '../context.ts'
import { examples } from '../help.ts'
import type { ChangeOptions, DeleteOptions } from '../resources/change.ts'
import type { GetOptions } from '../resources/get.ts'
import { changing } from './verbs.ts'

export interface Noun {
  /** As it is called on the line: `bgp peer`. */
  readonly path: string
  readonly kind: string
  /** In a sentence: `BGP peers`. */
  readonly about: string
  /** Of `create`; left out where there is nothing to create. */
  readonly create?: string
  /** Of `set`. */
  readonly set: string
  /** There is one for the cluster, of this name. */
  readonly standing?: string
}

/** Adds what a noun can do under its command. */
export function addNoun(under: Command, act: Act, noun: Noun): void {
  const { path, kind, about, create, set, standing } = noun
  under
    .command('get')
    .alias('list')
    .description(`show ${about}`)
    .argument('[names...]', 'only these')
    .option('-l, --selector <selector>', "only those with such labels: rack=r1,gpu or rack == 'r1' && has(gpu)")
    .option('-w, --watch', 'go on, and show every change')
    .addHelpText('after', examples(`calictl ${path} get`, `calictl ${path} get -o yaml`))
    .action((names: readonly string[], options: GetOptions) =>
      act(async context => (await import('../resources/get.ts')).getResources(context, [kind, ...names], options)),
    )
  if (create !== undefined)
    changing(under.command('create').description(`create one of the ${about}`))
      .argument('<name>', 'its name')
      .argument('[fields...]', 'field=value')
      .addHelpText('after', examples(create))
      .action((name: string, pairs: readonly string[], options: ChangeOptions) =>
        act(async context => (await import('../resources/noun.ts')).createNoun(context, kind, { name, pairs }, options)),
      )
  addSet(under, act, noun)
  changing(under.command('delete').description(`delete some of the ${about}`))
    .argument('<names...>', 'which')
    .addHelpText('after', examples(`calictl ${path} delete ${standing ?? set.split(' ').at(4) ?? ''}`))
    .action((names: readonly string[], options: DeleteOptions) =>
      act(async context => (await import('../resources/change.ts')).deleteNamed(context, [kind, ...names], options)),
    )
}

/** `set` alone, for nouns whose other commands are their own. */
export function addSet(under: Command, act: Act, { kind, about, set, standing }: Omit<Noun, 'path' | 'create'>): void {
  changing(under.command('set').description(`change fields of one of the ${about}; an empty value brings back the default`))
    .argument('[name-and-fields...]', 'the name, which may be left out when there is only one, then field=value')
    .addHelpText('after', examples(set))
    .action((words: readonly string[], options: ChangeOptions) =>
      act(async context => {
        const { name, pairs } = nameAndPairs(words)
        const wanted = { name, pairs, ...(standing === undefined ? {} : { standing }) }
        return (await import('../resources/noun.ts')).setNoun(context, kind, wanted, options)
      }),
    )
}

/** A name has no `=`. */
export function nameAndPairs(words: readonly string[]): { readonly name: string | undefined; readonly pairs: readonly string[] } {
  const [first, ...rest] = words
  return first === undefined || first.includes('=') ? { name: undefined, pairs: words } : { name: first, pairs: rest }
}
