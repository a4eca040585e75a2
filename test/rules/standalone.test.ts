// SPDX-License-Identifier: Apache-2.0
// What the binary without Node consists of: the modules that src/cli/main.ts needs, and none of Node's.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('no module of the binary without Node imports from Node, or what another does not export', () => {
  // makeModules refuses both; in a process of its own, since esbuild leaves one running
  const script = `
    import { makeModules } from './scripts/build/modules.js'
    const modules = await makeModules({ version: '0', arch: 'x64' })
    console.log(JSON.stringify(modules.map(({ name, code }) => [name, /["']node:/.test(code)])))`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const modules = JSON.parse(out) as [name: string, fromNode: boolean][]
  expect(modules.filter(([, fromNode]) => fromNode)).toEqual([])
  const ofNode = modules.map(([name]) => name).filter((name) => /^(ui|monitor\/exporter)\/|\/node\//.test(name))
  expect(ofNode.toSorted()).toEqual(
    ['dashboard', 'metrics', 'record', 'replay', 'top'].map((name) => `cli/node/${name}.ts`),
  )
}, 120_000)
