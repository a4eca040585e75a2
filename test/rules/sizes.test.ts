// SPDX-License-Identifier: Apache-2.0
// The sizes in docs/architecture.md are those of the built C core and of its source.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/architecture.md', 'utf8')
const rows = (pattern: RegExp) => [...page.matchAll(pattern)].map(([, path, size]) => [path!, Number(size)] as const)
const near = (found: number, stated: number) => Math.abs(found - stated) <= Math.max(stated / 10, 0.5)

test.skipIf(process.arch !== 'x64')(
  'built files have the stated sizes, within a tenth (skipped elsewhere: x86-64)',
  () => {
    const stated = rows(/^\| `(build\/[\w./-]+)` \|.*\| (\d+) \|$/gm)
    expect(stated).toHaveLength(4)
    for (const [path, size] of stated) {
      const found = statSync(path).size / 1000
      expect([path, Math.round(found), near(found, size)]).toEqual([path, Math.round(found), true])
    }
    const [[, init]] = stated as [readonly [string, number]]
    expect(page).toContain(`from a sealed memfd: ${init} KB`)
  },
)

test('folders of the C core have the stated number of lines, within a tenth', () => {
  const stated = rows(/^\| `(native\/\w+\/)` \| (\d+) \|$/gm)
  expect(stated.length).toBeGreaterThan(5)
  for (const [path, size] of stated) {
    const sources = readdirSync(path).filter((name) => /\.[ch]$/.test(name))
    const found = sources.reduce((sum, name) => sum + readFileSync(path + name, 'utf8').split('\n').length - 1, 0)
    expect([path, found, near(found, size)]).toEqual([path, found, true])
  }
})
