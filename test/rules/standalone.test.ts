// SPDX-License-Identifier: Apache-2.0
// What the binary without Node consists of: the modules that src/cli/main.ts needs, and none of Node's. Tests of hutch run either.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('no module of the binary without Node imports from Node, or what another does not export; those of the snapshot exist', () => {
  // makeModules refuses both; in a process of its own, since esbuild leaves one running
  const script = `
    import { makeModules } from './scripts/build/modules.js'
    const modules = await makeModules({ version: '0', arch: 'x64' })
    console.log(JSON.stringify(modules.map(({ name, code }) => [name, /["']node:/.test(code)])))`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const modules = JSON.parse(out) as [name: string, fromNode: boolean][]
  expect(modules.filter(([, fromNode]) => fromNode)).toEqual([])
  const names = new Set(modules.map(([name]) => name))
  const common = readFileSync('scripts/build/common-modules.txt', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('.ts'))
  expect(common.filter((name) => !names.has(name))).toEqual([])
  const ofNode = modules.map(([name]) => name).filter((name) => /^(ui|monitor\/exporter)\/|\/node\//.test(name))
  expect(ofNode.toSorted()).toEqual(
    ['advise', 'dashboard', 'kube-explain', 'kube-generate', 'metrics', 'record', 'replay', 'top'].map(
      (name) => `cli/node/${name}.ts`,
    ),
  )
}, 120_000)

test('a test that runs hutch takes the command from test/support/command.ts, unless it is about Node', () => {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const names = (path: string) => readFileSync(`test/${path}`, 'utf8')
  const direct = /\bcli\b[^'\n]* from '[./]*support\/command\.ts'|execPath.*\bcli\b|dist\/cli\.cjs/
  const found = files.filter((path) => direct.test(names(path)) && !names(path).includes("'hutch for Node'"))
  expect(found.filter((path) => !/^(package|rules|unit)\//.test(path)).toSorted()).toEqual([
    'cli/tmux.ts',
    'dashboard/served.ts',
    'standalone/hostile.test.ts',
    'standalone/same.test.ts',
    'support/command.ts',
  ])
})
