// SPDX-License-Identifier: Apache-2.0
// Every block of the README is run again: commands print what it says, and programs what their comments say.
// Runs alone: the group `web` of its commands stands in other pages, too.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { hutchLine } from '../support/command.ts'

const readme = readFileSync('README.md', 'utf8')
const bin = mkdtempSync(`${tmpdir()}/hutch-docs-test-`)
writeFileSync(`${bin}/hutch`, `#!/bin/sh\nexec ${hutchLine} "$@"\n`)
chmodSync(`${bin}/hutch`, 0o755)
// a package refers to itself by name from within: programs must lie in the checkout
const programs = 'build/readme-test'
mkdirSync(programs, { recursive: true })
/** The kernel logs at most ten kills for memory in five seconds, and a file before this one can have caused more. */
const logInterval = 5_000
beforeAll(() => pause(logInterval))
afterAll(() => {
  rmSync(bin, { recursive: true })
  rmSync(programs, { recursive: true })
})

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1]!)
}

/** What differs from machine to machine: a peak below the limit, whether limit hits are counted. */
function steady(text: string): string {
  return text
    .replace(/peak (?!50\.0)[\d.]+ \w+/g, 'peak …')
    .replace(/ {3}limit hit \d+ times?/g, '')
    .replace(/\(pid \d+\)/g, '(pid …)')
    .replace(/^ {2}memory use.*\n/gm, '')
    .replace(/(anon|file|address space) [\d.]+ \w+/g, '$1 …')
    .replace(/--memory \d+[MG] --verbose/g, '--memory N --verbose')
}

const commands = blocks('console').flatMap((block) =>
  [...block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map((match) => [match[1]!, match[2]!] as const),
)

test('the README has commands', () => expect(commands.length).toBeGreaterThan(5))

test.each(commands)('%s prints what the README says', async (command, output) => {
  const { stdout } = await collect('sh', ['-c', `{ ${command}\n} 2>&1`], {
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  })
  expect(steady(stdout)).toBe(steady(output))
})

test.each(blocks('ts').map((program, i) => [i + 1, program] as const))(
  'program %i of the README prints what its comments say',
  async (i, program) => {
    writeFileSync(`${programs}/${i}.mjs`, program)
    const { stdout, stderr } = await collect(process.execPath, [`${programs}/${i}.mjs`])
    const expected = [...program.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map((match) => `${match[1]}\n`).join('')
    expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: '' })
  },
)

test('npx hutch runs the checkout', async () => {
  const { status, stdout } = await collect('npx', ['hutch', '--version'])
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: `hutch ${JSON.parse(readFileSync('package.json', 'utf8')).version}\n`,
  })
})
