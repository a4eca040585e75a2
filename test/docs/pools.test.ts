// SPDX-License-Identifier: Apache-2.0
// The program of docs/pools.md prints what its comments say.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'

// a package refers to itself by name from within
const directory = 'build/pools-test'
mkdirSync(directory, { recursive: true })
afterAll(() => rmSync(directory, { recursive: true }))
const programs = [...readFileSync('docs/pools.md', 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
  ([, text]) => text!,
)

test('docs/pools.md has a program', () => expect(programs.length).toBe(1))

test.each(programs)('it prints what its comments say', async (program) => {
  writeFileSync(`${directory}/program.mjs`, program)
  const { stdout, stderr } = await collect(process.execPath, [`${directory}/program.mjs`])
  const expected = [...program.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map((match) => `${match[1]}\n`).join('')
  expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: '' })
})
