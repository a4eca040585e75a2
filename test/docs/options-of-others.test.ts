// SPDX-License-Identifier: Apache-2.0
// The page that maps others' options: hutch's are real ones, and none of the tools here has an option that it forgets.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { flags } from '../../src/cli/run.ts'
import { collect } from '../cli/hutch.ts'
import { requires } from '../support/requires.ts'
import { errorCodes, figuresPage, figureTypes, optionsPage, othersPage, reportRows, reportSchema } from './pages.ts'

test('the pages that are made from tables are up to date', async () => {
  await expect(optionsPage()).toMatchFileSnapshot(resolve('docs/options.md'))
  await expect(othersPage()).toMatchFileSnapshot(resolve('docs/options-of-others.md'))
  await expect(errorCodes()).toMatchFileSnapshot(resolve('src/errors/codes.generated.ts'))
  await expect(figureTypes()).toMatchFileSnapshot(resolve('src/cgroup/controllers/figure-types.generated.ts'))
  await expect(reportRows()).toMatchFileSnapshot(resolve('src/cgroup/controllers/report-rows.generated.ts'))
  await expect(figuresPage()).toMatchFileSnapshot(resolve('docs/figures.md'))
  await expect(reportSchema()).toMatchFileSnapshot(resolve('report.schema.json'))
})

const sections = new Map(
  readFileSync('docs/options-of-others.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text.split('\n').filter((line) => line.startsWith('| '))]),
)
const rows = [...sections.values()].flatMap((lines) => lines.slice(2).map((line) => line.split(' | ')))

test('each of hutch’s options there is one of hutch run', () => {
  const named = rows.flatMap((cells) => [...cells[1]!.matchAll(/--([a-z-]+)/g)].map((match) => match[1]!))
  expect(named.length).toBeGreaterThan(100)
  expect([...new Set(named)].filter((name) => !(name in flags) && name !== 'help')).toEqual([])
})

test('what has no option of hutch says where it is, or why it is left out', () => {
  const silent = rows.filter((cells) => cells[1] === '–' && cells[2]!.replace(/[| ]/g, '') === '')
  expect(silent.map((cells) => cells[0])).toEqual([])
})

test.for([
  ['bubblewrap', 'bwrap', 'bubblewrap'],
  ['unshare(1)', 'unshare', 'unshare'],
  ['nsenter(1)', 'nsenter', 'nsenter'],
] as const)('%s: no option is missing', async ([need, command, section], context) => {
  requires(context, need)
  const help = await collect(command, ['--help'])
  const known = sections.get(section)!.join('\n')
  const options = [...`${help.stdout}${help.stderr}`.matchAll(/^\s*(?:-\w[,.] )? *--([a-z0-9-]+)/gm)].map(
    (match) => match[1]!,
  )
  expect(options.length).toBeGreaterThan(15)
  const forgotten = options.filter((name) => !known.includes(`--${name}`))
  expect(forgotten).toEqual([])
})
