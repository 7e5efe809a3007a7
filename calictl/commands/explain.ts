/** `calictl explain`: what a kind or a field of it means, from its own description. */

import type { Command } from 'commander'
import type { Act } from '../context.ts'
import { examples } from '../help.ts'

export function addExplain(program: Command, act: Act): void {
  program
    .command('explain')
    .description('say what a kind is, or a field of it: type, unit, default, bounds')
    .argument('<kind.field>', 'kind, with a path into it after a dot')
    .addHelpText(
      'after',
      examples('calictl explain ippool', 'calictl explain ippool.spec.blockSize', 'calictl explain bgppeer.holdTime'),
    )
    .action((path: string) => act(async context => (await import('../resources/explain.ts')).explainField(context, path)))
}
