// SPDX-License-Identifier: Apache-2.0
// A figure of a group stands in few files: its row, and the places that do something special with it. Counted by the compiler's references.
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

test('a figure stands in at most three files of src', async () => {
  const { countReferences } = await import(resolve('scripts/references.js'))
  const found: Map<string, string[]> = await countReferences('src/cgroup/controllers')
  expect(found.size).toBeGreaterThan(25)
  expect([...found].filter(([, files]) => files.length > 3)).toEqual([])
  // a reference is found where there is one
  expect(found.get('throttledPeriods')).toContain('src/ui/top/details.ts')
}, 120_000)

test('--memory goes through at most twelve files down and ten up', async () => {
  const { countWays } = await import(resolve('scripts/references.js'))
  const { down, up }: { down: string[]; up: string[] } = await countWays()
  console.log(`--memory: ${down.length} files down, ${up.length} up`)
  expect(down).toContain('native/caller/outer.c')
  expect(up).toContain('src/cgroup/controllers/memory-figures.ts')
  expect(new Set(down).size).toBeLessThanOrEqual(12)
  expect(new Set(up).size).toBeLessThanOrEqual(10)
}, 120_000)
