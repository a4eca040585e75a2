// SPDX-License-Identifier: Apache-2.0
// What must hold of the source itself: layers, sizes, tables that are written twice.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { flags } from '../../src/cli/run.ts'
import {
  compiledFlags,
  compiledMagic,
  compiledVersion,
  compiledWords,
  groupPlaceholder,
  ownPlaceholder,
} from '../../src/compile/file-format.ts'
import { codes } from '../../src/errors/errors.ts'
import { leafName } from '../../src/host/host.ts'
import { ops } from '../../src/ops/ops.ts'
import { programMagic, stepParts } from '../../src/ops/wire.ts'
import { stepPart } from '../../src/system/events.ts'
import { changeKinds, eventKinds } from '../../src/system/native.ts'

const files = (folder: string, ending: RegExp) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => `${folder}/${name}`)
const read = (path: string) => readFileSync(path, 'utf8')
const sources = files('src', /\.ts$/)
const native = files('native', /\.[ch]$/)

test('only hosts, and rooms that are made for Node, import from Node', () => {
  const may = /^src\/(system\/node|ui|monitor\/recording|monitor\/exporter|cli\/node)\//
  expect(sources.filter((path) => /'node:/.test(read(path)) && !may.test(path))).toEqual([])
})

test('front ends are told apart by data, except where words are made in the form of each', () => {
  const wordsOfEach = [
    'src/options/names.ts',
    'src/run/exec-facts.ts',
    'src/run/mount-target.ts',
    'src/verdict/exec-failure.ts',
    'src/verdict/exec-words.ts',
    'src/verdict/mount-words.ts',
  ]
  const comparison = /\b(door|frontend) [!=]==|[!=]== [\w.]*\b(door|frontend)\b/i
  expect(sources.filter((path) => comparison.test(read(path))).toSorted()).toEqual(wordsOfEach)
  // a front end that a global of the process names would be that of all
  expect(sources.filter((path) => /\bglobalThis as\b/.test(read(path)) && path.startsWith('src/errors/'))).toEqual([])
})

test('errors are made by the table alone, except those of streams', () => {
  const makers = sources.filter((path) => /throw new |new Error\(/.test(read(path)))
  expect(makers.filter((path) => !path.startsWith('src/system/standalone/'))).toEqual(['src/system/node/errors.ts'])
})

test('source files are short', () => {
  const lines = [...sources, ...native].map((path) => [read(path).split('\n').length, path] as const)
  expect(lines.filter(([count]) => count > 400)).toEqual([])
})

test('every file says its licence and is named for what it holds', () => {
  for (const path of [...sources, ...native, ...files('test', /\.ts$/), ...files('bench', /\.(js|c)$/)]) {
    expect([
      path,
      read(path)
        .split('\n', 2)
        .some((line) => line.includes('SPDX-License-Identifier: Apache-2.0')),
    ]).toEqual([path, true])
    // misc is a controller of the kernel
    if (path !== 'src/cgroup/controllers/misc.ts')
      expect(path).not.toMatch(/\/(utils|helpers|common|misc|manager|types)\.\w+$/)
  }
})

test('the op table and program.h list the same ops with the same fields', () => {
  const listed = [...read('native/wire/program.h').matchAll(/X\((\d+), (\w+), \w+, "([^"]*)"\)/g)].map(
    ([, code, name, fields]) => [name, Number(code), fields],
  )
  const table = Object.entries(ops).map(([name, op]) => [
    name,
    op.code,
    Object.entries(op.fields)
      .map(([field, type]) => `${field}:${type}`)
      .join(' '),
  ])
  const byCode = (a: unknown[], b: unknown[]) => Number(a[1]) - Number(b[1])
  expect(listed.sort(byCode)).toEqual(table.sort(byCode))
  expect(read('native/wire/program.h')).toContain(`#define PROGRAM_MAGIC 0x${programMagic.toString(16)}`)
})

test('the parts of an op that can be refused are the same on both sides', () => {
  const header = read('native/wire/program.h')
  const listed = [...header.matchAll(/PART_(\w+) = (\d+)/g)].map(([, name, value]) => [
    name!.toLowerCase().replace('_', ' '),
    Number(value),
  ])
  expect(listed).toEqual(stepParts.map((name, i) => [name, i]))
  expect(header).toContain(`#define STEP_PART ${stepPart}`)
})

test('event kinds are the same on both sides', () => {
  const listed = [...read('native/node/job.h').matchAll(/EVENT_(\w+) = (\d+)/g)].map(([, name, value]) => [
    name!.toLowerCase(),
    Number(value),
  ])
  expect(Object.fromEntries(listed)).toEqual(eventKinds)
})

test('kinds of changes are the same on both sides', () => {
  const listed = [...read('native/node/proc-connector.c').matchAll(/CHANGE_(\w+) = (\d+)/g)].map(([, name, value]) => [
    name!.toLowerCase(),
    Number(value),
  ])
  expect(Object.fromEntries(listed)).toEqual(changeKinds)
})

test('a compiled file is the same on both sides', () => {
  const header = read('native/compiled/compiled.h')
  const [, list] = /#define WORDS\(X\)([^#]*)\nenum/.exec(header)!
  expect([...list!.matchAll(/X\((\w+)\)/g)].map(([, name]) => name)).toEqual(compiledWords)
  const number = (name: string) => Number(new RegExp(`${name} = (\\d+)`).exec(header)?.[1])
  expect({
    passArguments: number('PASS_ARGUMENTS'),
    quiet: number('QUIET'),
    passEnvironment: number('PASS_ENVIRONMENT'),
    dieWithParent: number('DIE_WITH_PARENT'),
  }).toEqual(compiledFlags)
  expect(header).toContain(`#define COMPILED_MAGIC 0x${compiledMagic.toString(16)} `)
  expect(header).toContain(`#define COMPILED_VERSION ${compiledVersion}\n`)
  expect(header).toContain(`#define GROUP_PLACEHOLDER "${groupPlaceholder}"`)
  expect(header).toContain(`#define OWN_PLACEHOLDER "${ownPlaceholder}"`)
  expect(header).toContain(`#define LEAF_NAME "${leafName}"`)
})

test('what prints an error puts in the names of its own options', () => {
  const printers = sources.filter((path) => /^src\/(cli|dropin|ui|rules|monitor\/exporter|cgroup\/actions)/.test(path))
  const lines = printers.flatMap((path) => read(path).split('\n'))
  // an error that is not hutch's own names no option
  const foreign = /\.stack\b|instanceof Error|: error\.message|error\.message\.split/
  const own = lines.filter((line) => /\b(error|failure|refusal)\.(message|remedy)\b/.test(line) && !foreign.test(line))
  expect(own.filter((line) => !line.includes('nameOptions('))).toEqual([])
  expect(own.length + lines.filter((line) => line.includes('nameOptions(')).length).toBeGreaterThan(8)
})

test('docs/errors.md has every code, and no other', () => {
  expect([...read('docs/errors.md').matchAll(/^## (\w+)$/gm)].map(([, code]) => code)).toEqual(codes())
})

test('docs/limits.md tells of every flag of run, and of no other', () => {
  const told = new Set([...read('docs/limits.md').matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name))
  expect([...told].sort()).toEqual(Object.keys(flags).sort())
})

test('every public name has a docstring', () => {
  const index = read('src/index.ts')
  for (const [, names, from] of index.matchAll(/export (?:type )?\{([^}]+)\} from '([^']+)'/g))
    for (const name of names!.split(',').map((word) => word.replace('type ', '').trim()))
      expect([
        name,
        new RegExp(`\\*/\nexport (async )?(function|class|interface|type|const) ${name}\\b`).test(read(`src/${from}`)),
      ]).toEqual([name, true])
})

test('the text speaks of the project alone', () => {
  const texts = [
    ...sources,
    ...native,
    ...files('docs', /\.md$/),
    ...files('test', /\.(ts|js|md)$/),
    'README.md',
    'CONTRIBUTING.md',
  ]
  // this file has to name what it looks for
  const words = new RegExp(['/' + 'work/', '\\.\\./' + 'shared', 'C' + 'EO\\b'].join('|'))
  expect(texts.filter((path) => words.test(read(path)))).toEqual([])
})
