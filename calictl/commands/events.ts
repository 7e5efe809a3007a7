/** `calictl events`: what happened lately on the nodes. */

import type { Command } from 'commander'
import type { Act } from '../context.ts'
import { examples } from '../help.ts'
import { type WatchOptions, watched } from './watching.ts'

export function addEvents(program: Command, act: Act): void {
  program
    .command('events')
    .description('show what happened lately: sessions that came or went, repairs, a datastore that does not answer')
    .argument('[node]', 'only on this node')
    .option('--type <type>', 'only of this type: Agent, Session, Repair, Store')
    .option('-w, --watch', 'go on, and show what changes')
    .addHelpText('after', examples('calictl events', 'calictl events node-1 --type Session', 'calictl events --watch'))
    .action((node: string | undefined, options: { readonly type?: string } & WatchOptions) =>
      act(context =>
        watched(context, options, async seen => (await import('../look/events.ts')).showEvents(seen, node, options)),
      ),
    )
}
