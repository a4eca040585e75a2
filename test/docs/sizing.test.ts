// SPDX-License-Identifier: Apache-2.0
// Every command of docs/sizing.md is run again, in order, and prints the same lines, except for numbers, reasons and rows of charts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { requires } from '../support/requires.ts'
import { commandsOf, typed } from './console.ts'

beforeEach((context) => requires(context, 'hutch for Node', 'root', 'python3', 'a v2 tree'))

const [directory, bin] = [mkdtempSync(`${tmpdir()}/hutch-sizing-`), mkdtempSync(`${tmpdir()}/hutch-sizing-bin-`)]
afterAll(() => {
  for (const path of [directory, bin]) rmSync(path, { recursive: true })
})

/** A busy host adds a line; the number of attempts, and so of rows, varies. */
function steady(text: string): string[] {
  const lines = text
    .split('\n')
    .filter((line) => !line.startsWith('  busy host'))
    .map((line) =>
      line
        .replace(/^ +([\d.]+ (?:MiB|CPUs)|no limit) {2}.*$/, 'a row of a chart')
        .replace(/because .*/, 'because')
        .replace(/limit [\d.]+, if you need one|no limit: it can use all CPUs of this host/, 'limit')
        .replace(/[\d.]+( [KMG]iB| B\b)?/g, '#'),
    )
    .filter((line) => !/CPUQuota|^ {4}cpu: "#(m)?"$/.test(line))
  return lines.filter((line, index) => line !== 'a row of a chart' || lines[index - 1] !== line)
}

test.for(commandsOf('docs/sizing.md'))('%s', { timeout: 120_000 }, async ([command, output]) => {
  const { status, stdout, stderr } = await typed(command, directory, bin)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(steady(stdout)).toEqual(steady(output))
})

test('the page has all commands of this test', () => {
  expect(commandsOf('docs/sizing.md')).toHaveLength(5)
})
