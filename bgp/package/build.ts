/** Makes build/bgp, the package as it is published: JavaScript and declarations that need nothing of this repository; `base` travels inside. */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..', '..')
const TARGET = join(ROOT, 'build', 'bgp')
const DOORS = ['speaker', 'simple', 'values']

const own = manifestOf('bgp')
const base = manifestOf('base')
/** What the speaker uses of the packages that `base` names. */
const INHERITED = ['ip-address']
const dependencies = Object.fromEntries([
  ...Object.entries(own.dependencies).filter(([name]) => name !== '@network/base'),
  ...Object.entries(base.dependencies).filter(([name]) => INHERITED.includes(name)),
])

rmSync(TARGET, { recursive: true, force: true })
await compile()
declare()
describe()

async function compile(): Promise<void> {
  await build({
    entryPoints: [...DOORS.map(door => `bgp/${door}.ts`), 'bgp/daemon/main.ts'],
    absWorkingDir: ROOT,
    outdir: join(TARGET, 'dist'),
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: Object.keys(dependencies),
    logLevel: 'warning',
  })
}

/** Declarations name other files as the sources do: in the package they are beside each other, and end otherwise. */
function declare(): void {
  execFileSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', join(import.meta.dirname, 'tsconfig.json')], {
    stdio: 'inherit',
  })
  const types = join(TARGET, 'types')
  for (const file of globSync('**/*.d.ts', { cwd: types })) {
    const path = join(types, file)
    const up = relative(dirname(path), types)
    const said = readFileSync(path, 'utf8').replaceAll(/(from |import\()'([^']+)\.ts'/g, (_all, before: string, name: string) => {
      const there = name.replace('@network/base/', `${up}/base/`)
      return `${before}'${there}.js'`
    })
    writeFileSync(path, said)
  }
}

function describe(): void {
  const { version, description, license, type } = own
  const door = (name: string) => ({ types: `./types/bgp/${name}.d.ts`, default: `./dist/${name}.js` })
  const manifest = {
    ...{ name: own.name, version, description, license, type },
    engines: { node: '>=24' },
    exports: { '.': door('speaker'), ...Object.fromEntries(DOORS.map(name => [`./${name}`, door(name)])) },
    bin: { 'cali-bgpd': 'cali-bgpd' },
    files: ['dist', 'types', 'cali-bgpd', 'config.schema.json'],
    dependencies,
  }
  writeFileSync(join(TARGET, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  copyFileSync(join(ROOT, 'LICENSE'), join(TARGET, 'LICENSE'))
  copyFileSync(join(ROOT, 'bgp', 'README.md'), join(TARGET, 'README.md'))
  copyFileSync(join(ROOT, 'bgp', 'daemon', 'config.schema.json'), join(TARGET, 'config.schema.json'))
  copyFileSync(join(import.meta.dirname, 'cali-bgpd'), join(TARGET, 'cali-bgpd'))
  chmodSync(join(TARGET, 'cali-bgpd'), 0o755)
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly type: string
  readonly dependencies: Readonly<Record<string, string>>
}

function manifestOf(room: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, room, 'package.json'), 'utf8'))
}
