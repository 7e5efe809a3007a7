/**
 * Bundles our programs into one file each. With `--dist`, those that are shipped, into dist/: `npm run build`. Without, also the tests that
 * need ipip, into build/: what the virtual machine runs.
 */
import { existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { lateModules } from './late-modules.ts'

const SHIPPED = { agent: 'agent', bgpd: 'bgp/daemon', calictl: 'calictl', cni: 'cni' }
/** Packages that few commands need: in files of their own, for all of a file is read and compiled at every start. */
const APART = ['yaml', 'jsonpath-plus', 'ip-address']
const FOR_TESTS = { demo: 'test/demo', lab: 'test/lab' }

process.chdir(`${import.meta.dirname}/../..`)
const isDist = process.argv.includes('--dist')
const outdir = isDist ? 'dist' : 'build'
rmSync(`${outdir}/tests`, { recursive: true, force: true })
const entries = isDist ? programs(SHIPPED) : [...programs({ ...SHIPPED, ...FOR_TESTS }), ...tests()]
const common: BuildOptions = {
  outdir,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  // The source stays in memory as long as the program runs; names stay for whoever reads a stack.
  minifyWhitespace: isDist,
  minifySyntax: isDist,
  platform: 'node',
  target: 'node24',
  // Node's loader of ES modules alone costs half a second on an emulated processor.
  format: 'cjs',
  // For the same reason `import()` becomes a function that requires.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': '$url', 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  banner: { js: "const $url = require('node:url').pathToFileURL(__filename).href;" },
  // They load machine code or protocol files from beside themselves.
  external: ['koffi', 'etcd3', '@grpc/grpc-js', 'cockatiel'],
  logLevel: 'warning',
}
const plugins = [withoutTopLevelAwait(entries.map(entry => entry.in)), lateModules()]
await build({ ...common, entryPoints: entries, plugins: isDist ? [apart(), ...plugins] : plugins })
if (isDist) await build({ ...common, entryPoints: APART.map(name => ({ in: name, out: `apart/${name}` })) })

function apart(): Plugin {
  return {
    name: 'apart',
    setup: building =>
      building.onResolve({ filter: new RegExp(`^(${APART.join('|')})$`) }, ({ path, kind, namespace }) =>
        // First comes what stands for a package until it is used, where there is such a thing.
        kind === 'require-call' || kind === 'dynamic-import' || namespace === 'late' || path !== 'ip-address'
          ? { path: `./apart/${path}.cjs`, external: true }
          : undefined,
      ),
  }
}

function programs(folders: Readonly<Record<string, string>>): { in: string; out: string }[] {
  return Object.entries(folders)
    .map(([name, folder]) => ({ in: `${folder}/main.ts`, out: name }))
    .filter(entry => existsSync(entry.in))
}

function tests(): { in: string; out: string }[] {
  return globSync('test/*/*.ipip.test.ts').map(file => ({ in: file, out: `tests/${basename(file, '.ts')}` }))
}

/** CommonJS has no `await` outside functions: all of an entry but its imports, which stand first, becomes the body of one. */
function withoutTopLevelAwait(files: readonly string[]): Plugin {
  const entryPaths = new Set(files.map(file => `${process.cwd()}/${file}`))
  return {
    name: 'without-top-level-await',
    setup: building =>
      building.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (!entryPaths.has(path)) return undefined
        const lines = readFileSync(path, 'utf8').split('\n')
        const body = lines.findLastIndex(line => /^(import|\} from) .*'$/.test(line)) + 1
        const wrapped = [...lines.slice(0, body), 'void (async () => {', ...lines.slice(body), '})()']
        return { contents: wrapped.join('\n'), loader: 'ts' }
      }),
  }
}
