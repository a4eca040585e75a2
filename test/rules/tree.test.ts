// SPDX-License-Identifier: Apache-2.0
// The layout of src/: order of imports, circles, sizes, exports, and the map in CONTRIBUTING.md and docs/architecture.md.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { rooms } from './rooms.ts'

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`)
const texts = new Map(sources.map((path) => [path, readFileSync(path, 'utf8')]))
const roomOf = (path: string) => path.split('/')[1]!
const statement =
  /^(?:import|export) (type )?(?:(\*|[\w$]+|(?:[\w$]+, )?\{[^}]*\}) from )?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm

interface Import {
  from: string
  to: string
  /** The compiler removes the import. */
  erased: boolean
  /** Loaded when it is needed. */
  late: boolean
  names: string[]
}

const imports: Import[] = [...texts].flatMap(([from, text]) =>
  [...text.matchAll(statement)].map(([, type, clause = '', path, latePath]) => {
    const list = clause.includes('{') ? clause.replace(/^[^{]*\{|\}$/g, '').split(',') : [clause]
    const words = list.map((word) => word.trim()).filter(Boolean)
    return {
      from,
      to: posix.join(posix.dirname(from), (path ?? latePath)!),
      erased: type !== undefined || (clause.includes('{') && words.every((word) => word.startsWith('type '))),
      late: latePath !== undefined,
      names: words.map((word) => word.replace(/^type /, '').split(' as ')[0]!),
    }
  }),
)

test('the reader of imports sees all of them', () => {
  const specifiers = [...texts].flatMap(([from, text]) =>
    [...text.matchAll(/^(?:import|export|\}).* from '(\.[^']+)'|^import '\.[^']+'|\bimport\('(\.[^']+)'\)/gm)].map(
      ([, path, late]) => `${from} → ${path ?? late}`,
    ),
  )
  expect(imports).toHaveLength(specifiers.length)
  for (const { to } of imports) if (to.endsWith('.ts')) expect(sources).toContain(to)
})

test('imports go down', () => {
  const up = imports
    .filter(({ from, to }) => from !== 'src/index.ts' && rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from)))
    .map(({ from, to }) => `${from} → ${to}`)
  expect(up).toEqual([])
})

test('no file is imported only for what it does when it is loaded', () => {
  expect(imports.filter(({ names, late }) => !late && names.length === 0)).toEqual([])
})

test('no circle of files', () => {
  const next = new Map<string, string[]>()
  for (const { from, to, erased, late } of imports)
    if (!erased && !late) next.set(from, [...(next.get(from) ?? []), to])
  expect(findCircle(next)).toBe(undefined)
  expect(
    findCircle(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['a']],
      ]),
    ),
  ).toBe('a → b → c → a')
})

function findCircle(next: Map<string, string[]>): string | undefined {
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): string | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(' → ')
    if (done.has(path)) return undefined
    for (const to of next.get(path) ?? []) {
      const circle = visit(to, [...trail, path])
      if (circle) return circle
    }
    done.add(path)
    return undefined
  }
  for (const path of next.keys()) {
    const circle = visit(path, [])
    if (circle) return circle
  }
  return undefined
}

test('no folder has more than 40 files', () => {
  const folders = ['src', 'native'].flatMap((top) =>
    readdirSync(top, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.parentPath),
  )
  const counts = new Map<string, number>()
  for (const folder of folders) counts.set(folder, (counts.get(folder) ?? 0) + 1)
  expect([...counts].filter(([, count]) => count > 40)).toEqual([])
})

const declared =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|class|interface|type|const|let|enum) (\w+)/gm
/** Each file of src/ and the names that it declares and exports. */
const declarations = [...texts]
  .filter(([path]) => !/^src\/ui\/\w+\/page\//.test(path))
  .map(([path, text]) => ({ path, names: [...new Set([...text.matchAll(declared)].map(([, name]) => name!))] }))

/** Contracts that several files fill: a table or a loader asks each file for one of these names. */
const shared = new Set(['command', 'run', 'main', 'flags', 'options', 'rows', 'columns'])

/** Hosts of src/system/, and what stands for a file in the binary without Node: they export the same names as another file. */
const twin = /^src\/(system|monitor\/recording)\/(node|standalone)\//

test('no two declarations share an exported name', () => {
  const owners = new Map<string, string[]>()
  for (const { path, names } of declarations)
    for (const name of names)
      if (!shared.has(name) && !path.includes('/standalone/')) owners.set(name, [...(owners.get(name) ?? []), path])
  expect([...owners].filter(([, paths]) => paths.length > 1)).toEqual([])
})

test('every export is used by another file, is public, or is called by a test', () => {
  const used = new Map<string, Set<string>>()
  const whole = new Set<string>()
  for (const { to, names, late } of imports) {
    if (late || names.includes('*')) whole.add(to)
    else used.set(to, new Set([...(used.get(to) ?? []), ...names]))
  }
  const tests = ['test', 'bench', 'scripts'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.[tj]s$/.test(name))
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
  )
  const inTests = new Set(tests.join('\n').match(/\w+/g))
  const unused = declarations.flatMap(({ path, names }) =>
    whole.has(path) || twin.test(path)
      ? []
      : names.filter((name) => !used.get(path)?.has(name) && !inTests.has(name)).map((name) => `${path}: ${name}`),
  )
  expect(unused).toEqual([])
})

test.each(['CONTRIBUTING.md', 'docs/architecture.md'])(
  '%s has each folder of src/ in its map, and no other',
  (page) => {
    const named = [...readFileSync(page, 'utf8').matchAll(/^ {4}src\/([\w/-]+)\/ +\S/gm)].map(([, folder]) => folder)
    const folders = readdirSync('src', { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => posix.join(entry.parentPath, entry.name).slice(4))
    expect(named.toSorted()).toEqual(folders.toSorted())
  },
)
