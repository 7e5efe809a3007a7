/** `calictl completion`: prints the script that teaches a shell to complete our commands. */

import { Argument, type Command } from 'commander'
import { SHELLS, type Shell, scriptFor } from '../completion/scripts.ts'
import type { Act, Context } from '../context.ts'
import { EXIT } from '../exit.ts'
import { examples } from '../help.ts'

export function addCompletion(program: Command, act: Act): void {
  program
    .command('completion')
    .description('print a script that makes a shell complete commands, options and the names of pools, nodes and pods')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText(
      'after',
      examples(
        'calictl completion bash >/etc/bash_completion.d/calictl',
        'source <(calictl completion bash)',
        'calictl completion zsh >/usr/local/share/zsh/site-functions/_calictl',
        'calictl completion fish >~/.config/fish/completions/calictl.fish',
      ),
    )
    .action((shell: Shell) => act(async context => printScript(context, shell)))
}

function printScript({ out }: Context, shell: Shell) {
  out(scriptFor(shell).trimEnd())
  return EXIT.ok
}
