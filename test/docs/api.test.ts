// SPDX-License-Identifier: Apache-2.0
// docs/api.md is generated from the types of the package by scripts/api-page.js.
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'

test('docs/api.md is up to date', { timeout: 60_000 }, async (context) => {
  if (!existsSync('node_modules/.bin/api-extractor')) return context.skip('API Extractor is not installed: npm install')
  expect(await collect(process.execPath, ['scripts/api-page.js', '--check'])).toMatchObject({ status: 0, stderr: '' })
})
