// SPDX-License-Identifier: Apache-2.0
// Every command of docs/seeing.md is run again, in order, and prints what stands there, but for numbers.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { makeMetrics } from '../../src/monitor/exporter/metrics.ts'
import { openSampler } from '../../src/monitor/sampler.ts'
import { collect } from '../cli/hutch.ts'
import { hutchLine } from '../support/command.ts'

const page = readFileSync('docs/seeing.md', 'utf8')
const bin = mkdtempSync(`${tmpdir()}/hutch-docs-test-`)
writeFileSync(`${bin}/hutch`, `#!/bin/sh\nexec ${hutchLine} "$@"\n`)
chmodSync(`${bin}/hutch`, 0o755)
// a package refers to itself by name from within
const programs = 'build/seeing-test'
mkdirSync(programs, { recursive: true })
afterAll(() => {
  rmSync(bin, { recursive: true })
  rmSync(programs, { recursive: true })
})

const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1]!)

/** Figures and process ids differ, and with them the widths of columns. */
const steady = (text: string) => text.replace(/\d+(\.\d+)?( [KMG]i)?/g, '#').replace(/ +/g, ' ')

test.each(
  blocks('console').flatMap((block) =>
    [...block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n?)*)/gm)].map((match) => [match[1]!, match[2]!] as const),
  ),
)('%s prints what the page says', async (command, output) => {
  const { stdout } = await collect('sh', ['-c', `{ ${command}\n} 2>&1`], {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  })
  expect(steady(stdout)).toBe(steady(output))
})

test('the program of the page runs', async () => {
  const [program] = blocks('ts')
  writeFileSync(`${programs}/1.mjs`, program!)
  const { status, stdout, stderr } = await collect(process.execPath, [`${programs}/1.mjs`])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^(\/\S* (\d+|undefined)\n)*$/)
})

test('the page names every metric of this host', () => {
  const survey = openSampler()
  const names = makeMetrics(survey.sample(), {
    tookMs: 0,
    machine: { cpus: 1, memory: 1 },
    startOf: () => 0,
  }).map(({ name }) => name)
  survey.close()
  const told = [...page.matchAll(/`([\w{},*]+)`/g)].map(([, word]) => word!)
  const starts = told.filter((word) => /^(container|hutch|machine)_/.test(word))
  const ends = told.filter((word) => word.startsWith('_'))
  const known = (name: string) =>
    starts.some((start) =>
      new RegExp(
        `^${start.replace(/\{([^}]*)\}/g, (_, list) => `(${list.replaceAll(',', '|')})`).replaceAll('*', '\\w+')}$`,
      ).test(name),
    ) || ends.some((end) => name.includes(end))
  expect(names.filter((name) => !known(name))).toEqual([])
})
