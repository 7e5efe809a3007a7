/** The scripts in the shells that they are for: sourced, and the Tab key pressed. */
import assert from 'node:assert/strict'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { environmentOf, runProcess } from '../testing/launch.ts'
import { openStage, type Stage } from '../testing/stage.ts'
import { type Shell, scriptFor } from './scripts.ts'

async function withPools(): Promise<Stage> {
  const stage = await openStage()
  await stage.calictl('ippool create default --cidr 10.244.0.0/16')
  await stage.calictl('ippool create edge --cidr 10.77.0.0/20')
  return stage
}

async function inShell(stage: Stage, shell: string, argv: readonly string[], input?: string): Promise<string> {
  const { out } = await runProcess(shell, argv, shellEnvironment(stage), input)
  return out
}

/** Every Tab starts calictl anew: what was compiled once serves the later ones. */
function shellEnvironment(stage: Stage): NodeJS.ProcessEnv {
  return { ...environmentOf(stage), TERM: 'dumb', NODE_COMPILE_CACHE: join(stage.directory, 'compiled') }
}

test('the script printed is the script, and nothing else', async () => {
  await using stage = await openStage()
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const { exit, out, err } = await stage.calictl(`completion ${shell} --datastore sqlite:/absent.db -o json`)
    assert.deepEqual([exit, `${out}\n`, err], [0, scriptFor(shell), ''])
  }
})

const BASH_PROBES = `
eval "$(calictl completion bash)"
probe() {
  COMP_LINE=$1 COMP_POINT=\${2:-\${#1}} COMPREPLY=()
  _calictl
  echo "\${#COMPREPLY[@]}:\${COMPREPLY[*]}"
}
probe 'calictl ip'
probe 'calictl ippool get '
probe 'calictl ippool get de' 19
probe 'calictl ippool set --ipip=cr'
probe 'calictl --datastore sqlite:/v'
probe 'calictl ippool get nope'
probe '/absent/calictl ippool get '
probe "calictl node status --run-dir $HOME/a-"
`

test('bash: words, names of pools, values behind = and :, directories', async () => {
  await using stage = await withPools()
  const { out, err } = await runProcess(
    'bash',
    ['--norc', '-c', `mkdir "$HOME/a-directory"; ${BASH_PROBES}`],
    shellEnvironment(stage),
  )
  assert.deepEqual(
    [out.trimEnd().split('\n'), err],
    [
      [
        '2:ippool ipam',
        '2:default edge',
        '2:default edge',
        '1:CrossSubnet',
        '1:/var/lib/cali/cali.db',
        '0:',
        '0:',
        `1:${stage.directory}/a-directory`,
      ],
      '',
    ],
  )
})

test('bash: the Tab key completes what is typed; P0: not without the script', async () => {
  await using stage = await withPools()
  const typed = async (script: string) =>
    inShell(stage, 'script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], `${script}\ncalictl ippool get ed\t\nexit 0\n`)
  assert.match(await typed('eval "$(calictl completion bash)"'), /edge +10\.77\.0\.0\/20/)
  const without = await typed(':')
  assert.match(without, /cannot show pool ed: there is no such pool/)
})

const ZSH_PROBES = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1='ready> '"
zpty -r shell seen '*ready> *ready> *'
zpty -w shell 'eval "$(calictl completion zsh)"; print -r sourced:$?'
zpty -r shell seen '*sourced:0*ready> *'
zpty -w -n shell $'calictl ippool get ed\\t'
zpty -r shell seen '*edge*'
zpty -w -n shell $'\\C-ucalictl ippool set --ipip=cr\\t'
zpty -r shell seen '*CrossSubnet*'
zpty -w -n shell $'\\C-ucalictl ippool get \\t\\t'
zpty -r shell seen '*10.244.0.0/16*10.77.0.0/20*'
zpty -d shell
print done
`

const FISH_PROBES = `
calictl completion fish | source
for line in 'calictl ip' 'calictl ippool get ' 'calictl ippool set --ipip=Cr' 'calictl ippool get nope'
    complete -C "$line" | string join ';'
    echo .
end
`

/** A shell that is not there cannot run its script; then its grammar is looked at. */
const OTHERS: readonly {
  readonly shell: Shell
  readonly runs: (stage: Stage) => Promise<void>
  readonly reads: () => Promise<void>
}[] = [
  {
    shell: 'zsh',
    // Each read waits until the terminal shows what is expected, and the time limit of the process ends it otherwise.
    runs: async stage => assert.match(await inShell(stage, 'zsh', ['-f', '-c', ZSH_PROBES]), /done\n$/),
    // What both shells read alike is all that the script uses.
    reads: async () =>
      assert.deepEqual(await runProcess('bash', ['-n'], process.env, scriptFor('zsh')), { exit: 0, out: '', err: '' }),
  },
  {
    shell: 'fish',
    runs: async stage =>
      assert.deepEqual((await inShell(stage, 'fish', ['--no-config', '-c', FISH_PROBES])).trimEnd().split('\n'), [
        'ipam\taddresses of pods: what is used, and by whom;ippool\taddress ranges of pods, and how packets to them travel',
        '.',
        'default\t10.244.0.0/16, ipip Never;edge\t10.77.0.0/20, ipip Never',
        '.',
        '--ipip=CrossSubnet\tthe tunnel between subnets only',
        '.',
        '.',
      ]),
    reads: async () => assert.deepEqual(fishFaults(scriptFor('fish')), []),
  },
]

for (const { shell, runs, reads } of OTHERS)
  test(`${shell}: words, names of pools and values, where it is installed; its grammar everywhere`, async () => {
    await reads()
    if (!isInstalled(shell)) return
    await using stage = await withPools()
    await runs(stage)
  })

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some(directory => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Blocks that do not end and quotes that do not close; enough for a script without nested quotes. */
function fishFaults(script: string): readonly string[] {
  const faults: string[] = []
  let open = 0
  for (const [at, line] of script.split('\n').entries()) {
    if (line.trimStart().startsWith('#')) continue
    const bare = line.replace(/'[^']*'|"[^"]*"/g, 'quoted')
    if (/['"]/.test(bare)) faults.push(`line ${at + 1}: a quote is not closed`)
    if (count(bare, '(') !== count(bare, ')')) faults.push(`line ${at + 1}: a parenthesis is not closed`)
    if (/^\s*(?:function|if|for|while|switch|begin)\b/.test(bare)) open++
    if (/^\s*end\b/.test(bare)) open--
    if (open < 0) faults.push(`line ${at + 1}: an end of nothing`)
  }
  return open > 0 ? [...faults, `${open} blocks do not end`] : faults
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1
}

test('P0: what is looked at in the grammar of fish is found', () => {
  const script = scriptFor('fish')
  assert.deepEqual(fishFaults(script.replace(/\nend\n/, '\n')), ['1 blocks do not end'])
  assert.match(fishFaults(script.replace("':directories'", "':directories"))[0] ?? '', /a quote is not closed/)
  assert.match(fishFaults(script.replace('(commandline -ct)', '(commandline -ct'))[0] ?? '', /a parenthesis is not closed/)
})
