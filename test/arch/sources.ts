/** The project's own source files, read once. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')
export const ROOMS = ['base', 'model', 'datastore', 'netlink', 'bgp', 'ipip', 'agent', 'cni', 'calictl', 'test'] as const

export interface Source {
  /** From the project's root: `agent/plan/plan.ts`. */
  readonly path: string
  readonly room: string
  readonly text: string
  readonly imports: readonly Import[]
}

export interface Import {
  /** As written. */
  readonly from: string
  /** The file meant, from the project's root; undefined for Node's modules and libraries. */
  readonly file: string | undefined
  readonly typeOnly: boolean
}

export const SOURCES: readonly Source[] = ROOMS.flatMap(room =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && !file.includes('node_modules'))
    .map(file => read(room, join(room, file))),
)

function read(room: string, path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?'([^']+)'/gm)]
  const dynamic = [...text.matchAll(/\bimport\('([^']+)'\)/g)].map(match => ['', undefined, match[1]])
  return {
    path,
    room,
    text,
    imports: [...statements, ...dynamic].map(([, type, from = '']) => ({
      from,
      file: resolve(path, from),
      typeOnly: type !== undefined,
    })),
  }
}

function resolve(path: string, from: string): string | undefined {
  if (from.startsWith('.')) return normalize(join(dirname(path), from))
  const own = /^@network\/([^/]+)(?:\/(.*))?$/.exec(from)
  if (own === null) return undefined
  return own[2] === undefined ? join(own[1] ?? '', 'speaker.ts') : join(own[1] ?? '', own[2])
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || relative('test', path).startsWith('..') === false || /\/testing\//.test(path)
}
