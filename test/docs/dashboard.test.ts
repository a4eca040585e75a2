// SPDX-License-Identifier: Apache-2.0
// docs/dashboard.md has the options that there are, and pictures that are small.
import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hutch } from '../cli/hutch.ts'

const page = readFileSync('docs/dashboard.md', 'utf8')

test('its table of options is that of --help', async () => {
  const { stdout } = await hutch(['dashboard', '--help'])
  const names = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name)
  const known = names(stdout, /^ {2}--([a-z-]+)/gm)
  expect(known.length).toBe(2)
  expect(names(page, /^\| `--([a-z-]+)/gm)).toEqual(known)
})

test('its pictures are there, and light to load', () => {
  const pictures = [...page.matchAll(/\]\((images\/[\w-]+\.png)\)/g)].map(([, path]) => path)
  expect(pictures).toHaveLength(3)
  for (const path of pictures) expect(statSync(`docs/${path}`).size).toBeLessThan(150 * 1024)
})
